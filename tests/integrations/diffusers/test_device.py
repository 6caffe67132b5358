"""A pipeline on a simulated device: the host runs ahead, the spans tell the device's times and memory.

The device is simulated because the machines that run this suite have none; ``benchmarks/gpu.py`` is for real ones.
"""

import gc
import weakref

import pytest
import torch
from diffusers import StableDiffusionPipeline

import lytrace
from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations._device import SimulatedDevice
from tests.integrations.diffusers import tiny

pytestmark = pytest.mark.model
STEP_NS = 400_000_000


@pytest.fixture
def device(monkeypatch):
    simulated = SimulatedDevice()
    monkeypatch.setattr("lytrace_integrations.diffusers._devices.device_of", lambda _: simulated)
    return simulated


@pytest.fixture
def pipe(tmp_path, device):
    pipe = tiny.stable_diffusion(tmp_path)
    forward = pipe.unet.forward

    def on_device(*args, **kwargs):
        device.run(STEP_NS, allocates=1000, frees=900)
        return forward(*args, **kwargs)

    pipe.unet.forward = on_device
    return pipe


def paint(pipe, steps=3):
    pipe("a", num_inference_steps=steps, generator=torch.Generator().manual_seed(0), height=16, width=16)


def steps_of(captured):
    return sorted((span for span in captured.spans if span.kind == semconv.KIND_STEP), key=lambda span: span.start_ns)


def test_steps_last_as_long_as_on_the_device(device, pipe):
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        steps = steps_of(captured)
        assert [step.end_ns - step.start_ns for step in steps][1:] == [STEP_NS, STEP_NS]
        assert {step.attributes[semconv.CLOCK] for step in steps} == {"device"}
        assert [step.attributes[semconv.GPU_TIME] for step in steps][1:] == [STEP_NS / 1e9, STEP_NS / 1e9]
        (denoise,) = [span for span in captured.spans if span.name == "denoise"]
        assert denoise.end_ns - denoise.start_ns >= 3 * STEP_NS


def test_a_step_that_an_error_cuts_short_ends_with_the_call(device, pipe):
    forward, calls = pipe.unet.forward, []

    def break_off(*args, **kwargs):
        result = forward(*args, **kwargs)
        calls.append(result)
        if len(calls) == 3:
            raise ValueError("the user's")
        return result

    pipe.unet.forward = break_off
    with capture(instrument=["diffusers"]) as captured:
        with pytest.raises(ValueError, match="the user's"):
            paint(pipe)
        steps = steps_of(captured)
        assert [step.end_ns - step.start_ns for step in steps][1:] == [STEP_NS, STEP_NS]
        assert {step.attributes[semconv.CLOCK] for step in steps} == {"device"}


class Asking(StableDiffusionPipeline):
    """Calls a model before the loop whose name says nothing."""

    def __init__(
        self,
        vae,
        text_encoder,
        tokenizer,
        unet,
        scheduler,
        safety_checker,
        feature_extractor,
        oracle,
        image_encoder=None,
        requires_safety_checker=False,
    ):
        parts = vae, text_encoder, tokenizer, unet, scheduler, safety_checker, feature_extractor, image_encoder
        super().__init__(*parts, requires_safety_checker)
        self.register_modules(oracle=oracle)

    def prepare_latents(self, *args, **kwargs):
        self.oracle(torch.zeros(1, 4, 8, 8), 1, torch.zeros(1, 4, 32))
        return super().prepare_latents(*args, **kwargs)


def test_a_model_called_before_the_loop_by_the_devices_clock(device, tmp_path):
    pipe = tiny.stable_diffusion(tmp_path, cls=Asking, oracle=tiny.unet())
    for model, duration_ns in ((pipe.oracle, 2 * STEP_NS), (pipe.unet, STEP_NS)):
        model.forward = on_device(device, model.forward, duration_ns)
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        (asked,) = [span for span in captured.spans if span.name == "oracle"]
        assert asked.attributes[semconv.CLOCK] == "device"
        assert asked.end_ns - asked.start_ns == pytest.approx(2 * STEP_NS, rel=0.2)
        assert [step.end_ns - step.start_ns for step in steps_of(captured)] == [STEP_NS] * 3
        assert {step.attributes[semconv.CLOCK] for step in steps_of(captured)} == {"device"}


def on_device(device, forward, duration_ns):
    def wrapper(*args, **kwargs):
        device.run(duration_ns)
        return forward(*args, **kwargs)

    return wrapper


def test_memory_of_each_step(device, pipe):
    device.allocated = device.peak = 5000
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        steps = [step.attributes for step in steps_of(captured)]
        assert [step[semconv.GPU_MEMORY_DELTA] for step in steps] == [100, 100, 100]
        assert [step[semconv.GPU_MEMORY_PEAK] for step in steps] == [6000, 6100, 6200]
        assert all(step[semconv.GPU_MEMORY_PEAK_EXACT] for step in steps)


def test_an_old_peak_is_only_an_upper_bound(device, pipe):
    device.peak = 1_000_000
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        for step in steps_of(captured):
            assert step.attributes[semconv.GPU_MEMORY_PEAK] == 1_000_000
            assert step.attributes[semconv.GPU_MEMORY_PEAK_EXACT] is False


def test_bytes_allocated_in_each_step(device, pipe):
    device.total = 7_000
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert [step.attributes[semconv.GPU_MEMORY_ALLOCATED_TOTAL] for step in steps_of(captured)] == [1000, 1000, 1000]
        generation = captured.span("generate_content StableDiffusionPipeline")
        assert generation.attributes[semconv.GPU_MEMORY_ALLOCATED_TOTAL] == 3000


def test_exact_peaks_where_asked_for(device, pipe):
    device.peak = 1_000_000
    with capture(instrument=["diffusers"], exact_peak=True) as captured:
        paint(pipe)
        steps = [step.attributes for step in steps_of(captured)]
        assert [step[semconv.GPU_MEMORY_PEAK] for step in steps] == [1000, 1100, 1200]
        assert all(step[semconv.GPU_MEMORY_PEAK_EXACT] for step in steps)
        (denoise,) = [span for span in captured.spans if span.name == "denoise"]
        assert (denoise.attributes[semconv.GPU_MEMORY_PEAK], denoise.attributes[semconv.GPU_MEMORY_PEAK_EXACT]) == (1200, True)
    assert device.resets > 6


def test_peaks_are_never_reset_unasked(device, pipe):
    with capture(instrument=["diffusers"]):
        paint(pipe)
    assert device.resets == 0


def test_a_device_that_lags_is_asked_at_the_next_call(device, pipe):
    with capture(instrument=["diffusers"]) as captured:
        device.hang_back()
        paint(pipe)
        assert steps_of(captured) == []
        assert len(captured.pending) == 1
        device.finish()
        paint(pipe, steps=1)
        late, soon = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
        steps = [span for span in steps_of(captured) if span.trace_id == late.trace_id]
        assert [step.end_ns - step.start_ns for step in steps][1:] == [STEP_NS, STEP_NS]
        assert {step.attributes[semconv.CLOCK] for step in steps} == {"device"}
        assert late.attributes[semconv.CLOCK] == "device"
        assert semconv.CLOCK_REASON not in late.attributes
        assert late.end_ns >= steps[-1].end_ns  # the generation was over when the device was
        assert soon.start_ns < late.end_ns
        assert len(late.attributes[semconv.ARTIFACT_IDS]) == 1
    assert device.marks_recycled == device.marks_made


def test_flush_ends_what_the_device_has_done_meanwhile(device, pipe):
    with capture(instrument=["diffusers"]) as captured:
        device.hang_back()
        paint(pipe)
        assert lytrace.flush(0.1) is False
        device.finish()
        assert lytrace.flush(5.0) is True
        assert {step.attributes[semconv.CLOCK] for step in steps_of(captured)} == {"device"}


def test_a_device_that_is_never_done_leaves_the_hosts_times(device, pipe):
    with capture(instrument=["diffusers"]) as captured:
        device.hang_back()
        paint(pipe)
        lytrace._active.active().shutdown(0.1)
    assert {step.attributes[semconv.CLOCK] for step in steps_of(captured)} == {"host"}
    (generation,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    assert generation.attributes[semconv.CLOCK] == "host"
    assert generation.attributes[semconv.CLOCK_REASON] == "not_done"
    assert device.marks_recycled == 0  # the device may still pass them


def test_a_device_that_fails_ends_the_call_as_it_would_have_ended(device, pipe, swallows, monkeypatch):
    def fail(self, marks):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    def break_off(*args):
        raise RuntimeError("the user's")

    monkeypatch.setattr(SimulatedDevice, "times", fail)
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        pipe.vae.decoder.forward = break_off
        with pytest.raises(RuntimeError, match="the user's"):
            paint(pipe, steps=2)
        assert [span.status for span in captured.spans if span.kind == semconv.KIND_GENERATION] == ["UNSET", "ERROR"]
        assert len(steps_of(captured)) == 5
        assert {step.attributes[semconv.CLOCK] for step in steps_of(captured)} == {"host"}


def test_too_many_calls_that_wait_have_the_hosts_times(device, pipe):
    with capture(instrument=["diffusers"], waiting_calls=1) as captured:
        device.hang_back()
        paint(pipe, steps=1)
        paint(pipe, steps=1)
        (generation,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
        assert generation.attributes[semconv.CLOCK_REASON] == "too_many_waiting"
        device.finish()
        assert len([span for span in captured.spans if span.kind == semconv.KIND_GENERATION]) == 2


def test_a_waiting_call_holds_nothing_of_the_users(device, tmp_path):
    pipe = tiny.stable_diffusion(tmp_path)
    watched = [weakref.ref(pipe), weakref.ref(pipe.unet), weakref.ref(pipe.scheduler)]
    with capture(instrument=["diffusers"]) as captured:
        device.hang_back()
        latents = pipe("a", num_inference_steps=2, height=16, width=16, output_type="latent").images
        watched.append(weakref.ref(latents))
        del latents, pipe
        gc.collect()
        assert [reference() for reference in watched] == [None] * 4
        device.finish()
        assert len(steps_of(captured)) == 2


@pytest.fixture
def read_back(monkeypatch):
    """Latents are taken for the device's, though they lie in the host's memory: there is no other here."""
    monkeypatch.setattr("lytrace_integrations.diffusers._latents._lies_on_host", lambda latent: False)


def test_latent_statistics_wait_with_the_call(device, pipe, read_back):
    with capture(instrument=["diffusers"]) as captured:
        device.hang_back()
        latents = pipe("a", num_inference_steps=3, height=16, width=16, output_type="latent").images
        assert steps_of(captured) == []
        device.finish()
        steps = [step.attributes for step in steps_of(captured)]
        assert steps[-1][semconv.DIFFUSION_LATENT_MEAN] == pytest.approx(float(latents.mean()), rel=1e-5)
        assert steps[-1][semconv.DIFFUSION_LATENT_STD] == pytest.approx(float(latents.std()), rel=1e-5)
        assert steps[-1][semconv.DIFFUSION_LATENT_MAX] == float(latents.max())
        assert [step[semconv.DIFFUSION_LATENT_NONFINITE_COUNT] for step in steps] == [0, 0, 0]


def test_nothing_is_read_back_from_a_graph_that_is_captured(device, pipe, read_back):
    device.is_capturing = True
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert all(semconv.DIFFUSION_LATENT_MEAN not in step.attributes for step in steps_of(captured))


@pytest.mark.parametrize("maker", ["unet", "scheduler"])
def test_who_made_the_first_bad_latent_on_a_device(device, pipe, read_back, maker):
    spoil(pipe, maker)
    with capture(instrument=["diffusers"]) as captured:
        pipe("a", num_inference_steps=2, height=16, width=16, output_type="latent")
        generation = captured.span("generate_content StableDiffusionPipeline")
        assert generation.attributes[semconv.DIFFUSION_FIRST_NONFINITE_STEP] == 0
        assert generation.attributes[semconv.DIFFUSION_FIRST_NONFINITE_COMPONENT] == maker
        assert steps_of(captured)[0].attributes[semconv.DIFFUSION_LATENT_NONFINITE_COUNT] == 3


def spoil(pipe, maker):
    """Three values that are no numbers, in what the denoiser or the scheduler answers."""
    owner, name = (pipe.unet, "forward") if maker == "unet" else (pipe.scheduler, "step")
    original = getattr(owner, name)

    def spoiled(*args, **kwargs):
        result = original(*args, **kwargs)
        values = result[0] if isinstance(result, tuple) else result.sample
        values[0, 0, 0, :3] = float("nan")
        return result

    if maker == "unet":
        pipe.unet.forward = spoiled
    else:
        cls = type(pipe.scheduler)
        pipe.scheduler.__class__ = type(cls.__name__, (cls,), {"step": lambda self, *args, **kwargs: spoiled(*args, **kwargs)})


@pytest.fixture
def other(monkeypatch):
    """A second device, where the text encoder runs."""
    simulated = SimulatedDevice(label="simulated:1")
    monkeypatch.setattr("lytrace_integrations.diffusers._devices.several", lambda: True)
    return simulated


@pytest.fixture
def spread(device, other, pipe, monkeypatch):
    """The pipeline with its text encoder on the other device. Devices are told apart by made-up indices."""
    encode = pipe.text_encoder.forward

    def on_other(*args, **kwargs):
        other.run(2 * STEP_NS, allocates=500)
        return encode(*args, **kwargs)

    pipe.text_encoder.forward = on_other
    pipe.text_encoder.hf_device_map = {"": "cuda:1"}
    monkeypatch.setattr("lytrace_integrations.diffusers._devices.device_of", lambda found: other if found.index == 1 else device)
    return pipe


def test_each_stage_by_the_clock_of_its_own_device(device, other, spread):
    other.allocated = 10_000
    with capture(instrument=["diffusers"]) as captured:
        paint(spread)
        (text,) = [span for span in captured.spans if span.name == "text_encode"]
        assert text.end_ns - text.start_ns == pytest.approx(4 * STEP_NS, rel=0.2)  # prompt and negative prompt
        assert text.attributes[semconv.GPU_DEVICE] == "simulated:1"
        assert text.attributes[semconv.GPU_MEMORY_DELTA] == 1000
        steps = steps_of(captured)
        assert [step.end_ns - step.start_ns for step in steps][1:] == [STEP_NS, STEP_NS]
        assert {step.attributes[semconv.GPU_DEVICE] for step in steps} == {"simulated:0"}
        assert [step.attributes[semconv.GPU_MEMORY_DELTA] for step in steps] == [100, 100, 100]
        generation = captured.span("generate_content StableDiffusionPipeline")
        assert generation.attributes[semconv.GPU_DEVICE] == "simulated:0, simulated:1"
        assert generation.attributes[semconv.GPU_MEMORY_DELTA] == 1300
        assert generation.attributes[semconv.GPU_MEMORY_PEAK_EXACT] is False


def test_a_call_waits_for_the_slowest_of_its_devices(device, other, spread):
    with capture(instrument=["diffusers"]) as captured:
        other.hang_back()
        paint(spread)
        assert steps_of(captured) == []
        other.finish()
        assert {span.attributes[semconv.CLOCK] for span in captured.spans} == {"device"}


def test_a_map_of_devices_that_cannot_be_read(device, other, spread, swallows):
    spread.unet.hf_device_map = {"down": "nowhere"}
    with capture(instrument=["diffusers"]) as captured:
        paint(spread)
        assert len(steps_of(captured)) == 3


def test_parts_on_the_disk_run_where_the_call_does(device, other, spread):
    spread.unet.hf_device_map = {"down": "disk", "up": "cpu"}
    with capture(instrument=["diffusers"]) as captured:
        paint(spread)
        assert {step.attributes[semconv.GPU_DEVICE] for step in steps_of(captured)} == {"simulated:0"}


def test_a_denoiser_spread_over_two_devices(device, other, spread):
    spread.unet.hf_device_map = {"down": "cpu", "up": "cuda:1"}  # the first device is the one that the call runs on
    with capture(instrument=["diffusers"]) as captured:
        paint(spread)
        step = steps_of(captured)[-1]
        assert step.attributes[semconv.GPU_DEVICE] == "simulated:0, simulated:1"
        assert step.attributes[semconv.GPU_MEMORY_DELTA] == 100


def test_no_mark_while_a_graph_is_captured(device, pipe):
    device.is_capturing = True
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert device.marks_made == 0
        assert len(steps_of(captured)) == 3


def test_the_device_is_named(device, pipe):
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert captured.spans[-1].resource[semconv.HW_NAME] == "simulated device"
