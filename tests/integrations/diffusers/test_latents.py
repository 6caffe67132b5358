"""Statistics of latents, and who made the first NaN."""

import math

import pytest
import torch

from lytrace_integrations.diffusers._latents import LatentWatch


def test_statistics_are_torchs():
    latent = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    watch = LatentWatch()
    watch.observe(0, latent, None)
    (found,) = watch.found
    assert found.mean == pytest.approx(float(latent.mean()))
    assert found.std == pytest.approx(float(latent.std()))
    assert (found.minimum, found.maximum) == (float(latent.min()), float(latent.max()))
    assert found.nonfinite_count == 0
    assert found.finite


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_first_bad_latent_and_who_made_it(value):
    good, bad = torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 4, 4)
    bad[0, 0, 0, :3] = value
    watch = LatentWatch()
    watch._every = 1
    watch.found.clear()
    for step, (latent, output) in enumerate(((good, good), (bad, good), (bad, bad))):
        watch._every = 1
        watch.observe(step, latent, output)
    first = next(statistics for statistics in watch.found if not statistics.finite)
    assert (first.step, first.nonfinite_count, first.model_output_finite) == (1, 3, True)
    assert watch.found[2].model_output_finite is False


def test_half_precision_and_what_is_no_latent():
    watch = LatentWatch()
    watch.observe(0, torch.full((1, 4, 2, 2), 60000.0, dtype=torch.float16), None)
    watch.observe(1, torch.ones(2, dtype=torch.int64), None)
    watch.observe(2, None, None)
    (found,) = watch.found
    assert found.maximum == 60000.0
    assert found.finite


def test_off_computes_nothing():
    watch = LatentWatch(enabled=False)
    watch.observe(0, torch.zeros(1, 4, 2, 2), None)
    assert watch.found == []


def test_dear_statistics_are_taken_seldom():
    watch = LatentWatch()
    watch._last_step_ns = 1
    watch._adapt(cost_ns=50_000, now=1_000_001)  # 50 µs of a 1 ms step: 5 %, ten times the share
    assert watch._every == 10
    watch._adapt(cost_ns=50_000, now=1_000_000_001)
    assert watch._every == 1
