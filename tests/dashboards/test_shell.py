"""What surrounds every page: connection, token, theme, narrow screens."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lytrace_collector.access import TokenFile, TokenKind
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.dashboards.samples import campaign, failing, hostile, long_batch
from tests.dashboards.sender import send
from tests.dashboards.waiting import wait_until

pytestmark = pytest.mark.browser

TOKEN = "s3cret-token"


def test_an_empty_collector_says_how_to_send(page: Page, collector: str) -> None:
    page.goto(collector)
    expect(page.get_by_text("lytrace.init()")).to_be_visible()
    expect(page.get_by_text("lytrace up")).to_be_visible()


def test_a_collector_that_went_away_is_told_and_found_again(page: Page, tmp_path: Path, complaints: list[str]) -> None:
    with running(CollectorSettings(home=tmp_path, port=0, token=None)) as url:
        send(url, [campaign()])
        page.goto(url)
        expect(page.locator(".card")).to_have_count(4)
    banner = page.get_by_text("The collector cannot be reached.")
    expect(banner).to_be_visible()
    expect(page.locator(".card")).to_have_count(4)
    with running(CollectorSettings(home=tmp_path, port=int(url.rsplit(":", 1)[1]), token=None)):
        page.get_by_role("button", name="Retry now").click()
        expect(banner).to_be_hidden()
        page.close()
    complaints.clear()


def test_a_token_is_asked_for_and_shows_the_images(page: Page, tmp_path: Path, complaints: list[str]) -> None:
    with running(CollectorSettings(home=tmp_path, port=0, token=TOKEN)) as url:
        send(url, [campaign()], token=TOKEN)
        page.goto(url)
        page.get_by_label("Token", exact=True).fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("That token was not accepted.")).to_be_visible()
        page.get_by_label("Token", exact=True).fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".card")).to_have_count(4)
        wait_until(page, "[...document.querySelectorAll('.card img')].every(image => image.naturalWidth > 0)")
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert kept == '[{"lytrace.signed-in":"yes"},{},""]'
        (cookie,) = page.context.cookies()
        assert TOKEN not in cookie["value"]
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        page.reload()
        expect(page.locator(".card")).to_have_count(4)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token", exact=True)).to_be_visible()
        assert page.context.cookies() == []
        page.context.add_cookies([cookie])  # one that was taken along is worth nothing any more
        page.reload()
        expect(page.get_by_label("Token", exact=True)).to_be_visible()
        page.close()
    complaints.clear()


def test_a_token_that_only_sends_does_not_open_the_dashboard(page: Page, tmp_path: Path, complaints: list[str]) -> None:
    settings = CollectorSettings(home=tmp_path, port=0, token=None)
    _, token = TokenFile(settings.tokens_path).add(TokenKind.INGEST)
    with running(settings) as url:
        page.goto(url)
        page.get_by_label("Token", exact=True).fill(token)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("this token is for sending only")).to_be_visible()
        page.close()
    complaints.clear()


def test_the_theme_is_chosen_and_kept(page: Page, collector: str) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(collector)
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    toggle = page.get_by_role("button", name="Theme:")
    toggle.click()
    toggle.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    wait_until(page, f"getComputedStyle(document.documentElement).backgroundColor !== '{light}'")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("width", [400, 760, 1080])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways(browser: Browser, studio: str, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
    page = context.new_page()
    traces = [f"#/traces/{sample.trace.trace_id}" for sample in (campaign(), hostile(), failing(), long_batch())]
    for address in ("#/images", "#/traces", *traces):
        page.goto(f"{studio}/{address}")
        expect(page.locator(".card, .traces tbody tr, .waterfall .row").first).to_be_visible()
        for tab in page.get_by_role("tab").all():
            tab.click()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (address, tab.inner_text())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    context.close()
