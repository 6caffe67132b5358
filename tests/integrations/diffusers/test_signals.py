"""Signals as the hooks tell them, the values read from them, and the arguments read before a call."""

import types

import pytest
import torch

from lytrace_integrations import _arguments
from lytrace_integrations._device import NoDevice, SimulatedDevice
from lytrace_integrations.diffusers._signals import Part, Signals

pytestmark = pytest.mark.model
UNET = Part("unet", "UNet", None)


def scheduler_with(timesteps, sigmas=None):
    return types.SimpleNamespace(timesteps=timesteps, sigmas=sigmas, _step_index=0)


def run(signals, scheduler, timesteps):
    for timestep in timesteps:
        begun = signals.begin_forward()
        signals.end_forward(begun, UNET)
        scheduler._step_index += 1
        signals.scheduler_step(scheduler, timestep, begun)
        signals.tick()


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.float64])
def test_timesteps_and_sigmas_of_each_step(dtype):
    scheduler = scheduler_with(torch.tensor([9, 5, 1], dtype=dtype), torch.tensor([4.0, 2.0, 1.0, 0.0]))
    signals = Signals(NoDevice())
    run(signals, scheduler, scheduler.timesteps)
    signals.read_timesteps()
    steps, loose = signals.finish(None)
    assert [(step.timestep, step.sigma) for step in steps] == [(9.0, 4.0), (5.0, 2.0), (1.0, 1.0)]
    assert loose == []


@pytest.mark.parametrize(
    ("timesteps", "values"),
    [
        ([7, 3], [7.0, 3.0]),
        ([0.7, 0.3], [0.7, 0.3]),
        ([torch.tensor([7.0, 7.0]), torch.tensor([3.0, 3.0])], [7.0, 3.0]),
        ([torch.tensor(7, device="meta"), torch.tensor(3, device="meta")], None),
        ([None, [1]], None),
    ],
    ids=["int", "float", "one an image", "on a device", "neither"],
)
def test_timesteps_of_any_kind(timesteps, values):
    signals = Signals(NoDevice())
    run(signals, scheduler_with(None), timesteps)
    signals.read_timesteps()
    steps, _ = signals.finish(None)
    assert len(steps) == 2
    assert [step.timestep for step in steps] == (values or [None, None])


def test_timesteps_in_strides():
    every_other = torch.arange(10.0).flip(0)[::2]
    scheduler = scheduler_with(every_other)
    signals = Signals(NoDevice())
    run(signals, scheduler, every_other)
    signals.read_timesteps()
    assert [step.timestep for step in signals.finish(None)[0]] == every_other.tolist()


def test_counts_while_it_runs():
    signals = Signals(NoDevice())
    assert signals.count == 0
    run(signals, scheduler_with(None), [3, 2])
    assert signals.count == 2
    signals.begin_forward()
    assert signals.count == 3
    assert len(signals.finish(None)[0]) == 2


def test_a_mark_where_a_step_begins_and_ends_and_from_the_first_one_on_nowhere_else():
    device = SimulatedDevice()
    signals = Signals(device)
    made = device.marks_made
    for timestep in (2, 1):
        for _ in range(3):
            signals.end_forward(signals.begin_forward(), UNET)
        signals.scheduler_step(scheduler_with(None), timestep, 0)
        signals.tick()
    assert (
        device.marks_made - made == 9
    )  # until a scheduler steps, a model's call may be one of its own: both its ends are marked
    assert len(list(signals.moments())) == 9


def test_tensors_are_let_go():
    signals = Signals(NoDevice())
    run(signals, scheduler_with(torch.arange(3.0)), torch.arange(3.0))
    signals.read_timesteps()
    assert signals._timesteps == []


def test_binds_as_a_method_does():
    def method(self, prompt, steps=3, *, seed=1, negative=None, **more):
        pass

    binder = _arguments.Binder(method)
    assert binder.bind(("a",), {"width": 8}) == {"prompt": "a", "steps": 3, "seed": 1, "negative": None, "width": 8}
    assert binder.bind((), {"prompt": "b", "steps": 4})["steps"] == 4
    sparing = _arguments.Binder(method, nones=False)
    assert sparing.bind(("a",), {}) == {"prompt": "a", "steps": 3, "seed": 1}
    assert sparing.bind(("a",), {"negative": None})["negative"] is None
    assert _arguments.Binder(lambda self, one=None: None, nones=False).bind((), {"two": 2}) == {"two": 2}
    assert _arguments.Binder(print).bind(("a",), {"end": ""})["end"] == ""
    assert _arguments.Binder(type("NoSignature", (), {"__signature__": 3})()).bind((1,), {"a": 2}) == {"a": 2}
