"""The step machine as a table: signals in, steps out. No torch."""

import itertools

import pytest

from lytrace_integrations.diffusers._steps import Forward, StepMachine

# F: a forward of the denoiser; C: of a controlnet; E: of an encoder; s<n>, b<n>: two schedulers on timestep n; t: a tick.
TABLE = {
    "callback-style loop": ("F s9 t F s8 t F s7 t", 3),
    "guidance in two passes": ("F F s9 t F F s8 t", 2),
    "controlnet before the denoiser": ("C F s9 t C F s8 t", 2),
    "Heun, a tick every second evaluation": ("F s9 F s8 t F s8 F s7 t F s7 t", 5),
    "PNDM repeats its second timestep": ("F s9 t F s8 F s8 t F s7 t", 4),
    "no tick at all": ("F s9 F s8 F s7", 3),
    "no scheduler: ticks only": ("F t F t F t", 3),
    "audio and video schedulers in one step": ("F s9 b9 t F s8 b8 t", 2),
    "one scheduler call a frame on the same timestep": ("F s9 s9 s9 t F s8 s8 s8 t", 2),
    "scheduler steps without a forward between": ("s9 s8 s7", 3),
    "forward cached away: the scheduler goes on alone": ("F s9 t s8 t F s7 t", 3),
    "tick before the scheduler's step": ("F t s9 F t s8", 2),
    "an encoder before the loop": ("E F s9 t F s8 t", 2),
    "a model after the loop": ("F s9 t F s8 t E", 2),
    "a lone model call is no step": ("E", 0),
    "two models, no step": ("E C", 0),
    "a loop of blocks ticks beside the bar": ("F s9 t t F s8 t t", 2),
    "a loop of blocks without a scheduler": ("F F t F F t", 2),
    "two loops, one after the other": ("F s9 t F s8 t F s9 t F s8 t", 4),
    "a round that skips its model": ("F s9 t t F s8 t", 2),
    "ancestral with its sigma as timestep": ("F s0.9 t F s0.5 t F s0 t", 3),
    "one step": ("F s9 t", 1),
    "nothing": ("", 0),
    "bar over something else": ("t t t", 0),
}


def run(signals: str) -> StepMachine:
    now = 0
    machine = StepMachine(lambda: now + 5, int)
    for signal in signals.split():
        now += 10
        if signal[0] in "FCE":
            name = {"F": "unet", "C": "controlnet", "E": "encoder"}[signal]
            step = machine.forward_begins()
            machine.forward_ended(step, Forward(name, name.title(), now, now + 5))
        elif signal[0] in "sb":
            machine.scheduler_step({"s": 1, "b": 2}[signal[0]], signal[1:], now)
        else:
            machine.tick()
    return machine


@pytest.mark.parametrize(("signals", "count"), TABLE.values(), ids=TABLE.keys())
def test_counts_steps(signals, count):
    steps, _ = run(signals).finish()
    assert len(steps) == count


@pytest.mark.parametrize("signals", [signals for signals, _ in TABLE.values()], ids=TABLE.keys())
def test_no_call_is_lost_and_times_are_ordered(signals):
    steps, loose = run(signals).finish()
    calls = sum(len(step.forwards) for step in steps) + len(loose)
    assert calls == sum(signal in {"F", "C", "E"} for signal in signals.split())
    for step in steps:
        assert step.start <= step.end
    for before, after in itertools.pairwise(steps):
        assert before.end <= after.start


def test_an_encoder_before_the_loop_is_a_call_of_its_own():
    steps, loose = run("E F s9 t F s8 t").finish()
    assert [call.component for call in loose] == ["encoder"]
    assert [[call.component for call in step.forwards] for step in steps] == [["unet"], ["unet"]]
    assert steps[0].start == 20


def fail(machine: StepMachine, signal: str, start: int) -> None:
    name = {"F": "unet", "E": "encoder"}[signal]
    machine.forward_failed(machine.forward_begins(), Forward(name, name.title(), start, start + 5), "OutOfMemoryError")


@pytest.mark.parametrize("before", ["", "F s9 t", "F s9 t F s8 t"])
def test_a_model_that_raised_is_the_step_that_was_cut_short(before):
    machine = run(before)
    fail(machine, "F", 100)
    steps, loose = machine.finish("OutOfMemoryError")
    assert [step.error for step in steps] == [None] * before.count("s") + ["OutOfMemoryError"]
    assert loose == []


def test_an_error_after_the_model_and_before_the_scheduler_cuts_a_step_short():
    steps, loose = run("F s9 t F").finish("RuntimeError")
    assert [step.error for step in steps] == [None, "RuntimeError"]
    assert loose == []


def test_an_error_after_the_loop_cuts_no_step_short():
    steps, loose = run("F s9 t E").finish("RuntimeError")
    assert [step.error for step in steps] == [None]
    assert [call.component for call in loose] == ["encoder"]


def test_an_error_that_the_pipeline_caught_is_none():
    machine = run("F s9 t")
    fail(machine, "F", 100)
    machine.scheduler_step(1, "8", 110)
    steps, _ = machine.finish()
    assert [step.error for step in steps] == [None, None]


def test_interrupted_before_the_scheduler_keeps_the_steps_before():
    steps, loose = run("F s9 t F").finish()
    assert len(steps) == 1
    assert [call.component for call in loose] == ["unet"]
