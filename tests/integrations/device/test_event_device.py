"""The device with timing events, on a stand-in for ``torch.cuda``: there is no GPU here; ``benchmarks/gpu.py`` is for real ones.

The stand-in keeps the rules of CUDA that matter here: an event is passed when its stream gets there, and an elapsed time is a
float32 of milliseconds. Time is the stand-in's, too: a microsecond passes with every look at the clock.
"""

import itertools
import struct
from types import SimpleNamespace

import pytest

from lytrace_integrations._device import CallClock, CudaDevice, Moment, XpuDevice, _torch

MINUTE_NS = 60_000_000_000


class Clock:
    now_ns = 1_700_000_000_000_000_000

    def __call__(self):
        self.now_ns += 1000
        return self.now_ns

    def sleep(self, seconds):
        self.now_ns += round(seconds * 1e9)


clock = Clock()


class Api:
    """``torch.cuda``: one stream that works off what it is given, and a clock of its own."""

    def __init__(self):
        self.busy_until_ns = 0
        self.drift_ns = -123_456_789
        self.capturing = False
        self.made = 0
        self.peak = 500
        self.memory = SimpleNamespace(memory_stats_as_nested_dict=self.statistics, reset_peak_memory_stats=self.reset)

    def Event(self, *, enable_timing):
        assert enable_timing
        self.made += 1
        return Event(self)

    def current_stream(self, index):
        return SimpleNamespace(query=lambda: clock() >= self.busy_until_ns)

    def is_current_stream_capturing(self):
        return self.capturing

    def run(self, duration_ns):
        self.busy_until_ns = max(self.busy_until_ns, clock()) + duration_ns

    def statistics(self, index):
        kinds = {"current": 100, "peak": self.peak, "allocated": 900, "freed": 800}
        return {"allocated_bytes": {"all": kinds}, "reserved_bytes": {"all": kinds}, "num_ooms": 0}

    def reset(self, index):
        self.peak = 100

    def get_device_properties(self, index):
        return SimpleNamespace(uuid=f"0000-{index}")


class Event:
    def __init__(self, api):
        self.api, self.at_ns = api, 0

    def record(self, stream):
        assert not self.api.capturing
        self.at_ns = max(clock(), self.api.busy_until_ns)

    def query(self):
        assert not self.api.capturing
        return clock() >= self.at_ns

    def elapsed_time(self, other):
        assert self.query()
        assert other.query()
        return struct.unpack("f", struct.pack("f", (other.at_ns - self.at_ns) / 1e6))[0]


@pytest.fixture
def api(monkeypatch):
    made = Api()
    torch = SimpleNamespace(cuda=made, xpu=made, version=SimpleNamespace(cuda="13.0", hip=None, xpu=None))
    monkeypatch.setattr(_torch, "_torch", lambda: torch)
    monkeypatch.setattr(_torch, "time", SimpleNamespace(time_ns=clock))
    return made


def resolved(device, moments):
    clock = CallClock(device, moments)
    return clock.resolve()


def test_times_are_the_devices(api):
    device = CudaDevice(0)
    device.begin()
    moments = [device.moment()]
    for _ in range(3):
        api.run(5_000_000)
        moments.append(device.moment())
    assert not resolved(device, moments)
    clock.sleep(0.03)
    assert resolved(device, moments)
    durations = [b.device_ns - a.device_ns for a, b in itertools.pairwise(moments)]
    assert durations == pytest.approx([5_000_000] * 3, abs=20_000)
    assert moments[0].device_ns == pytest.approx(moments[0].host_ns, abs=100_000)


def test_durations_are_exact_however_late_the_question(api, monkeypatch):
    device = CudaDevice(0)
    device.begin()
    start = clock()
    moments = [Moment(start, event) for event in (api.Event(enable_timing=True), api.Event(enable_timing=True))]
    for moment, offset_ns in zip(moments, (0, 1_234_567), strict=True):
        moment.mark.at_ns = start - 60 * MINUTE_NS + offset_ns  # an hour ago: 3.6e6 ms in a float32 are exact to 0.25 ms
    assert resolved(device, moments)
    assert moments[1].device_ns - moments[0].device_ns == pytest.approx(1_234_567, abs=1)


def test_a_busy_device_is_placed_by_the_anchor_of_before(api):
    device = CudaDevice(0)
    device.begin()
    anchored = device._anchor
    first = device.moment()
    api.run(3_000_000)
    last = device.moment()
    clock.sleep(0.005)
    api.run(10 * MINUTE_NS)  # the next call's work: the device will not be idle for long
    assert resolved(device, [first, last])
    assert device._anchor is anchored
    assert last.device_ns - first.device_ns == pytest.approx(3_000_000, abs=20_000)


def test_without_an_anchor_a_busy_device_is_asked_later(api):
    device = CudaDevice(0)
    api.run(10 * MINUTE_NS)
    device.begin()
    moment = Moment(clock(), api.Event(enable_timing=True))
    moment.mark.at_ns = clock()
    assert device._anchor is None
    assert not resolved(device, [moment])
    api.busy_until_ns = 0
    assert resolved(device, [moment])


def test_while_a_graph_is_captured_nothing_is_recorded_or_asked(api):
    device = CudaDevice(0)
    moment = device.moment()
    api.capturing = True
    device.begin()
    assert device.moment().mark is None
    assert not resolved(device, [moment])


def test_events_are_used_again(api):
    device = CudaDevice(0)
    for _ in range(20):
        device.begin()
        assert resolved(device, [device.moment() for _ in range(5)])
    assert api.made <= 5 + 21  # the boundaries of one call, and an anchor a call


def test_events_that_may_still_be_passed_are_not(api):
    device = CudaDevice(0)
    api.run(10 * MINUTE_NS)
    moment = device.moment()
    clock = CallClock(device, [moment])
    clock.let_go()
    assert device._free == []
    assert moment.device_ns is None


def test_memory_and_names(api):
    device = CudaDevice(1)
    assert device.memory() == (100, 100, 500, 900, None)
    assert (device.label, device.identity) == ("cuda:1", "GPU-0000-1")
    assert device.versions() == {"lytrace.lib.cuda.version": "13.0"}
    device.reset_peak()
    assert device.memory().peak == 100


def test_a_device_that_fails_leaves_the_hosts_time(api, swallows):
    def fail(*args):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    device = CudaDevice(0)
    api.memory.memory_stats_as_nested_dict = fail
    moment = device.moment()
    assert (moment.mark is None, moment.memory) == (False, None)
    api.current_stream = fail
    assert device.moment().mark is None


def test_an_allocator_that_tells_nothing(api):
    api.memory.memory_stats_as_nested_dict = lambda index: {}
    assert CudaDevice(0).memory() is None


def test_an_older_xpu_knows_no_graphs(api, monkeypatch):
    monkeypatch.delattr(Api, "is_current_stream_capturing")
    device = XpuDevice(0)
    assert device.capturing() is False
    assert device.moment().mark is not None
