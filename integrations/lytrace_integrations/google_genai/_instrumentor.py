"""What is patched: the one place that every request goes through, and the interactions resource, which has its own."""

from collections.abc import Callable
from types import ModuleType
from typing import ClassVar

from lytrace_integrations._instrumentor import BaseInstrumentor
from lytrace_integrations.google_genai import _interactions, _models


class GoogleGenAIInstrumentor(BaseInstrumentor):
    """Every model call of google-genai becomes a generation.

    The requests are patched, not the methods that users call: ``generate_content`` with automatic function calling, chats and
    continued answers send several, and one model call is one span.
    """

    library: ClassVar[str] = "google.genai"

    @property
    def hooks(self) -> dict[str, Callable[[ModuleType], None]]:
        """Module name → what patches it once it is imported."""
        return {
            "google.genai._api_client": self._patch_requests,
            "google.genai._gaos.interactions": self._patch_interactions,
            "google.genai._gaos.basesdk": self._patch_transport,
            "google.genai._gaos._hooks.sdkhooks": self._patch_tries,
            "google.genai._gaos._hooks.asyncsdkhooks": self._patch_async_tries,
        }

    def _patch_requests(self, module: ModuleType) -> None:
        client = module.BaseApiClient
        self.patches.replace(client, "request", _models.wrap_request)
        self.patches.replace(client, "async_request", _models.wrap_async_request)
        self.patches.replace(client, "request_streamed", _models.wrap_stream)
        self.patches.replace(client, "async_request_streamed", _models.wrap_async_stream)
        self.patches.replace(client, "_request_once", _models.wrap_try)
        self.patches.replace(client, "_async_request_once", _models.wrap_async_try)

    def _patch_interactions(self, module: ModuleType) -> None:
        self.patches.replace(module.Interactions, "create", _interactions.wrap_create)
        self.patches.replace(module.AsyncInteractions, "create", _interactions.wrap_async_create)

    def _patch_transport(self, module: ModuleType) -> None:
        self.patches.replace(module.BaseSDK, "do_request", _interactions.wrap_transport)
        self.patches.replace(module.AsyncBaseSDK, "do_request_async", _interactions.wrap_async_transport)

    def _patch_tries(self, module: ModuleType) -> None:
        self.patches.replace(module.SDKHooks, "before_request", _interactions.wrap_try)

    def _patch_async_tries(self, module: ModuleType) -> None:
        self.patches.replace(module.AsyncSDKHooks, "before_request", _interactions.wrap_async_try)
