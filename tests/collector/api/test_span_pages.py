"""Long traces come in pages, by the start of their spans."""

from lytrace import Client
from tests.collector.support import Api, make_span, new_trace_id


def ids(spans):
    return [span["span_id"] for span in spans]


def test_pages_hold_every_span_once_in_order(api: Api):
    trace_id = new_trace_id()
    sent = [make_span(trace_id, after_ns=number % 7, span_id=number.to_bytes(8, "big")) for number in range(1, 26)]
    api.send(*sent)
    whole = api.detail(trace_id)
    assert (len(whole["spans"]), whole["next_cursor"]) == (25, None)
    first = api.get(f"/api/v1/traces/{trace_id.hex()}", limit=10)
    found, cursor = first["spans"], first["next_cursor"]
    while cursor:
        page = api.get(f"/api/v1/traces/{trace_id.hex()}/spans", limit=10, cursor=cursor)
        assert len(page["spans"]) <= 10
        found, cursor = found + page["spans"], page["next_cursor"]
    assert ids(found) == ids(whole["spans"])
    assert found == whole["spans"]


def test_a_cursor_is_of_one_trace(api: Api):
    one, other = new_trace_id(), new_trace_id()
    for trace_id in (one, other):
        api.send(make_span(trace_id), make_span(trace_id))
    cursor = api.get(f"/api/v1/traces/{one.hex()}", limit=1)["next_cursor"]
    answer = api.http.get(f"/api/v1/traces/{other.hex()}/spans", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_cursor")


def test_no_such_trace(shared: Api):
    assert shared.http.get(f"/api/v1/traces/{'0' * 31}1/spans").status_code == 404


def test_the_client_reads_all_pages(api: Api):
    trace_id = new_trace_id()
    for start in range(0, 2500, 500):
        api.send(*(make_span(trace_id, after_ns=start + number) for number in range(500)))
    with Client(str(api.http.base_url)) as client:
        detail = client.trace(trace_id.hex())
        assert len({span.span_id for span in detail.spans}) == 2500
        assert client.series("calls", of="trace", since=0, until=1).lines == []
