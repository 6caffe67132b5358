"""From a user's program to the screen: the trained shapes model, the SDK, the collector, the dashboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect

import lytrace
from examples.shapes import MODEL_DIR

pytestmark = [pytest.mark.browser, pytest.mark.model]
PROMPT = "a red circle on a white background"


@pytest.fixture
def trace_id(collector: str, tmp_path: Path) -> Iterator[str]:
    """A trace of one image in 20 steps, scored, as `collector` has stored it."""
    from diffusers import StableDiffusionPipeline

    lytrace.init("shapes", collector=collector, home=tmp_path / "sender")
    try:
        torch.set_num_threads(1)
        pipe = StableDiffusionPipeline.from_pretrained(MODEL_DIR)
        pipe.set_progress_bar_config(disable=True)

        @lytrace.trace
        def draw(prompt: str) -> str:
            pipe(prompt, num_inference_steps=20, generator=torch.Generator().manual_seed(1))
            lytrace.score("oracle", 1.0, image=0)
            where = lytrace.current()
            assert where is not None
            return where.trace_id

        made = draw(PROMPT)
        assert lytrace.flush(30)
        yield made
    finally:
        lytrace.shutdown()


def test_the_gallery_and_the_trace_show_what_ran(page: Page, collector: str, trace_id: str) -> None:
    page.goto(collector)
    card = page.get_by_text(PROMPT).first
    expect(card).to_be_visible()
    picture = page.locator(".card img").first
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 64

    page.goto(f"{collector}/#/traces/{trace_id}")
    expect(page.get_by_text(PROMPT).first).to_be_visible()
    page.locator(".row[data-steps='20']").click()
    expect(page.locator(".row[data-kind='step']")).to_have_count(20)
    for stage in ("text_encode", "denoise", "vae_decode", "postprocess"):
        expect(page.locator(".waterfall").get_by_text(stage, exact=True)).to_be_visible()
    expect(page.get_by_text("oracle").first).to_be_visible()


@pytest.fixture
def half_way(collector: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two traces with previews: of two images, the second of them black, and of one that is black without a cause."""
    from diffusers import StableDiffusionPipeline

    lytrace.init("shapes", collector=collector, home=tmp_path / "sender", previews=5)
    try:
        torch.set_num_threads(1)
        pipe = StableDiffusionPipeline.from_pretrained(MODEL_DIR)
        pipe.set_progress_bar_config(disable=True)
        decode = pipe.vae.decoder.forward

        def draw(blacken: slice, verdict: list[bool] | None) -> str:
            def decoder(*args: object, **kwargs: object) -> torch.Tensor:
                made = decode(*args, **kwargs)
                made[blacken] = -1 if verdict is None else 0  # a blocked image is not brought from -1..1 to 0..1
                return made

            pipe.vae.decoder.forward = decoder
            pipe.run_safety_checker = lambda image, device, dtype: (image, verdict)
            with lytrace.span("draw"):
                result = pipe([PROMPT] * 2, num_inference_steps=20, generator=torch.Generator().manual_seed(1), return_dict=True)
                assert len(result.images) == 2
                where = lytrace.current()
            assert where is not None
            return where.trace_id

        made = draw(slice(1, 2), [False, True]), draw(slice(0, 1), None)
        assert lytrace.flush(30)
        yield made
    finally:
        lytrace.shutdown()


def test_previews_say_their_step_and_black_images_their_cause(page: Page, collector: str, half_way: tuple[str, str]) -> None:
    blocked, unexplained = half_way
    page.goto(f"{collector}/#/traces/{blocked}")
    panel = page.locator(".trace-images")
    expect(panel.get_by_role("heading", name="8 previews")).to_be_visible()
    captions = panel.locator(".role .facts").all_inner_texts()
    steps = (4, 9, 14, 19)
    assert captions == [f"step {step}" for step in steps] + [f"step {step}, image 1" for step in steps]
    badge = panel.locator(".badge.uniform")
    expect(badge).to_have_text("Blocked")
    assert "safety checker" in (badge.get_attribute("title") or "")
    panel.locator(".trace-strip:not(.small) .tile").nth(1).click()
    expect(page.locator(".facts-panel").get_by_text("Every pixel is #000000.")).to_be_visible()
    page.keyboard.press("Escape")

    page.goto(f"{collector}/#/traces/{unexplained}")
    expect(page.locator(".badge.uniform")).to_have_text("Black")
    page.locator(".row[data-kind='generation']").click()
    expect(page.get_by_text("image 0 is black").first).to_be_visible()

    page.goto(f"{collector}/#/images")
    expect(page.locator(".card")).to_have_count(4)
