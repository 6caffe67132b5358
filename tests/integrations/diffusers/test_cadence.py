"""How often the latents are looked at on a CPU: an account kept in nanoseconds that a test makes up."""

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, LCMScheduler, PNDMScheduler

from lytrace_integrations.diffusers import _cadence
from lytrace_integrations.diffusers._cadence import Cadence, StepsLeft
from tests.integrations.diffusers import tiny

US, MS = 1_000, 1_000_000


@pytest.fixture(autouse=True)
def _unknown_costs(monkeypatch):
    monkeypatch.setattr(_cadence, "_costs", {})


def looks(step_ns, cost_ns, steps=50, values=16_384, asking_ns=0):
    """At which steps of a run a look is taken, and the part of the steps' time that all of it took."""
    cadence, now, taken, spent, look_at = Cadence(0, values), 0, [], 0, 0
    for step in range(steps):
        now += step_ns
        if step >= look_at:
            looked = cadence.affords(now)
            taken += [step] if looked else []
            cost = cost_ns if looked else asking_ns
            cadence.spend(cost, looked=looked)
            now, spent = now + cost, spent + cost
            look_at = step + cadence.wait(now, step + 1)
    return taken, spent / (steps * step_ns)


@pytest.mark.parametrize("step_ns", [10 * US, 100 * US, MS, 5 * MS, 50 * MS, 1000 * MS])
@pytest.mark.parametrize("cost_ns", [10 * US, 100 * US, MS])
@pytest.mark.parametrize("steps", [1, 4, 20, 50])
def test_never_more_than_its_share_once_the_cost_is_known(step_ns, cost_ns, steps):
    looks(1000 * MS, cost_ns)
    taken, share = looks(step_ns, cost_ns, steps)
    assert share <= _cadence.SHARE
    affordable = int((_cadence.SHARE * steps * step_ns - _cadence._RESERVE_NS) / cost_ns)
    assert len(taken) >= min(affordable, steps) - 1


def test_asking_is_paid_for_like_looking():
    looks(1000 * MS, 20 * US)
    taken, share = looks(5 * MS, 20 * US, asking_ns=10 * US)
    assert taken
    assert share <= _cadence.SHARE


def test_every_step_of_a_real_model_from_the_first_on():
    looks(1000 * MS, 100 * US)
    assert looks(1000 * MS, 100 * US)[0] == list(range(50))


def test_cheap_steps_are_looked_at_evenly():
    looks(1000 * MS, 15 * US)
    assert looks(MS, 15 * US)[0][:4] == [11, 14, 18, 22]


def test_the_first_look_of_a_process_is_guessed_with_caution():
    assert looks(MS, 15 * US, steps=20) == ([], 0)


def test_a_dear_first_look_is_soon_forgotten():
    cadence = Cadence(0, 16)
    cadence.spend(5 * MS, looked=True)
    cadence.spend(15 * US, looked=True)
    assert _cadence._costs == {5: 15 * US}
    cadence.spend(5 * MS, looked=True)
    assert _cadence._costs[5] < 20 * US


def test_steps_that_get_slower_are_looked_at_again():
    looks(1000 * MS, 20 * US)
    cadence = Cadence(0, 16_384)
    assert cadence.wait(10 * US, 1) > 1000
    assert cadence.wait(1000 * MS, 2) == 1


SCHEDULERS = [DDIMScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler, LCMScheduler, PNDMScheduler]


@pytest.mark.parametrize("cls", SCHEDULERS)
@pytest.mark.parametrize("begin", [0, 2])
def test_the_steps_left_are_known(cls, begin):
    scheduler = tiny.scheduler(cls)
    scheduler.set_timesteps(5)
    timesteps = scheduler.timesteps[begin * scheduler.order :]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin * scheduler.order)
    latent, found, left = torch.zeros(1, 4, 4, 4), [], StepsLeft()
    for timestep in timesteps:
        latent = scheduler.step(latent, timestep, latent).prev_sample
        found.append(left.after(timestep, scheduler.timesteps, scheduler.__dict__.get("_step_index")))
    assert found == list(reversed(range(len(timesteps))))


@pytest.mark.parametrize("timesteps", [None, [3, 2, 1], torch.zeros(0), torch.zeros(2, 2)])
def test_a_scheduler_that_does_not_tell(timesteps):
    assert StepsLeft().after(torch.tensor(1), timesteps, None) is None
    assert StepsLeft().after(3, torch.tensor([3]), None) is None
    assert StepsLeft().after(torch.tensor(3), torch.tensor([3]), None) is None
