"""Live events: read, resumed after what was read last, and ended where there is nothing to resume.

The server here is a stand-in that breaks connections where a test tells it to; the collector's own feed is tested with it below.
"""

import asyncio
import contextlib
import itertools
import json

import pytest

import lytrace
from tests.lytrace.collectors import Recorder, serving

TRACE = {"trace_id": "0" * 31 + "1", "name": "t", "state": "running", "start_time_unix_nano": "5", "duration_ns": 7}
SSE = {"content-type": "text/event-stream"}
LOST = None


def event(number, name="trace.progressed", **data):
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data or {'trace': TRACE})}\n\n"


class Feeding(Recorder):
    """Gives the connections of a list in turn, each a text of events or an answer of its own."""

    def __init__(self, *connections):
        super().__init__()
        self.connections = list(connections)

    def answer(self, method, path, body):
        connection = self.connections.pop(0) if self.connections else LOST
        return (200, SSE, connection.encode()) if isinstance(connection, str) else connection

    @property
    def resumed_from(self):
        return [{name.lower(): value for name, value in headers.items()}.get("last-event-id") for headers in self.headers]


@pytest.fixture(params=["blocking", "asynchronous"])
def first(request):
    """The first so many events, by a client of either kind."""

    def blocking(url, count, **options):
        with lytrace.Client(url) as client:
            return list(itertools.islice(client.live(**options), count))

    def asynchronous(url, count, **options):
        async def read():
            async with lytrace.AsyncClient(url) as client, contextlib.aclosing(client.live(**options)) as events:
                return [await anext(events) for _ in range(count)]

        return asyncio.run(read())

    return blocking if request.param == "blocking" else asynchronous


def test_events_are_read_and_resumed(first):
    pings = ": still here\n\n"
    with serving(Feeding("id: 0\n\n", pings + event(1) + event(2), LOST, (503, {}, b""), event(3) + pings)) as server:
        found = first(server.url, 3)
    assert [one.id for one in found] == ["1", "2", "3"]
    assert found[0].trace.name == "t"
    assert server.resumed_from == [None, "0", "2", "2", "2"]


def test_it_can_begin_after_an_event_read_before(first):
    with serving(Feeding(event(8, "reset", x=1))) as server:
        assert first(server.url, 1, q="model:flux*", last_event_id="7")[0].event == "reset"
    assert server.resumed_from == ["7"]
    assert server.paths() == ["/api/v1/live?q=model%3Aflux%2A"]


@pytest.mark.parametrize(
    ("connections", "reason"),
    [
        ([(401, {}, b"")], "HTTP 401"),
        ([(503, {}, b"")], "HTTP 503"),
        ([LOST], "no collector answers"),
        ([(200, {"content-type": "text/html"}, b"<html>")], "no stream of events"),
        (["id: 1\nevent: trace.ended\ndata: nonsense\n\n"], "none of lytrace's"),
        ([event(1), (400, {}, b"")], "HTTP 400"),
    ],
)
def test_what_cannot_go_on_is_an_error(first, connections, reason):
    with serving(Feeding(*connections)) as server, pytest.raises(lytrace.CollectorError, match=reason):
        first(server.url, 2)
