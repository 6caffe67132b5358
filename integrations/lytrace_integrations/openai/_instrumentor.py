"""Patches openai where every request passes: whatever resource, parameter or wrapper a call goes through, it is seen once."""

from collections.abc import Callable
from types import ModuleType

from lytrace_integrations._instrumentor import BaseInstrumentor
from lytrace_integrations.openai import _requests


class OpenAIInstrumentor(BaseInstrumentor):
    """Every call of ``images``, ``chat.completions`` and ``responses`` becomes a span, sync and async, streamed and not."""

    library = "openai"

    @property
    def hooks(self) -> dict[str, Callable[[ModuleType], None]]:
        """The one module that sends requests."""
        return {"openai._base_client": self._patch}

    def _patch(self, module: ModuleType) -> None:
        self.patches.replace(module.SyncAPIClient, "request", _requests.wrap_request)
        self.patches.replace(module.AsyncAPIClient, "request", _requests.wrap_async_request)
        self.patches.replace(module.SyncAPIClient, "_process_response", _requests.wrap_process_response)
        self.patches.replace(module.AsyncAPIClient, "_process_response", _requests.wrap_async_process_response)
