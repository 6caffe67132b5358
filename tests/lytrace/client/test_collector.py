"""Both clients against a real collector: what is asked, found, taken elsewhere and brought back."""

import asyncio
import io
import itertools
import json
import threading

import pytest

import lytrace
from tests.collector.support import Api, generation, make_span, new_trace_id, png

httpx = pytest.importorskip("httpx")
collector_settings = pytest.importorskip("lytrace_collector.settings", reason="the collector's parts are not installed")
collector_server = pytest.importorskip("lytrace_collector.server", reason="the collector's parts are not installed")


@pytest.fixture
def url(tmp_path):
    """A collector with a generation of one image in a trace, and a trace that failed."""
    settings = collector_settings.CollectorSettings(home=tmp_path / "home", port=0, token=None, grpc=False)
    with collector_server.running(settings) as url, httpx.Client(base_url=url) as http:
        api, trace_id = Api(http), new_trace_id()
        root = make_span(trace_id, "poster", lasts_ns=10**9)
        api.send(root, generation(trace_id, [api.put(png())], parent_span_id=root.span_id))
        failed = make_span(new_trace_id(), "failed", after_ns=10**9)
        failed.status.code = 2
        api.send(failed)
        yield url


@pytest.fixture(params=["blocking", "asynchronous"])
def ask(request, url):
    """Calls a method of a client of either kind; what it answers in parts is a list."""

    def blocking(name, *arguments, **named):
        with lytrace.Client(url) as client:
            answer = getattr(client, name)(*arguments, **named)
            return list(answer) if hasattr(answer, "__next__") else answer

    def asynchronous(name, *arguments, **named):
        async def call():
            async with lytrace.AsyncClient(url) as client:
                answer = getattr(client, name)(*arguments, **named)
                return [part async for part in answer] if hasattr(answer, "__anext__") else await answer

        return asyncio.run(call())

    return blocking if request.param == "blocking" else asynchronous


def test_the_query_language(ask):
    assert [trace.name for trace in ask("traces", "duration:>0.5s")] == ["poster"]
    assert [trace.name for trace in ask("traces", sort="duration")] == ["failed", "poster"]
    assert [image.model for image in ask("images", "model:shapes")] == ["shapes"]
    trace = ask("trace_summary", ask("traces", "status:error")[0].trace_id[:16])
    assert (trace.name, trace.state) == ("failed", "error")
    assert [span.name for span in ask("spans", trace.trace_id)] == ["failed"]
    assert "duration" in {field.name for field in ask("fields")}
    with pytest.raises(lytrace.CollectorError) as raised:
        ask("traces", "modle:shapes")
    assert (raised.value.code, raised.value.details["position"]) == ("bad_query", 0)


def test_completion_and_facets(ask):
    completion = ask("complete", "model:sh")
    assert "shapes" in {suggestion.text for suggestion in completion.suggestions}
    assert completion.end == len("model:sh")
    facets = ask("facets", "model:shapes", fields=["model", "status"])
    assert facets.total == 1
    model = facets.facets[0]
    assert (model.field, model.values[0].value, model.values[0].count) == ("model", "shapes", 1)


def test_series(ask):
    series = ask("series", "calls", since=1_699_999_200_000_000_000, until=1_700_100_000_000_000_000)
    assert sum(point.value for line in series.lines for point in line.points) == 1


def test_find_by_a_picture(ask):
    found = ask("find_image", png(), limit=5)
    assert found.matches[0].kind == "bytes"
    assert ask("find_image", artifact_id=found.asked.artifact_id).matches[0].image.model == "shapes"


@pytest.mark.parametrize("file_format", ["otlp", "zip"])
def test_out_and_in_again(ask, tmp_path, file_format):
    path = tmp_path / f"all.{file_format}"
    path.write_bytes(b"".join(ask("export", file_format)))
    for file in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        report = ask("import_traces", file)
        assert (report.new_spans, report.known_spans) == (0, 3)
    (trace,) = ask("traces", "poster")
    ask("delete_trace", trace.trace_id)
    assert ask("import_traces", path).new_spans == 0
    assert ask("import_traces", path, restore=True).new_spans == 2


def test_one_trace_and_rows(ask):
    (trace,) = ask("traces", "poster")
    assert json.loads(b"".join(ask("export_trace", trace.trace_id)))["resourceSpans"]
    rows = [json.loads(line) for line in b"".join(ask("export", "jsonl", of="images")).splitlines()]
    assert [row["model"] for row in rows] == ["shapes"]
    with pytest.raises(lytrace.CollectorError) as raised:
        ask("export_trace", "f" * 32)
    assert raised.value.status == 404


def test_nothing_is_forwarded(ask):
    assert ask("forward") == []


def test_live_events(url):
    """The collector's own feed: a trace that starts and ends while somebody listens."""
    with lytrace.Client(url) as client, httpx.Client(base_url=url) as http:
        events = client.live()
        first = threading.Timer(0.5, lambda: Api(http).send(make_span(new_trace_id(), "now")))
        first.start()
        seen = list(itertools.islice(events, 2))
        events.close()
        first.join()
    assert [event.event for event in seen] == ["trace.started", "trace.ended"]
    assert seen[0].trace.name == "now"
    assert seen[0].id
