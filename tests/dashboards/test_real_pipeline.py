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
