"""Which TracerProvider our spans come from: the user's where there is one, else one of our own."""

import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider

from lytrace import _environment, _exit, _log
from lytrace._ids import ids
from lytrace._processor import RecordingProcessor
from lytrace._settings import Settings
from lytrace._tracer import QuickTracer

_GLOBAL: Final = "_TRACER_PROVIDER"
_NAMES: Final = vars(otel_trace)


class Providers:
    """Finds the tracer to use, now and after the user sets a global provider."""

    def __init__(self, settings: Settings, processor: RecordingProcessor, drain: Callable[[float], bool]) -> None:
        self._settings = settings
        self._processor = processor
        self._drain = drain
        self._own: TracerProvider | None = None
        self._foreign: list[TracerProvider] = []
        self._wrapped: list[tuple[TracerProvider, str, Callable[..., Any], Callable[..., Any] | None]] = []
        self._guard = threading.RLock()
        self._global: Any = None
        self._tracer: QuickTracer | None = None
        self._version = _environment.lytrace_version()

    @property
    def is_foreign(self) -> bool:
        """Whether spans go through a provider that the user made."""
        return bool(self._foreign) and self._global is self._foreign[-1]

    def tracer(self) -> otel_trace.Tracer:
        """The tracer for a span that starts now."""
        tracer: otel_trace.Tracer = self.quick_tracer().tracer
        return tracer

    def quick_tracer(self) -> QuickTracer:
        """The same, quicker for a span with plain attributes below the current one."""
        # OpenTelemetry's own answer reads the environment each time.
        current = _NAMES[_GLOBAL] if _GLOBAL in _NAMES else otel_trace.get_tracer_provider()
        if self._tracer is None or current is not self._global:
            with self._guard:
                provider = self._choose(otel_trace.get_tracer_provider())
                self._tracer = QuickTracer(provider.get_tracer("lytrace", self._version))
                self._global = current
        return self._tracer

    def shutdown(self) -> None:
        """Shut our own provider down and give the user's back their methods."""
        for provider, name, ours, before in reversed(self._wrapped):
            if provider.__dict__.get(name) is ours:  # not where someone has wrapped it after us
                del provider.__dict__[name]
                if before is not None:
                    provider.__dict__[name] = before
        self._wrapped = []
        if self._own is not None:
            self._own.shutdown()

    def flush(self, timeout_s: float) -> bool:
        """Flush the exporters of our own provider."""
        return self._own.force_flush(int(timeout_s * 1000)) if self._own else True

    def resource(self) -> Mapping[str, Any]:
        """Resource attributes of the provider in use, for records that are no spans."""
        provider = self._foreign[-1] if self.is_foreign else self._own
        return provider.resource.attributes if provider else {}

    def after_fork(self) -> None:
        """In a forked child: another thread may have held the lock."""
        self._guard = threading.RLock()

    def _choose(self, current: Any) -> TracerProvider:
        if isinstance(current, TracerProvider) and current is not self._own:
            if all(current is not known for known in self._foreign):
                self._attach(current)
            return current
        if self._own is None:
            self._own = self._make()
        return self._own

    def _make(self) -> TracerProvider:
        service = self._settings.service_name or os.environ.get("OTEL_SERVICE_NAME")
        resource = Resource.create({SERVICE_NAME: service} if service else None)
        if resource.attributes.get(SERVICE_NAME, "").__str__().startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: _environment.program_name()}))
        provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        _add_standard_exporter(provider)
        if self._settings.set_global:
            otel_trace.set_tracer_provider(provider)
        return provider

    def _attach(self, provider: TracerProvider) -> None:
        """Record the user's provider, too. Its flush must first end the spans that wait for our worker."""
        provider.add_span_processor(self._processor)
        self._foreign.append(provider)
        flush, shutdown = provider.force_flush, provider.shutdown

        def force_flush(timeout_millis: int = 30_000) -> bool:
            self._drain(timeout_millis / 1000)
            return flush(timeout_millis)

        def shut_down() -> None:
            self._drain(self._settings.exit_timeout_s)
            shutdown()

        for name, wrapper in (("force_flush", force_flush), ("shutdown", shut_down)):
            self._wrapped.append((provider, name, wrapper, provider.__dict__.get(name)))
            provider.__dict__[name] = wrapper
        _exit.run_before_others()


def _add_standard_exporter(provider: TracerProvider) -> None:
    """OpenTelemetry's own OTLP exporter, where the environment asks for one."""
    wanted = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    exporters = {name.strip() for name in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")}
    if not wanted or "otlp" not in exporters:
        return
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get(
        "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

    exporter: SpanExporter | None = None
    if protocol == "grpc":
        with contextlib.suppress(ImportError):
            exporter = importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter").OTLPSpanExporter()
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter()
    if exporter is None:
        _log.warn_once("grpc", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs: pip install opentelemetry-exporter-otlp-proto-grpc")
        return
    provider.add_span_processor(BatchSpanProcessor(exporter))
