"""The gallery, as someone who looks for an image uses it."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from lytrace import semconv
from tests.collector.support import Api, generation, new_trace_id, png
from tests.dashboards.samples import campaign, older, shapes_runs
from tests.dashboards.sender import send
from tests.dashboards.waiting import wait_until

pytestmark = pytest.mark.browser

LOADED = "image => image.complete && image.naturalWidth > 0"


def test_images_appear_with_what_made_them(page: Page, studio: str) -> None:
    page.goto(studio)
    card = page.locator(".card", has_text="seed 101")
    expect(card).to_contain_text("a quiet fjord at first light")
    expect(card).to_contain_text("30 steps")
    expect(card).to_contain_text("stable-diffusion-xl-base-1.0 · EulerDiscrete")
    expect(card.locator(".chip").first).to_have_text("aesthetic0.83")
    wait_until(page, f"[...document.querySelectorAll('.card img')].slice(0, 6).every({LOADED})")


def test_more_images_load_while_scrolling(page: Page, studio: str) -> None:
    page.goto(studio)
    expect(page.locator(".card").nth(59)).to_be_attached()
    page.locator(".load-more").scroll_into_view_if_needed()
    expect(page.locator(".card").nth(75)).to_be_attached()


def test_search_narrows_the_images_and_is_in_the_address(page: Page, studio: str) -> None:
    page.goto(studio)
    page.keyboard.press("/")
    page.keyboard.type("foxglove")
    expect(page.locator(".card")).to_have_count(1)
    expect(page).to_have_url(re.compile("q=foxglove"))
    page.keyboard.press("Escape")
    expect(page.locator(".card").nth(20)).to_be_attached()


def test_a_filter_that_cannot_be_read_is_shown_with_its_place(page: Page, studio: str, complaints: list[str]) -> None:
    page.goto(studio)
    page.keyboard.press("/")
    page.keyboard.type("fjord \U0001f6b2 modle:flux*")
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("did you mean model?")
    expect(notice.locator("mark")).to_have_text("modle")
    field = page.get_by_role("combobox")
    expect(field).to_have_attribute("aria-invalid", "true")
    complaints.clear()
    field.fill("fjord model:stable*")
    expect(notice).to_have_count(0)
    expect(page.locator(".card").first).to_contain_text("a quiet fjord")
    expect(field).to_have_attribute("aria-invalid", "false")
    complaints.clear()


def test_a_search_that_did_not_look_at_everything_says_so(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/traces?q=diffusion.guidance_scale:>100")
    expect(page.get_by_role("status").filter(has_text="has no index")).to_contain_text("Only what began since")


def test_nothing_found_says_so(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/images?q=zeppelin")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.get_by_role("button", name="Clear the search").click()
    expect(page.locator(".card").first).to_be_visible()


def test_images_of_a_prompt_stand_in_one_row(page: Page, studio: str) -> None:
    page.goto(studio)
    page.get_by_role("button", name="By prompt").click()
    row = page.locator(".prompt-row", has_text="a quiet fjord at first light")
    expect(row.locator(".tile")).to_have_count(4)
    expect(row).to_contain_text("4 images · 4 seeds")
    expect(row.locator("li .facts").first).to_have_text("seed 101")


def test_lightbox_walks_by_arrow_keys_and_closes_by_escape(page: Page, studio: str) -> None:
    page.goto(studio)
    page.get_by_role("button", name=re.compile("fjord.*seed 103")).click()
    lightbox = page.get_by_role("dialog", name="Image")
    expect(lightbox).to_contain_text("people, boats, text, watermark, frame")
    expect(lightbox.get_by_role("button", name="Copy seed")).to_have_text("103")
    page.keyboard.press("ArrowRight")
    expect(lightbox.get_by_role("button", name="Copy seed")).to_have_text("102")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(lightbox.get_by_role("button", name="Copy seed")).to_have_text("104")
    page.keyboard.press("Escape")
    expect(lightbox).to_be_hidden()


def test_small_images_grow_by_whole_pixels(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/images?q=goldenrod")
    page.locator(".tile").first.click()
    picture = page.locator(".lightbox .frame img")
    expect(picture).to_have_css("image-rendering", "pixelated")
    expect(page.locator(".lightbox footer")).to_contain_text(re.compile(r"64 × 64 at \d+×"))
    assert picture.evaluate("image => image.getBoundingClientRect().width % 64") == 0


def test_lightbox_leads_to_the_trace(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/images?q=fjord")
    page.locator(".tile").first.click()
    page.get_by_role("link", name="Open trace render_campaign").click()
    expect(page.get_by_role("heading", name="render_campaign")).to_be_visible()


def test_new_images_appear_by_themselves(page: Page, collector: str) -> None:
    page.goto(collector)
    expect(page.get_by_role("heading", name="No images yet")).to_be_visible()
    send(collector, [campaign()])
    expect(page.locator(".card")).to_have_count(4)


def test_new_images_wait_while_the_reader_has_scrolled(page: Page, collector: str) -> None:
    send(collector, older(30))
    page.goto(collector)
    expect(page.locator(".card")).to_have_count(30)
    page.mouse.wheel(0, 900)
    wait_until(page, "scrollY > 300")
    before = page.evaluate("scrollY")
    send(collector, shapes_runs()[:1])
    pill = page.get_by_role("button", name="3 new images")
    expect(pill).to_be_visible()
    assert page.evaluate("scrollY") == before
    expect(page.locator(".card")).to_have_count(30)
    pill.click()
    expect(page.locator(".card")).to_have_count(33)
    expect(page.locator(".card").first).to_contain_text("a red circle")


def test_a_picture_of_one_colour_says_why_on_its_card(page: Page, collector: str) -> None:
    with httpx.Client(base_url=collector) as http:
        api = Api(http)
        told = {
            semconv.IMAGE_PHASHES: ["0" * 16, "0" * 16, "f256b05ca368edd0"],
            semconv.IMAGE_UNIFORM_COLORS: ["#000000", "#000000", ""],
            semconv.IMAGE_UNIFORM_CAUSES: [semconv.CAUSE_SAFETY_CHECKER, "", ""],
            semconv.DIFFUSION_SEEDS: [1, 2, 3],
        }
        pictures = [png(64, 64, "black"), png(65, 65, "black"), png(64, 64, "blue")]
        api.send(generation(new_trace_id(), [api.put(picture) for picture in pictures], attributes=told))
    page.goto(collector)
    for place in (".card", ".prompt-row li"):
        badge = page.locator(place, has_text="seed 1").locator(".badge.uniform")
        expect(badge).to_have_text("Blocked")
        expect(badge).to_have_attribute("title", re.compile("safety checker"))
        expect(page.locator(place, has_text="seed 2").locator(".badge.uniform")).to_have_text("Black")
        expect(page.locator(place, has_text="seed 3")).to_be_visible()
        expect(page.locator(".badge.uniform")).to_have_count(2)
        page.get_by_role("button", name="By prompt").click()
    page.locator(".tile").first.click()
    expect(page.locator(".facts-panel").get_by_text("Every pixel is #000000.")).to_be_visible()


@pytest.mark.parametrize("address", ["images", "traces"])
def test_the_search_box_shows_a_filter_that_works(page: Page, studio: str, address: str) -> None:
    page.goto(f"{studio}/#/{address}")
    field = page.get_by_role("combobox", name="Search prompts")
    example = (field.get_attribute("placeholder") or "").removeprefix("Words, or ")
    field.fill(example)
    field.press("Enter")
    expect(page).to_have_url(re.compile("q=.*duration"))
    expect(page.locator(".card, .row, .empty").first).to_be_visible()
    expect(field).to_have_attribute("aria-invalid", "false")
