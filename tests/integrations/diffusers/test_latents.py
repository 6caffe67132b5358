"""Statistics of latents, and who made the first NaN."""

import math
import time

import pytest
import torch

from lytrace_integrations.diffusers import _latents
from lytrace_integrations.diffusers._latents import LatentWatch

LONG_AGO = 1


@pytest.mark.parametrize("shift", [0.0, 3.0, 1000.0])
def test_statistics_are_torchs(shift):
    latent = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)) + shift
    watch = LatentWatch(began_ns=LONG_AGO)
    watch.observe(0, latent, None)
    (found,) = watch.found
    assert found.mean == pytest.approx(float(latent.mean()))
    assert found.std == pytest.approx(float(latent.std()), rel=1e-5)
    assert (found.minimum, found.maximum) == (float(latent.min()), float(latent.max()))
    assert found.nonfinite_count == 0
    assert found.finite


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_the_first_bad_latent_and_who_made_it(value):
    good, bad = torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 4, 4)
    bad[0, 0, 0, :3] = value
    watch = LatentWatch(began_ns=LONG_AGO)
    for step, (latent, output) in enumerate(((good, good), (bad, good), (bad, bad))):
        watch.observe(step, latent, output)
    first = next(statistics for statistics in watch.found if not statistics.finite)
    assert (first.step, first.nonfinite_count, first.model_output_finite) == (1, 3, True)
    assert watch.found[2].model_output_finite is False


def test_half_precision_and_what_is_no_latent():
    watch = LatentWatch(began_ns=LONG_AGO)
    watch.observe(0, torch.full((1, 4, 2, 2), 60000.0, dtype=torch.float16), None)
    watch.observe(1, torch.ones(2, dtype=torch.int64), None)
    watch.observe(2, None, None)
    (found,) = watch.found
    assert found.maximum == 60000.0
    assert found.finite


@pytest.fixture
def poor(monkeypatch):
    """Steps that earn nothing."""
    monkeypatch.setattr(_latents.Cadence, "affords", lambda self, now_ns: False)


def test_steps_that_earn_nothing_are_not_looked_at(poor):
    watch = LatentWatch()
    for step in range(3):
        watch.observe(step, torch.zeros(1, 4, 2, 2), None, left=2 - step)
    assert watch.found == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_loop_that_ends_badly_is_noticed_all_the_same(poor, value, dtype):
    watch, bad = LatentWatch(), torch.zeros(1, 4, 2, 2, dtype=dtype)
    bad[0, 1] = value
    watch.observe(0, bad, bad)
    watch.observe(1, bad, bad, left=0)
    (found,) = watch.found
    assert (found.step, found.nonfinite_count, found.model_output_finite) == (1, 4, False)


def test_large_values_of_half_precision_are_finite(poor):
    watch = LatentWatch()
    watch.observe(0, torch.full((1, 4, 64, 64), 60000.0, dtype=torch.float16), None, left=0)
    assert watch.found == []


def test_the_next_look_is_no_later_than_the_last_step(poor):
    watch = LatentWatch(began_ns=time.time_ns() - 1000)
    assert watch.observe(0, torch.zeros(1, 4, 2, 2), None, left=7) == 7
    assert watch.observe(0, torch.zeros(1, 4, 2, 2), None) > 7
