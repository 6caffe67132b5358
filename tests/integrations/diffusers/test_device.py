"""A pipeline on a simulated device: the host runs ahead, the spans tell the device's times and memory.

The device is simulated because the machines that run this suite have none; ``benchmarks/gpu.py`` is for real ones.
"""

import pytest
import torch

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations._device import SimulatedDevice
from tests.integrations.diffusers import tiny

pytestmark = pytest.mark.model
STEP_NS = 400_000_000


@pytest.fixture
def device(monkeypatch):
    simulated = SimulatedDevice()
    monkeypatch.setattr("lytrace_integrations.diffusers._generation.device_of", lambda _: simulated)
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


def test_a_device_that_lags_leaves_the_hosts_times(device, pipe):
    device.hang_back()
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert {step.attributes[semconv.CLOCK] for step in steps_of(captured)} == {"host"}


def test_no_mark_while_a_graph_is_captured(device, pipe):
    device.capturing = True
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert device.marks_made == 0
        assert len(steps_of(captured)) == 3


def test_the_device_is_named(device, pipe):
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert captured.spans[-1].resource[semconv.HW_NAME] == "simulated device"
