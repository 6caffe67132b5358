"""The table of traces."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.dashboards.samples import campaign, recovered
from tests.dashboards.sender import lossy_programs, report_losses, send

pytestmark = pytest.mark.browser


def row(page: Page, name: str):
    return page.locator(".traces tbody tr", has=page.get_by_role("link", name=name, exact=True))


def test_every_state_is_told_by_word_and_icon(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/traces")
    for name, state in (("render_campaign", "OK"), ("nightly_batch", "Lost"), ("render_poster", "Error")):
        expect(row(page, name).locator(".state", has_text=state)).to_be_visible()
        expect(row(page, name).locator(".state svg").first).to_be_visible()
    expect(page.locator(".state.running")).to_contain_text("17/30")


def test_a_row_shows_what_the_trace_made(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/traces")
    made = row(page, "render_campaign")
    expect(made).to_contain_text("a quiet fjord at first light")
    expect(made).to_contain_text("stable-diffusion-xl-base-1.0")
    expect(made).to_contain_text("10.0 GiB")
    expect(made.locator(".thumb")).to_have_count(3)
    expect(made).to_contain_text("+1")


def test_scores_of_many_images_are_told_together(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/traces?q=fjord")
    chips = row(page, "render_campaign").locator(".chip")
    expect(chips.filter(has_text="aesthetic")).to_have_text("aesthetic0.77×4")
    expect(chips.filter(has_text="prompt_match")).to_have_text("prompt_match3/4")


def test_failures_say_why(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/traces?state=error")
    expect(row(page, "render_poster")).to_contain_text("CUDA out of memory")


def test_a_trace_that_ended_well_says_what_failed_within_it(page: Page, collector: str) -> None:
    send(collector, [recovered(), campaign()])
    page.goto(f"{collector}/#/traces")
    expect(row(page, "draw_with_retry").locator(".state")).to_have_text(re.compile(r"^OK\s*\d errors?$"))
    expect(row(page, "render_campaign").locator(".state")).to_have_text("OK")
    row(page, "draw_with_retry").get_by_role("link").click()
    expect(page.get_by_text(re.compile("The trace ended well, but .* within it failed: .*out of memory"))).to_be_visible()
    page.get_by_role("button", name="Show the failed span").click()
    expect(page.locator(".row.selected")).to_contain_text("denoise")


@pytest.mark.parametrize(("state", "count"), [("Running", 1), ("Error", 2), ("Lost", 1)])
def test_states_filter(page: Page, studio: str, state: str, count: int) -> None:
    page.goto(f"{studio}/#/traces")
    page.get_by_role("button", name=state, exact=True).click()
    expect(page.locator(".traces tbody tr")).to_have_count(count)
    expect(page).to_have_url(re.compile(f"state={state.lower()}"))


def test_a_click_on_the_row_opens_the_trace(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/traces?q=fjord")
    row(page, "render_campaign").locator(".col-duration").click()
    expect(page.get_by_role("heading", name="render_campaign")).to_be_visible()


def test_keys_lead_from_page_to_page(page: Page, studio: str) -> None:
    page.goto(studio)
    expect(page.locator(".card").first).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("t")
    expect(page).to_have_title("Traces · lytrace")
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page).to_have_title("Images · lytrace")


def test_losses_are_told_until_they_are_dismissed_and_again_when_they_grow(page: Page, collector: str) -> None:
    losses = lossy_programs()
    report_losses(collector, losses)
    page.goto(f"{collector}/#/traces")
    banner = page.get_by_text("2 programs could not record everything")
    expect(banner).to_contain_text("41 spans dropped, 3 images dropped, 12,840 spans not sampled")
    banner.click()
    expect(page.locator(".dropped li").first).to_be_visible()
    page.get_by_role("button", name="Hide until it changes").click()
    expect(banner).to_be_hidden()
    page.reload()
    expect(page.get_by_role("heading", name="No traces yet")).to_be_visible()
    expect(banner).to_be_hidden()
    losses[0].dropped_images += 1
    losses[0].last_seen_unix_nano += 1_000_000_000
    report_losses(collector, losses)
    page.reload()
    expect(banner).to_contain_text("4 images dropped")


def test_a_star_is_kept(page: Page, collector: str) -> None:
    sample = campaign()
    sample.trace.starred = False
    send(collector, [sample])
    page.goto(f"{collector}/#/traces")
    page.get_by_role("button", name="Star", exact=True).click()
    expect(page.get_by_role("button", name="Remove the star")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Remove the star")).to_be_visible()
