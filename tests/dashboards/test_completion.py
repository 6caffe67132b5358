"""The search box offers what it can go on with: by keyboard, by mouse, and to those who hear the page."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def box(page: Page, studio: str):
    page.goto(f"{studio}/#/traces")
    box = page.get_by_role("combobox")
    expect(box).to_have_attribute("aria-expanded", "false")
    return box


def options(page: Page):
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def test_a_filter_by_keyboard_alone(page: Page, box) -> None:
    page.keyboard.press("/")
    page.keyboard.type("stat")
    expect(options(page).first).to_contain_text("status:")
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    chosen = options(page).first
    expect(chosen).to_have_attribute("aria-selected", "true")
    assert box.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    page.keyboard.press("Enter")
    expect(box).to_have_value("status:")
    expect(options(page)).to_have_count(4)
    page.keyboard.type("err")
    expect(options(page)).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(box).to_have_value("status:error")
    expect(box).to_be_focused()
    expect(options(page)).to_have_count(0)
    expect(page).to_have_url(re.compile("status%3Aerror"))
    expect(page.locator(".traces tbody tr")).to_have_count(2)


def test_values_by_mouse_with_their_counts(page: Page, box) -> None:
    box.press_sequentially("model:stab")
    option = options(page).filter(has_text="stable-diffusion-xl-base-1.0")
    expect(option.locator(".count")).to_have_text(re.compile(r"\d+"))
    option.click()
    expect(box).to_have_value(re.compile(r'^model:"?[^ ]*stable-diffusion-xl-base-1.0"?$'))
    expect(page.locator(".traces tbody tr", has_text="render_campaign")).to_be_visible()


def test_in_the_middle_only_that_word_is_replaced(page: Page, box) -> None:
    box.fill("🎨 pro AND status:ok")
    expect(options(page)).to_have_text(re.compile("ok"))
    box.press("Escape")
    box.evaluate("box => box.setSelectionRange(6, 6)")
    box.press("ArrowDown")
    expect(options(page).first).to_be_visible()
    options(page).filter(has_text="provider:").click()
    expect(box).to_have_value("🎨 provider: AND status:ok")
    assert box.evaluate("box => box.selectionStart") == len("🎨 provider:") + 1


def test_escape_closes_the_offers_first_and_then_clears(page: Page, box) -> None:
    box.press_sequentially("mod")
    expect(options(page).first).to_be_visible()
    page.keyboard.press("Escape")
    expect(options(page)).to_have_count(0)
    expect(box).to_have_value("mod")
    page.keyboard.press("Escape")
    expect(box).to_have_value("")


def test_enter_without_a_choice_searches_what_was_typed(page: Page, box) -> None:
    box.press_sequentially("fjord mod")
    expect(options(page).first).to_be_visible()
    page.keyboard.press("Enter")
    expect(options(page)).to_have_count(0)
    expect(page).to_have_url(re.compile("q=fjord"))


def test_arrows_go_round_past_what_was_typed(page: Page, box) -> None:
    box.press_sequentially("status:")
    expect(options(page)).to_have_count(4)
    page.keyboard.press("ArrowUp")
    expect(options(page).last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[aria-selected=true]")).to_have_count(0)
    box.blur()
    expect(options(page)).to_have_count(0)


def test_a_half_typed_value_is_not_searched(page: Page, box, complaints: list[str]) -> None:
    box.press_sequentially("status:er")
    expect(options(page)).to_have_count(1)
    page.wait_for_timeout(600)
    assert "status" not in page.url
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("status%3Aer"))
    expect(page.locator(".query-place mark")).to_be_visible()
    complaints[:] = [line for line in complaints if "400" not in line]


def test_an_answer_that_is_late_is_waited_for(page: Page, box) -> None:
    def late(route: Route) -> None:
        page.wait_for_timeout(700)
        route.continue_()

    page.route("**/api/v1/complete*", late)
    box.fill("status:er")
    expect(options(page)).to_have_count(1)
    page.wait_for_timeout(400)
    assert "status" not in page.url


def test_without_an_answer_the_search_goes_on(page: Page, box) -> None:
    page.route("**/api/v1/complete*", lambda _: None)  # it never comes
    box.fill("fjord mod")
    expect(page).to_have_url(re.compile("q=fjord"))


def test_what_was_typed_after_the_question_is_replaced_too(page: Page, studio: str) -> None:
    page.goto(f"{studio}/#/unknown")
    script = "async (given) => (await import('/static/lib/completion.js')).accepted(...given)"
    completion = {"from": 7, "to": 8, "asked": "status:e AND x"}
    assert page.evaluate(script, ["status:err AND x", completion, "error"]) == {"text": "status:error AND x", "cursor": 12}
