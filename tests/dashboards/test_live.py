"""What arrives while someone looks: by live events where they come, by asking again where they do not."""

import pytest
from playwright.sync_api import Page, expect

from tests.dashboards.samples import campaign, older, shapes_runs
from tests.dashboards.sender import send

pytestmark = pytest.mark.browser

ROWS = ".traces tbody tr"
LONGER_THAN_TWO_POLLS_MS = 7000


def test_lists_wait_for_events_and_ask_no_more_than_that(page: Page, collector: str) -> None:
    send(collector, older(2))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/v1/traces" in request.url else None)
    with page.expect_response("**/api/v1/live"):
        page.goto(f"{collector}/#/traces")
    expect(page.locator(ROWS)).to_have_count(2)
    page.wait_for_timeout(LONGER_THAN_TWO_POLLS_MS)
    before = len(asked)
    assert before <= 3
    send(collector, [campaign()])
    expect(page.locator(ROWS)).to_have_count(3)
    page.wait_for_timeout(LONGER_THAN_TWO_POLLS_MS)
    assert len(asked) <= before + 8


def test_without_a_stream_it_asks_again_and_again(page: Page, collector: str, complaints: list[str]) -> None:
    page.route("**/api/v1/live", lambda route: route.abort())
    page.goto(f"{collector}/#/traces")
    expect(page.get_by_role("heading", name="No traces yet")).to_be_visible()
    send(collector, [campaign()])
    expect(page.locator(ROWS)).to_have_count(1)
    complaints[:] = [line for line in complaints if "ERR_FAILED" not in line]


def test_a_score_from_elsewhere_appears_on_a_finished_trace(page: Page, collector: str) -> None:
    sample = shapes_runs()[0]
    send(collector, [sample])
    with page.expect_response("**/api/v1/live"):
        page.goto(f"{collector}/#/traces/{sample.trace.trace_id}")
    expect(page.locator(".waterfall").first).to_be_visible()
    score = [{"trace_id": sample.trace.trace_id, "name": "from elsewhere", "value": 0.25}]
    assert page.request.post(f"{collector}/api/v1/scores", data=score).ok
    page.get_by_role("tab", name="Scores").click()
    expect(page.get_by_text("from elsewhere").first).to_be_visible()


def test_blocks_are_read_whole(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/unknown")
    script = "async (text) => (await import('/static/lib/live.js')).readBlocks(text)"
    read = page.evaluate(script, 'retry: 2000\nid: a-1\n\n: here\n\nid: a-2\nevent: reset\ndata: {"event": "reset"}\n\nid: a')
    assert read == {"blocks": [{"id": "a-1"}, {}, {"id": "a-2", "data": '{"event": "reset"}'}], "rest": "id: a"}
