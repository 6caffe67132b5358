"""Energy, utilisation and driver versions through NVML.

``pynvml`` is a stand-in: the library wants an NVIDIA driver, and the machines that run this suite have none. What the real one
answers to that is tested as well.
"""

import os
import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import pytest

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations._device import SimulatedDevice, _power
from lytrace_integrations._device._nvml import Nvml, Reading
from lytrace_integrations._device._power import Metering, PowerMeter
from tests.integrations.diffusers import tiny

SECOND_NS = 1_000_000_000
IDENTITY = "GPU-8b2f"


class NotSupportedError(Exception):
    """``NVMLError_NotSupported``."""


class Library(ModuleType):
    """``pynvml`` with two GPUs, of which the first draws 100 W; it notes who asks."""

    def __init__(self):
        super().__init__("pynvml")
        self.started_ns = time.time_ns()
        self.known = {IDENTITY: 1, "MIG-77": 2}
        self.asked_by = set()

    def nvmlInit(self):
        self.asked_by.add(threading.current_thread().name)

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid not in self.known:
            raise NotSupportedError
        return self.known[uuid]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        self.asked_by.add(threading.current_thread().name)
        if handle == 2:
            raise NotSupportedError
        return round((time.time_ns() - self.started_ns) / SECOND_NS * 100 * 1000)  # millijoules

    def nvmlDeviceGetUtilizationRates(self, handle):
        return SimpleNamespace(gpu=75, memory=10)

    def nvmlSystemGetDriverVersion(self):
        return "580.65.06"

    def nvmlSystemGetCudaDriverVersion(self):
        return 13010


@pytest.fixture
def library(monkeypatch):
    made = Library()
    monkeypatch.setitem(sys.modules, "pynvml", made)
    monkeypatch.setattr(_power, "_meter", PowerMeter())
    monkeypatch.setattr(_power, "_IDLE_S", 0.05)
    return made


def test_what_the_real_library_says_without_a_driver(monkeypatch):
    pytest.importorskip("pynvml")
    if Nvml.load() is not None:
        pytest.skip("there is a driver here")
    meter = PowerMeter()
    first = meter.begin([IDENTITY])
    assert first.attributes(0, SECOND_NS) == {}
    assert first.versions() == {}
    assert meter.begin([IDENTITY]) is None  # known not to be there: the next call pays nothing


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Nvml.load() is None


def test_versions_and_handles_by_uuid(library):
    nvml = Nvml.load()
    assert nvml.versions() == {semconv.HW_DRIVER_VERSION: "580.65.06", "lytrace.lib.cuda_driver.version": "13.1"}
    assert nvml.read(IDENTITY).utilization == 0.75
    assert nvml.read("GPU-77").energy_j is None  # a slice of a GPU has no meter of its own
    assert nvml.read("GPU-unknown")[1:] == (None, None)


def readings(*points):
    return [Reading(round(seconds * SECOND_NS), energy, share) for seconds, energy, share in points]


def metering_of(*points):
    metering = Metering(PowerMeter(), [IDENTITY])
    metering.readings[IDENTITY] = readings(*points)
    return metering


def test_energy_between_two_looks_is_on_the_line_between_them():
    metering = metering_of((0, 1000, 0.0), (10, 2000, 1.0), (20, 4000, 0.5))
    found = metering.attributes(5 * SECOND_NS, 15 * SECOND_NS)
    assert found[semconv.GPU_ENERGY] == pytest.approx(3000 - 1500)
    assert found[semconv.GPU_UTILIZATION] == 1.0
    found = metering.attributes(0, 20 * SECOND_NS)
    assert found[semconv.GPU_UTILIZATION] == pytest.approx(0.75)


def test_a_call_that_was_looked_at_in_part_only_says_nothing_of_its_energy():
    metering = metering_of((5, 1000, 0.5), (10, 2000, 0.5))
    assert semconv.GPU_ENERGY not in metering.attributes(0, 10 * SECOND_NS)
    assert metering.attributes(4.9 * SECOND_NS, 10 * SECOND_NS)[semconv.GPU_ENERGY] == 1000


def test_a_long_call_keeps_few_readings_and_its_energy():
    metering = Metering(PowerMeter(), [IDENTITY])
    for number in range(20_000):
        metering.note(IDENTITY, Reading(number * SECOND_NS, number * 5.0, 0.5))
    assert len(metering.readings[IDENTITY]) <= 512
    found = metering.attributes(0, 19_999 * SECOND_NS)
    assert found[semconv.GPU_ENERGY] == pytest.approx(19_999 * 5.0)
    assert found[semconv.GPU_UTILIZATION] == pytest.approx(0.5)


def test_several_gpus_draw_together():
    metering = metering_of((0, 0, 1.0), (10, 100, 1.0))
    metering.readings["GPU-2"] = readings((0, 50, 0.5), (10, 250, 0.5))
    found = metering.attributes(0, 10 * SECOND_NS)
    assert (found[semconv.GPU_ENERGY], found[semconv.GPU_UTILIZATION]) == (300, 0.75)


def test_a_generation_on_a_gpu(library, tmp_path, monkeypatch):
    device = SimulatedDevice(identity=IDENTITY)
    monkeypatch.setattr("lytrace_integrations.diffusers._devices.device_of", lambda _: device)
    pipe = tiny.stable_diffusion(tmp_path)
    forward = pipe.unet.forward

    def slow(*args, **kwargs):
        time.sleep(0.4)
        return forward(*args, **kwargs)

    pipe.unet.forward = slow
    with capture(instrument=["diffusers"]) as captured:
        pipe("a", num_inference_steps=5, height=16, width=16)
        span = captured.span("generate_content StableDiffusionPipeline")
        seconds = (span.end_ns - span.start_ns) / SECOND_NS
        assert span.attributes[semconv.GPU_ENERGY] == pytest.approx(100 * seconds, rel=0.15)
        assert span.attributes[semconv.GPU_UTILIZATION] == pytest.approx(0.75)
        assert span.resource[semconv.HW_DRIVER_VERSION] == "580.65.06"
        others = [other for other in captured.spans if other is not span]
        assert not any(semconv.GPU_ENERGY in other.attributes for other in others if other.kind != semconv.KIND_GENERATION)
    assert library.asked_by <= {"lytrace-power", "lytrace-finisher"}  # never the user's thread


def test_the_thread_sleeps_and_ends_when_no_call_runs(library):
    meter = _power.meter()
    metering = meter.begin([IDENTITY])
    thread = meter._thread
    while len(metering.readings[IDENTITY]) < 2:
        time.sleep(0.01)
    metering.stop()
    thread.join(10)
    assert not thread.is_alive()
    again = meter.begin([IDENTITY])
    while not again.readings[IDENTITY]:
        time.sleep(0.01)
    again.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_a_meter_of_its_own(library):
    parents = _power.meter()
    child = os.fork()
    if child == 0:
        os._exit(0 if _power.meter() is not parents and _power.meter().begin([IDENTITY]) is not None else 1)
    assert os.waitpid(child, 0)[1] == 0
