"""Whatever goes wrong, in the user's program or in ours: the result or the exception is the same, the trace complete so far."""

import logging
import os

import diffusers
import numpy as np
import pytest
import torch

from lytrace import _log, semconv
from lytrace._live_span import LiveSpan
from lytrace.testing import capture
from lytrace_integrations import _arguments
from lytrace_integrations.diffusers import DiffusersInstrumentor, _facts, _parameters, _pipeline, _request, _seeds, _signals
from lytrace_integrations.diffusers._call import PipelineCall
from lytrace_integrations.diffusers._modular import Blocks
from lytrace_integrations.diffusers._outcome import Outcome
from lytrace_integrations.diffusers._record import Record
from lytrace_integrations.diffusers._signals import Signals
from lytrace_integrations.diffusers._stages import StageList
from lytrace_integrations.diffusers._steps import StepMachine
from tests.integrations.diffusers.families import images, modular
from tests.integrations.diffusers.test_matrix import bits, stage_names

pytestmark = pytest.mark.model
SD = images.CASES["sd15"]
HOOKS = [
    (_arguments.Binder, "bind"),
    (_pipeline, "known"),
    (_pipeline, "placement"),
    (_pipeline, "read_components"),
    (_facts, "class_name"),
    (_request, "read"),
    (_seeds, "before"),
    (_request.Request, "details"),
    (_parameters, "input_images"),
    (_parameters, "output_images"),
    (PipelineCall, "__init__"),
    (Signals, "read_timesteps"),
    (Signals, "_tell"),
    (_signals, "_identity"),
    (_signals, "_by_address"),
    (Signals, "_observe"),
    (Outcome, "stage_ended"),
    (Outcome, "read"),
    (StepMachine, "forward_begins"),
    (StepMachine, "forward_ended"),
    (StepMachine, "scheduler_step"),
    (StepMachine, "tick"),
    (StepMachine, "finish"),
    (StageList, "begin"),
    (StageList, "end"),
    (StageList, "merged"),
    (Record, "details"),
    (LiveSpan, "add_images"),
]


def generation(captured):
    (span,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    return span


def steps(captured):
    return [span for span in captured.spans if span.kind == semconv.KIND_STEP]


def at_step(index, action):
    def callback(pipe, step, timestep, kwargs):
        return (action() if step == index else None) or {}

    return callback


def fails(*args, **kwargs):
    raise ZeroDivisionError("ours")


def warnings_of(caplog):
    return [record for record in caplog.records if record.name == "lytrace" and record.levelno >= logging.WARNING]


@pytest.mark.parametrize(("owner", "name"), HOOKS, ids=[f"{owner.__name__.split('.')[-1]}.{name}" for owner, name in HOOKS])
def test_every_hook_falls_through(swallows, monkeypatch, caplog, owner, name):
    pipe = SD.pipeline()
    plain = bits(SD.call(pipe))
    _log.forget_warnings()
    with capture(instrument=["diffusers"]) as captured, monkeypatch.context() as patch:
        patch.setattr(owner, name, fails)
        traced = bits(SD.call(pipe))
        spans = captured.spans
    assert traced == plain
    assert len(warnings_of(caplog)) == 1
    opened = name not in {"bind", "known", "placement", "read_components", "class_name"}
    assert len([span for span in spans if span.kind == semconv.KIND_GENERATION]) == opened


@pytest.mark.parametrize("name", ["begin", "end", "values_of"])
def test_every_hook_of_a_modular_pipeline_falls_through(swallows, monkeypatch, caplog, name):
    case = modular.CASES["modular-flux"]
    pipe = case.pipeline()
    plain = bits(case.call(pipe))
    _log.forget_warnings()
    with capture(instrument=["diffusers"]), monkeypatch.context() as patch:
        patch.setattr(Blocks, name, fails)
        assert bits(case.call(pipe)) == plain
    assert warnings_of(caplog)


def test_a_denoiser_that_runs_out_of_memory_is_the_step_that_failed():
    pipe = SD.pipeline()
    forward, calls = pipe.unet.forward, []

    def short_of_memory(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise torch.OutOfMemoryError("tried to allocate 2 GiB")
        return forward(*args, **kwargs)

    pipe.unet.forward = short_of_memory
    with capture(instrument=["diffusers"]) as captured:
        with pytest.raises(torch.OutOfMemoryError):
            SD.call(pipe)
        assert generation(captured).attributes[semconv.DIFFUSION_STEP_COUNT] == 1
        first, second = sorted(steps(captured), key=lambda span: span.start_ns)
        assert (first.status, second.status, second.status_message) == ("UNSET", "ERROR", "OutOfMemoryError")
        assert captured.span("denoise").status == "ERROR"


def test_a_scheduler_that_raises_leaves_the_step_cut_short(monkeypatch):
    pipe = SD.pipeline()
    step = type(pipe.scheduler).step
    calls = []

    def fails_at_second(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("no")
        return step(self, *args, **kwargs)

    monkeypatch.setattr(type(pipe.scheduler), "step", fails_at_second)
    with capture(instrument=["diffusers"]) as captured:
        with pytest.raises(ValueError, match="no"):
            SD.call(pipe)
        assert sorted(span.status for span in steps(captured)) == ["ERROR", "UNSET"]
        assert stage_names(captured.spans, generation(captured)) == ["text_encode", "denoise"]


def test_an_error_while_decoding_is_on_that_stage():
    pipe = SD.pipeline()
    pipe.vae.decoder.forward = fails
    with capture(instrument=["diffusers"]) as captured:
        with pytest.raises(ZeroDivisionError):
            SD.call(pipe)
        assert captured.span("vae_decode").status_message == "ZeroDivisionError"
        assert generation(captured).attributes[semconv.DIFFUSION_STEP_COUNT] == 3
        assert {span.status for span in steps(captured)} == {"UNSET"}


def test_a_latent_full_of_nan():
    pipe = SD.pipeline()

    def poison():
        return {"latents": torch.full((1, 4, 8, 8), float("nan"))}

    callback = at_step(1, poison)
    plain = SD.call(pipe, callback_on_step_end=callback, output_type="np").images
    with capture(instrument=["diffusers"]) as captured:
        traced = SD.call(pipe, callback_on_step_end=callback, output_type="np").images
        assert np.isnan(traced).all()
        assert traced.tobytes() == plain.tobytes()
        assert len(steps(captured)) == 3
        span = generation(captured)
        assert span.attributes[semconv.IMAGES_DROPPED] == 1
        assert span.attributes[semconv.DIFFUSION_FIRST_NONFINITE_STEP] == 2
        assert span.status == "ERROR"


def test_a_scheduler_without_step():
    class NoStep:
        """Someone's own: the pipeline calls it by another name."""

        config = None
        order = "two"

    class Plain(diffusers.DiffusionPipeline):
        def __init__(self, unet):
            super().__init__()
            self.register_modules(unet=unet)
            self.scheduler = NoStep()

        @torch.no_grad()
        def __call__(self, prompt):
            latents = torch.ones(1, 4, 8, 8)
            for _ in self.progress_bar(range(3)):
                latents = latents - 0.1 * self.unet(latents, 5, encoder_hidden_states=torch.ones(1, 4, 16)).sample
            return [latents]

    torch.manual_seed(0)
    pipe = Plain(images.parts.unet())
    pipe.set_progress_bar_config(disable=True)
    plain = bits(pipe("a"))
    with capture(instrument=["diffusers"]) as captured:
        assert bits(pipe("a")) == plain
        assert generation(captured).status == "UNSET"


class Remote(diffusers.DiffusionPipeline):
    """As people publish them: its own loop, nothing inherited that would help."""

    def __init__(self, unet, scheduler):
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(self, prompt, steps=2):
        self.scheduler.set_timesteps(steps)
        latents, text = torch.ones(1, 4, 8, 8), torch.ones(1, 4, 16)
        for timestep in self.scheduler.timesteps:
            noise = self.unet(latents, timestep, encoder_hidden_states=text).sample
            latents = self.scheduler.step(noise, timestep, latents).prev_sample
        return latents


@pytest.mark.parametrize(
    "components", [property(fails), None, 3, property(lambda self: {"unet": self.unet, 3: 4}), property(lambda self: {})]
)
def test_components_of_any_kind(monkeypatch, components):
    torch.manual_seed(0)
    pipe = Remote(images.parts.unet(), images.tiny.scheduler())
    monkeypatch.setattr(Remote, "components", components)
    plain = bits(pipe("a"))
    with capture(instrument=["diffusers"]) as captured:
        assert bits(pipe("a")) == plain
        assert generation(captured).status == "UNSET"
        assert generation(captured).attributes[semconv.DIFFUSION_STEP_COUNT] == 2


def test_uninstrument_in_the_middle_keeps_what_was_recorded():
    pipe = SD.pipeline()
    plain = bits(SD.call(pipe))
    with capture() as captured:
        instrumentor = DiffusersInstrumentor()
        instrumentor.instrument()
        assert bits(SD.call(pipe, callback_on_step_end=at_step(1, instrumentor.uninstrument))) == plain
        assert generation(captured).attributes[semconv.DIFFUSION_STEP_COUNT] == 2
        assert len(generation(captured).attributes[semconv.ARTIFACT_IDS]) == 1


def test_a_fork_in_the_middle_of_a_run():
    """The child goes on with the same result and records nothing of the parent's generation; the parent's trace is whole."""
    pipe = SD.pipeline()
    plain = bits(SD.call(pipe))
    children = []

    def fork():
        children.append(os.fork())

    with capture(instrument=["diffusers"]) as captured:
        status = 1
        try:
            result = bits(SD.call(pipe, callback_on_step_end=at_step(1, fork)))
            status = int(result != plain)
        finally:
            if children == [0]:
                os._exit(status)
        assert result == plain
        _, code = os.waitpid(children[0], 0)
        assert os.waitstatus_to_exitcode(code) == 0
        assert generation(captured).attributes[semconv.DIFFUSION_STEP_COUNT] == 3
