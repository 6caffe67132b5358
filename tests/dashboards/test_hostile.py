"""Text from a span is data: whatever it looks like, it neither runs nor becomes a link."""

import pytest
from playwright.sync_api import Page, expect

from tests.dashboards.samples import HOSTILE, hostile, odd
from tests.dashboards.sender import send

pytestmark = pytest.mark.browser

FOREIGN_MARKUP = "document.querySelectorAll('#app script, #app iframe, #app object, #app img[onerror], #app [src=x]').length"
LINKS = "[...document.querySelectorAll('[href], [src], [action], [formaction]')].map(one => one.href || one.src || one.action)"


def assert_inert(page: Page, url: str) -> None:
    assert page.evaluate("window.pwned") is None
    assert page.evaluate(FOREIGN_MARKUP) == 0
    own = (url, "blob:", "about:blank")
    assert [link for link in page.evaluate(LINKS) if link and not str(link).startswith(own)] == []


@pytest.fixture
def hostile_studio(collector: str) -> str:
    send(collector, [hostile()])
    return collector


def test_gallery(page: Page, hostile_studio: str) -> None:
    page.goto(hostile_studio)
    expect(page.locator(".card")).to_contain_text(HOSTILE[0])
    page.locator(".tile").click()
    expect(page.get_by_role("dialog", name="Image")).to_contain_text(HOSTILE[3])
    assert_inert(page, hostile_studio)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="By prompt").click()
    expect(page.locator(".prompt-row")).to_contain_text(HOSTILE[0])
    assert_inert(page, hostile_studio)


def test_traces(page: Page, hostile_studio: str) -> None:
    page.goto(f"{hostile_studio}/#/traces")
    expect(page.locator(".traces")).to_contain_text(HOSTILE[2])
    assert_inert(page, hostile_studio)


def test_trace(page: Page, hostile_studio: str) -> None:
    page.goto(f"{hostile_studio}/#/traces/{hostile().trace.trace_id}")
    expect(page.locator(".trace-header")).to_contain_text(HOSTILE[0])
    for row in page.locator(".waterfall .row[data-span]").all():
        row.click()
    page.locator(".waterfall .row").first.click()
    panel = page.locator(".inspector")
    expect(panel).to_contain_text("data:text/html,<script>")
    expect(panel.locator(".exception")).to_contain_text(HOSTILE[0])
    for fold in ("Environment", "Instrumentation scope"):
        panel.get_by_text(fold).click()
    assert_inert(page, hostile_studio)
    page.get_by_role("tab", name="Scores").click()
    expect(panel).to_contain_text(HOSTILE[1])
    assert_inert(page, hostile_studio)


def test_copied_python_holds_no_code_of_the_span(page: Page, hostile_studio: str, context) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{hostile_studio}/#/traces/{hostile().trace.trace_id}")
    page.get_by_role("tab", name="Parameters").click()
    page.get_by_role("button", name="Copy as Python").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    code = page.evaluate("navigator.clipboard.readText()")
    scope: dict = {}
    exec(compile(code, "copied", "exec"), {"__builtins__": {"dict": dict}}, scope)
    assert scope["parameters"]["prompt"] == HOSTILE[0]


@pytest.mark.parametrize(
    "address", ["#/traces/javascript:alert(1)", "#/traces/../../x", "#/<img src=x onerror=alert(1)>", "#/%00"]
)
def test_addresses(page: Page, hostile_studio: str, address: str) -> None:
    page.goto(f"{hostile_studio}/{address}")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert_inert(page, hostile_studio)


def test_wrong_types_break_nothing(page: Page, collector: str) -> None:
    send(collector, [odd()])
    page.goto(collector)
    expect(page.locator(".card")).to_have_count(1)
    page.goto(f"{collector}/#/traces")
    expect(page.locator(".traces")).to_contain_text("generate_content")
    page.goto(f"{collector}/#/traces/{odd().trace.trace_id}")
    panel = page.locator(".inspector")
    expect(panel).to_contain_text("plain")
    expect(panel).to_contain_text("no fog")
    expect(page.locator(".step-plot svg")).to_be_visible()
    for row in page.locator(".waterfall .row").all():
        row.click()
        expect(panel.locator(".stack")).to_be_visible()
    expect(page.get_by_text("could not be drawn")).to_have_count(0)
