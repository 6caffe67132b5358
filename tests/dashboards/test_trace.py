"""The page of one trace."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.dashboards.builder import Sample
from tests.dashboards.samples import (
    black,
    campaign,
    edit,
    failing,
    huge,
    long_batch,
    lost,
    running,
    shapes_runs,
    summary_only,
    variety,
)
from tests.dashboards.sender import send

pytestmark = pytest.mark.browser


def open_trace(page: Page, url: str, sample: Sample, **query: str) -> None:
    search = "&".join(f"{name}={value}" for name, value in query.items())
    page.goto(f"{url}/#/traces/{sample.trace.trace_id}?{search}")
    expect(page.get_by_role("heading", level=1)).to_have_text(sample.trace.name)


def names(page: Page) -> list[str]:
    return page.locator(".waterfall .row .row-name").all_inner_texts()


def test_header_tells_what_the_trace_is(page: Page, studio: str) -> None:
    sample = campaign()
    open_trace(page, studio, sample)
    facts = page.locator(".trace-facts")
    expect(facts).to_contain_text("stabilityai/stable-diffusion-xl-base-1.0")
    expect(facts).to_contain_text("spring-campaign")
    expect(facts.locator("time")).to_have_attribute("title", re.compile(r"\d{4}-\d\d-\d\d"))
    expect(page.get_by_text("Use image 3 for the cover.")).to_be_visible()


def test_waterfall_nests_spans_and_groups_steps(page: Page, studio: str) -> None:
    open_trace(page, studio, shapes_runs()[0])
    rows = page.locator(".waterfall .row")
    expect(rows).to_have_count(7)
    assert [text.split("\n")[0] for text in names(page)] == [
        "demo.draw", "generate_content shapes", "text_encode", "denoise", "denoise_step × 20", "vae_decode", "postprocess",
    ]  # fmt: skip
    group = page.locator(".row[data-steps='20']")
    group.click()
    expect(page.locator(".row[data-kind='step']")).to_have_count(20)
    group.click()
    expect(page.locator(".row[data-kind='step']")).to_have_count(0)


def test_a_users_span_made_inside_a_stage_lies_below_it(page: Page, studio: str) -> None:
    open_trace(page, studio, campaign())
    denoise = page.locator(".row[data-kind='stage']", has_text="denoise")
    inside = page.locator(".row", has_text="log_step")
    expect(inside).to_have_attribute("aria-level", str(int(denoise.get_attribute("aria-level") or 0) + 1))


def test_a_span_shows_everything_it_says(page: Page, studio: str) -> None:
    open_trace(page, studio, campaign())
    page.locator(".row", has_text="vae_decode").click()
    panel = page.locator(".inspector")
    expect(panel).to_contain_text("device: measured by events on the accelerator")
    expect(panel).to_contain_text("AutoencoderKL")
    expect(panel.locator(".attributes > div", has_text="lytrace.gpu.memory.peak").first).to_contain_text("9.00 GiB")
    panel.get_by_text("Environment").click()
    expect(panel).to_contain_text("NVIDIA H200")
    expect(page).to_have_url(re.compile(r"span=[0-9a-f]{16}"))
    page.locator(".row", has_text="save").click()
    expect(panel).to_contain_text("file written")
    page.locator(".row", has_text="render_campaign").click()
    expect(panel.locator(".content", has_text="Input")).to_contain_text('"a quiet fjord at first light, oil on canvas"')


def test_links_lead_to_their_span(page: Page, studio: str) -> None:
    open_trace(page, studio, campaign())
    page.locator(".row[data-kind='generation']").click()
    page.locator(".inspector").get_by_role("button", name="expand_prompt").click()
    expect(page.locator(".row.selected")).to_contain_text("expand_prompt")


def test_arrow_keys_walk_the_tree(page: Page, studio: str) -> None:
    open_trace(page, studio, shapes_runs()[1])
    page.locator(".row").first.click()
    page.keyboard.press("Tab")
    page.locator(".waterfall-rows").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".row.selected")).to_contain_text("generate_content shapes")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".row")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".row")).to_have_count(7)


def test_a_link_to_a_step_opens_its_group(page: Page, studio: str) -> None:
    sample = long_batch()
    step = [span for span in sample.spans if span.name == "denoise_step"][400]
    open_trace(page, studio, sample, span=step.span_id)
    expect(page.locator(f".row.selected[data-span='{step.span_id}']")).to_be_visible()


def test_parameters_can_be_copied_as_python(page: Page, studio: str, context) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_trace(page, studio, campaign())
    panel = page.locator(".inspector")
    for text in ("StableDiffusionXLPipeline", "EulerDiscreteScheduler", "7.5", "1024 × 1024", "float16", "cuda:0", "2.13.0"):
        expect(panel).to_contain_text(text)
    panel.get_by_role("button", name="Copy as Python").click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    code = page.evaluate("navigator.clipboard.readText()")
    compile(code, "copied", "exec")
    assert "num_inference_steps=30" in code
    assert 'torch.Generator("cpu").manual_seed(104)' in code


def test_stages_and_steps_tell_where_the_time_went(page: Page, studio: str) -> None:
    open_trace(page, studio, campaign())
    panel = page.locator(".generation")
    expect(panel.locator("tbody tr", has_text="denoise")).to_contain_text("91 %")
    expect(panel.locator("tbody tr", has_text="vae_decode")).to_contain_text("9.00 GiB")
    expect(panel.locator(".step-bar")).to_have_count(30)
    panel.locator(".step-plot").focus()
    page.keyboard.press("ArrowRight")
    expect(panel.locator(".tip")).to_contain_text("Timestep")
    page.keyboard.press("Enter")
    expect(page.locator(".inspector")).to_contain_text("diffusion.step.timestep")


def test_steps_kept_as_arrays_are_drawn_too(page: Page, studio: str) -> None:
    open_trace(page, studio, summary_only())
    expect(page.locator(".step-head")).to_contain_text("1,000 steps")
    expect(page.locator(".step-bar").first).to_be_attached()


def test_the_first_broken_step_is_named(page: Page, studio: str) -> None:
    open_trace(page, studio, black())
    expect(page.locator(".step-chart")).to_contain_text("non-finite values from step 9 on")
    expect(page.locator(".step-bar.broken")).to_have_count(16)


def test_images_stand_by_role_and_missing_ones_wait(page: Page, studio: str) -> None:
    open_trace(page, studio, edit())
    images = page.locator(".trace-images")
    for title in ("1 input", "1 mask", "5 previews"):
        expect(images.get_by_role("heading", name=title)).to_be_visible()
    open_trace(page, studio, variety())
    expect(images.locator(".tile")).to_have_count(12)
    expect(images.get_by_text("Not received yet")).to_have_count(1)


def test_a_failure_leads_to_its_exception(page: Page, studio: str) -> None:
    sample = failing()
    open_trace(page, studio, sample)
    expect(page.locator(".notice.error")).to_contain_text("CUDA out of memory")
    page.locator(".row[data-kind='generation']").click()
    exception = page.locator(".exception")
    expect(exception).to_contain_text("torch.OutOfMemoryError")
    expect(exception.get_by_label("Stack trace", exact=True)).to_contain_text("noise_pred = self.unet(")
    page.get_by_role("button", name="Show the failed span").click()
    expect(page.locator(".row.selected")).to_contain_text("denoise")


def test_what_was_lost_or_cut_is_said(page: Page, studio: str) -> None:
    open_trace(page, studio, lost())
    expect(page.get_by_text("The program stopped at step 39 of 60, before this trace ended.")).to_be_visible()
    expect(page.get_by_text("Limits cut this trace: 2 images not recorded.")).to_be_visible()


def test_a_running_trace_refreshes_until_its_images_are_there(page: Page, collector: str) -> None:
    begun, done = running(), running(finished=True)
    send(collector, [begun])
    open_trace(page, collector, begun)
    expect(page.locator(".awaited")).to_contain_text("step 17 of 30")
    send(collector, [done])
    expect(page.locator(".trace-header .state")).to_have_text("OK")
    expect(page.locator(".trace-images .tile")).to_have_count(1)


def test_a_trace_of_fifty_thousand_spans_comes_in_pages(page: Page, collector: str) -> None:
    sample = huge(50_000)
    send(collector, [sample])
    open_trace(page, collector, sample)
    rows = page.locator(".waterfall .row")
    more = page.locator(".more-spans")
    expect(more).to_contain_text("1,000 of 50,000 spans are shown")
    expect(rows.nth(10)).to_be_attached()
    assert rows.count() < 100
    more.get_by_role("button").click()
    expect(more).to_contain_text("6,000 of 50,000 spans are shown")
    expect(page.locator(".waterfall")).to_contain_text("6,000 spans")
    open_trace(page, collector, sample, span=sample.spans[-1].span_id)
    expect(page.locator(".row", has_text="item 49998")).to_be_visible(timeout=120_000)
    expect(more).to_have_count(0)
    expect(page.locator(".waterfall")).to_contain_text("50,000 spans")


def test_the_note_and_tags_are_kept(page: Page, collector: str) -> None:
    sample = shapes_runs()[0]
    send(collector, [sample])
    open_trace(page, collector, sample)
    page.get_by_role("button", name="Note").click()
    page.get_by_label("Note").fill("the first good circle")
    page.get_by_label("Note").press("Control+Enter")
    page.get_by_role("button", name="Tag").click()
    page.get_by_label("New tag").fill("stage: draft")
    page.get_by_label("New tag").press("Enter")
    expect(page.locator(".tag")).to_have_text("stage draft")
    page.reload()
    expect(page.locator(".note")).to_have_text("the first good circle")
    page.get_by_role("button", name="Remove the tag stage").click()
    expect(page.locator(".tag")).to_have_count(0)
    page.reload()
    expect(page.locator(".note")).to_be_visible()
    expect(page.locator(".tag")).to_have_count(0)


def test_deleting_asks_first(page: Page, collector: str) -> None:
    sample = shapes_runs()[0]
    send(collector, [sample])
    open_trace(page, collector, sample)
    page.get_by_role("button", name="Delete this trace").click()
    dialog = page.get_by_role("dialog", name="Delete this trace?")
    expect(dialog).to_contain_text("3 images")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Delete this trace").click()
    dialog.get_by_role("button", name="Delete trace").click()
    expect(page.get_by_role("heading", name="No traces yet")).to_be_visible()


def test_a_missing_trace_says_so(page: Page, studio: str, complaints: list[str]) -> None:
    page.goto(f"{studio}/#/traces/{'0' * 32}")
    expect(page.get_by_role("heading", name="This trace does not exist")).to_be_visible()
    complaints.clear()
