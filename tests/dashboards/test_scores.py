"""Scores on the trace page: read, added by hand, deleted."""

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.dashboards.builder import Sample
from tests.dashboards.samples import campaign, shapes_runs
from tests.dashboards.sender import send

pytestmark = pytest.mark.browser


def open_scores(page: Page, url: str, sample: Sample) -> None:
    page.goto(f"{url}/#/traces/{sample.trace.trace_id}")
    page.get_by_role("tab", name="Scores").click()


def stored(url: str, sample: Sample) -> list[dict]:
    return httpx.get(f"{url}/api/v1/scores", params={"trace_id": sample.trace.trace_id}).json()["scores"]


def test_scores_tell_who_said_what_of_which_image(page: Page, studio: str) -> None:
    open_scores(page, studio, campaign())
    whole = page.locator(".score-group", has_text="Whole trace")
    expect(whole).to_contain_text("campaign_ready")
    expect(whole).to_contain_text("mara")
    fourth = page.locator(".score-group", has_text="Image 4, seed 104")
    expect(fourth).to_contain_text("fail")
    expect(fourth).to_contain_text("A boat is in the lower left")
    expect(fourth).to_contain_text("laion-aesthetic 2.5")


def test_a_score_of_one_image_by_thumb(page: Page, collector: str) -> None:
    sample = shapes_runs()[0]
    send(collector, [sample])
    open_scores(page, collector, sample)
    form = page.get_by_role("form", name="Add a score")
    form.get_by_role("radio", name="Image 2, seed 8").check(force=True)
    form.get_by_label("Name", exact=True).fill("looks right")
    form.get_by_role("button", name="Mark as bad").click()
    form.get_by_label("Explanation").fill("the edge is jagged")
    form.get_by_label("Your name").fill("ada")
    form.get_by_role("button", name="Add score").click()
    line = page.locator(".score-line", has_text="looks right")
    expect(line).to_contain_text("bad")
    expect(line).to_contain_text("the edge is jagged")
    expect(line).to_contain_text("ada")
    expect(page.locator(".trace-images li").nth(1)).to_contain_text("looks right0")
    [score] = [one for one in stored(collector, sample) if one["name"] == "looks right"]
    assert score["image_index"] == 1
    assert (score["value"], score["label"], score["annotator_kind"], score["identifier"]) == (0.0, "bad", "human", "ada")


def test_a_score_of_the_trace_by_number(page: Page, collector: str) -> None:
    sample = shapes_runs()[0]
    send(collector, [sample])
    open_scores(page, collector, sample)
    form = page.get_by_role("form", name="Add a score")
    expect(form.get_by_role("button", name="Add score")).to_be_disabled()
    form.get_by_label("Value as a number").fill("0.35")
    form.get_by_role("button", name="Add score").click()
    expect(page.locator(".score-group", has_text="Whole trace")).to_contain_text("0.35")
    [score] = [one for one in stored(collector, sample) if one["name"] == "quality"]
    assert (score["scope"], score["min"], score["max"]) == ("trace", 0.0, 1.0)


def test_names_in_use_are_offered(page: Page, studio: str) -> None:
    open_scores(page, studio, campaign())
    for name in ("aesthetic", "prompt_match", "oracle"):
        expect(page.locator(f'datalist option[value="{name}"]')).to_be_attached()


def test_a_score_can_be_deleted(page: Page, collector: str) -> None:
    sample = campaign()
    send(collector, [sample])
    open_scores(page, collector, sample)
    page.get_by_role("button", name="Delete the score campaign_ready").click()
    expect(page.locator(".score-line", has_text="campaign_ready")).to_have_count(0)
    assert "campaign_ready" not in {score["name"] for score in stored(collector, sample)}
