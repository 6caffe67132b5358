"""Other people's TracerProviders and exporters. The global provider can be set once a process, so most run a program."""

import json

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import lytrace
from lytrace import semconv
from lytrace.testing import capture
from tests.lytrace.collectors import serving
from tests.lytrace.support import decode_traces, read_spool, run

THEIRS = """
import json, sys
import lytrace
from PIL import Image
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

class Exporter(SpanExporter):
    spans = []
    def export(self, spans):
        Exporter.spans += [[span.name, {k: v for k, v in span.attributes.items()}] for span in spans]
        return SpanExportResult.SUCCESS

provider = TracerProvider(resource=Resource({"service.name": "theirs", "their.key": "x"}))
provider.add_span_processor(BatchSpanProcessor(Exporter(), schedule_delay_millis=600_000))

def generate():
    from lytrace.instrumentation import ChildSpan, Details, open_generation
    live = open_generation("generate_content m", {})
    live.enter()
    live.add_images(Image.new("RGB", (32, 32)), "output")
    live.set_content("lytrace.input", "secret")
    live.leave()
    steps = [ChildSpan("denoise_step", n + 1, n + 2) for n in range(50)]
    live.end(lambda: Details(children=[ChildSpan("denoise", 1, 99, children=steps)]))

def report():
    print(json.dumps(Exporter.spans))
"""
BEFORE = "trace.set_tracer_provider(provider)\nlytrace.init(instrument=[])\n"
AFTER = """
lytrace.init(instrument=[])
with lytrace.span("early"):
    pass
trace.set_tracer_provider(provider)
"""


def exported(done):
    return json.loads(done.stdout)


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "home" / "spool"


@pytest.mark.parametrize("order", [BEFORE, AFTER], ids=["before init", "after init"])
@pytest.mark.parametrize(
    "drain", ["provider.force_flush()", "provider.shutdown()", "trace.get_tracer_provider().force_flush(9000)"]
)
def test_their_flush_and_shutdown_drain_ours_first(tmp_path, spool, order, drain):
    done = run(
        tmp_path,
        THEIRS
        + order
        + f"""
with trace.get_tracer("x").start_as_current_span("theirs"):
    generate()
{drain}
assert trace.get_tracer_provider() is provider
report()
""",
    )
    spans = dict(exported(done))
    assert set(spans) == {"theirs", "generate_content m"}  # fifty steps stay out of their queue
    assert spans["generate_content m"][semconv.IMAGE_HASHES][0].startswith("px1:")
    assert "secret" not in done.stdout
    captured = read_spool(spool)
    assert {"theirs", "generate_content m", "denoise", "denoise_step"} <= {span.name for span in captured.spans}
    assert len([span for span in captured.spans if span.name == "denoise_step"]) == 50
    generation = captured.span("generate_content m")
    assert generation.attributes[semconv.INPUT] == "secret"
    assert generation.parent_id == captured.span("theirs").span_id
    denoise = captured.span("denoise")
    assert (denoise.parent_id, denoise.trace_id) == (generation.span_id, generation.trace_id)
    assert generation.resource["service.name"] == denoise.resource["service.name"] == "theirs"
    assert generation.resource["their.key"] == "x"


@pytest.mark.parametrize("order", [BEFORE, AFTER], ids=["before init", "after init"])
def test_at_exit_everything_reaches_their_exporter(tmp_path, order):
    done = run(
        tmp_path,
        """
import atexit
atexit.register(lambda: report())  # the first registered runs last
"""
        + THEIRS.replace("provider = TracerProvider(", "def make(): return TracerProvider(").replace(
            "provider.add_span_processor", "provider = make()\nprovider.add_span_processor"
        )
        + order
        + "generate()\n",
    )
    assert dict(exported(done))["generate_content m"][semconv.IMAGE_HASHES][0].startswith("px1:")


def test_a_provider_made_after_init_is_flushed_at_exit_too(tmp_path):
    code = THEIRS.replace("provider = TracerProvider", "lytrace.init(instrument=[])\nprovider = TracerProvider")
    done = run(
        tmp_path,
        "import atexit\natexit.register(lambda: report())\n" + code + "trace.set_tracer_provider(provider)\ngenerate()\n",
    )
    assert "generate_content m" in dict(exported(done))


def test_export_steps_opts_in(tmp_path):
    done = run(
        tmp_path,
        THEIRS + BEFORE + "generate()\nprovider.force_flush()\nreport()\n",
        LYTRACE_EXPORT_STEPS="true",
        LYTRACE_EXPORT_CONTENT="true",
    )
    names = [name for name, _ in exported(done)]
    assert names.count("denoise_step") == 50
    assert "secret" in done.stdout


def test_after_shutdown_their_methods_are_their_own(tmp_path):
    run(
        tmp_path,
        THEIRS
        + BEFORE
        + """
assert "force_flush" in vars(provider)
lytrace.shutdown()
assert "force_flush" not in vars(provider) and "shutdown" not in vars(provider)
with trace.get_tracer("x").start_as_current_span("after"):
    pass
lytrace.init(instrument=[])
with lytrace.span("again"):
    pass
lytrace.shutdown()
provider.force_flush()
assert [name for name, _ in Exporter.spans] == ["after", "again"], Exporter.spans
""",
    )


def test_init_sets_no_global_provider_unless_asked(tmp_path, spool):
    code = """
import lytrace
from opentelemetry import trace
before = trace.get_tracer_provider()
lytrace.init(instrument=[], set_global={})
with lytrace.span("s"), trace.get_tracer("x").start_as_current_span("theirs"):
    pass
print(trace.get_tracer_provider() is before)
"""
    assert run(tmp_path, code.format(False)).stdout == "True\n"
    assert [span.name for span in read_spool(spool).spans] == ["s"]
    assert run(tmp_path, code.format(True)).stdout == "False\n"
    assert "theirs" in {span.name for span in read_spool(spool).spans}


def test_a_span_is_recorded_once_when_two_threads_meet_a_new_provider(tmp_path, spool):
    run(
        tmp_path,
        """
import threading, lytrace
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
lytrace.init(instrument=[])
trace.set_tracer_provider(TracerProvider())
barrier = threading.Barrier(8)
def work():
    barrier.wait()
    with lytrace.span("s"):
        pass
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
    )
    assert len(read_spool(spool).spans) == 8


def test_someone_who_wrapped_after_us_is_left_alone():
    provider = TracerProvider(shutdown_on_exit=False)
    with capture() as captured:
        captured.runtime.providers._attach(provider)
        ours = provider.force_flush
        provider.force_flush = lambda timeout_millis=1: ours(timeout_millis)
        wrapped = provider.force_flush
    assert provider.force_flush is wrapped
    assert "shutdown" not in vars(provider)


def test_a_wrapper_of_before_us_comes_back():
    provider = TracerProvider(shutdown_on_exit=False)
    provider.force_flush = lambda timeout_millis=1: True
    before = provider.force_flush
    with capture() as captured:
        captured.runtime.providers._attach(provider)
        assert provider.force_flush is not before
    assert provider.force_flush is before


def test_a_span_that_only_records_for_others_is_not_ours():
    from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

    class RecordOnly(Sampler):
        def should_sample(self, *_, **__):
            return SamplingResult(Decision.RECORD_ONLY)

        def get_description(self):
            return "record only"

    with capture() as captured:
        provider = TracerProvider(sampler=RecordOnly(), shutdown_on_exit=False)
        provider.add_span_processor(captured.runtime.processor)
        with provider.get_tracer("x").start_as_current_span("theirs"):
            lytrace.attach(b"never looked at")
    assert captured.spans == []
    assert captured.artifacts == {}


# --- the environment -------------------------------------------------------------------------------------------------


def resource_of(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with capture(service_name=None) as captured, lytrace.span("s"):
        lytrace.score("a", 1.0)
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    from lytrace.spool import FrameKind

    logs = [ExportLogsServiceRequest.FromString(body) for kind, body in captured.frames if kind is FrameKind.LOGS]
    names = {
        pair.value.string_value for log in logs for pair in log.resource_logs[0].resource.attributes if pair.key == "service.name"
    }
    span = captured.span("s")
    assert names == {span.resource["service.name"]}  # heartbeats and scores come from the same service
    return span.resource


def test_otel_service_name(monkeypatch):
    assert resource_of(monkeypatch, OTEL_SERVICE_NAME="from otel")["service.name"] == "from otel"


def test_our_service_name_comes_first(monkeypatch):
    found = resource_of(monkeypatch, OTEL_SERVICE_NAME="from otel", LYTRACE_SERVICE_NAME="ours")
    assert found["service.name"] == "ours"


def test_otel_resource_attributes(monkeypatch):
    found = resource_of(monkeypatch, OTEL_RESOURCE_ATTRIBUTES="service.name=r,deployment.environment=staging")
    assert (found["service.name"], found["deployment.environment"]) == ("r", "staging")


def test_the_fingerprint(monkeypatch):
    found = resource_of(monkeypatch)
    assert found["service.name"] not in {"", "unknown_service"}
    assert found[semconv.VERSION]
    assert found[semconv.LIB_VERSION.format(library="torch")].startswith("2.")
    assert len(found[semconv.PROCESS_UUID]) == 32
    assert found["process.pid"] > 0


def otlp_spans(sink, path="/v1/traces"):
    return {
        span.name: {pair.key: pair.value for pair in span.attributes}
        for body in sink.bodies(path)
        for group in decode_traces(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    }


TRACED = """
import lytrace
from PIL import Image
lytrace.init("t", instrument=[])

@lytrace.trace(name="paint")
def paint(prompt):
    return Image.new("RGB", (32, 32))

paint("secret")
"""


@pytest.mark.parametrize(
    ("variables", "exported_content", "local_content"),
    [
        ({}, False, True),
        ({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}, True, True),
        ({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY"}, True, True),
        ({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "false"}, False, False),
        ({"LYTRACE_EXPORT_CONTENT": "1"}, True, True),
        ({"LYTRACE_CAPTURE": "false"}, False, False),
    ],
)
def test_the_standard_exporter_gets_spans_with_hashes_and_content_only_if_asked(
    tmp_path, spool, variables, exported_content, local_content
):
    with serving() as sink:
        run(tmp_path, TRACED, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url, **variables)
    spans = otlp_spans(sink)
    assert set(spans) == {"paint"}
    assert spans["paint"][semconv.IMAGE_HASHES].array_value.values[0].string_value.startswith("px1:")
    assert (semconv.INPUT in spans["paint"]) is exported_content
    assert any(b"secret" in body for _, _, body in sink.requests) is exported_content
    assert (semconv.INPUT in read_spool(spool).span("paint").attributes) is local_content


def test_the_form_for_traces_alone(tmp_path):
    with serving() as sink:
        run(tmp_path, TRACED, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{sink.url}/custom", OTEL_EXPORTER_OTLP_HEADERS="x-key=1")
    assert set(otlp_spans(sink, "/custom")) == {"paint"}
    assert {headers.get("x-key") for headers in sink.headers} == {"1"}


def test_traces_exporter_none_wins(tmp_path):
    with serving() as sink:
        run(tmp_path, TRACED, OTEL_EXPORTER_OTLP_ENDPOINT=sink.url, OTEL_TRACES_EXPORTER="none")
    assert sink.requests == []


def test_grpc_without_its_package_is_one_sentence(tmp_path, spool):
    hidden = "import sys\nsys.modules['opentelemetry.exporter.otlp.proto.grpc'] = None\n"
    done = run(tmp_path, hidden + TRACED, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert done.stderr == "OTEL_EXPORTER_OTLP_PROTOCOL=grpc needs: pip install opentelemetry-exporter-otlp-proto-grpc\n"
    assert read_spool(spool).span("paint")


def test_our_exporter_is_not_put_on_their_provider(tmp_path):
    with serving() as sink:
        run(tmp_path, THEIRS + BEFORE + "generate()\n", OTEL_EXPORTER_OTLP_ENDPOINT=sink.url)
    assert sink.requests == []


def test_a_simple_processor_of_theirs_sees_attributes_set_before_the_end():
    exporter = InMemorySpanExporter()
    with capture() as captured:
        provider = TracerProvider(resource=Resource({"service.name": "theirs"}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        captured.runtime.providers._attach(provider)
        with lytrace.session("s"), provider.get_tracer("x").start_as_current_span("theirs"):
            pass
    (span,) = exporter.get_finished_spans()
    assert span.attributes["session.id"] == "s"
