"""Exact peaks, and what the user still sees. On a stand-in for ``torch.cuda``: there is no GPU here to reset anything of."""

import itertools
from types import ModuleType, SimpleNamespace

import pytest
import torch

from lytrace.testing import capture
from lytrace_integrations._device import CudaDevice, SimulatedDevice, _torch, exact, peak_between, restore_peaks
from lytrace_integrations._device import _peaks as peaks
from lytrace_integrations._instrumentor import PatchRegistry


def test_the_peak_of_each_stretch_and_of_longer_ones():
    device = SimulatedDevice(peak=1_000_000)
    exactly = exact(device)
    moments = [exactly.moment()]
    for size in (100, 300, 200):
        device.run(0, allocates=size, frees=size)
        moments.append(exactly.moment())
    serials = [moment.memory.serial for moment in moments]
    found = exactly.between(serials[0], serials[-1])
    assert [peak_between(found, a, b) for a, b in itertools.pairwise(serials)] == [100, 300, 200]
    assert peak_between(found, serials[0], serials[-1]) == 300
    assert device.resets == 4
    assert exact(device) is exactly


def test_what_another_call_resets_in_between_counts_as_well():
    device = SimulatedDevice()
    exactly = exact(device)
    before = exactly.moment()
    device.run(0, allocates=900, frees=900)
    exactly.moment()  # of another thread's call
    after = exactly.moment()
    found = exactly.between(before.memory.serial, after.memory.serial)
    assert peak_between(found, before.memory.serial, after.memory.serial) == 900


class Cuda:
    """The parts of ``torch.cuda`` and ``torch.cuda.memory`` that peaks are read through, as torch 2.13 has them."""

    def __init__(self, monkeypatch):
        self.allocated, self.peak = 0, 0
        self.memory = ModuleType("torch.cuda.memory")
        self.package = ModuleType("torch.cuda")
        self.memory.memory_stats_as_nested_dict = lambda device=None: {
            "allocated_bytes": {"all": {"current": self.allocated, "peak": self.peak, "allocated": 0, "freed": 0}},
            "reserved_bytes": {"all": {"current": 0, "peak": 0, "allocated": 0, "freed": 0}},
            "num_ooms": 0,
        }
        self.memory.reset_peak_memory_stats = lambda device=None: setattr(self, "peak", self.allocated)
        self.memory.max_memory_allocated = lambda device=None: self.memory.memory_stats_as_nested_dict(device)["allocated_bytes"][
            "all"
        ]["peak"]
        for name, function in vars(self.memory).items():
            if callable(function):
                setattr(self.package, name, function)
        self.package.memory = self.memory
        self.package.current_device = lambda: 0
        version = SimpleNamespace(cuda=None)
        monkeypatch.setattr(_torch, "_torch", lambda: SimpleNamespace(cuda=self.package, version=version))

    def run(self, size):
        self.peak = max(self.peak, self.allocated + size)


@pytest.fixture
def cuda(monkeypatch):
    monkeypatch.setattr(peaks, "_shown", {})
    return Cuda(monkeypatch)


def test_the_user_sees_the_peak_as_if_nothing_had_been_reset(cuda):
    patches, device = PatchRegistry(), CudaDevice(0)
    imported_by_name = cuda.package.max_memory_allocated
    cuda.run(5000)
    restore_peaks(patches, cuda.package)
    peaks.remember(device)
    device.reset_peak()
    assert device.statistics()["allocated_bytes"]["all"]["peak"] == 0
    for read in (cuda.package.max_memory_allocated, imported_by_name):
        assert read() == 5000
    cuda.run(7000)
    assert cuda.package.max_memory_allocated(0) == 7000
    peaks.remember(device)
    device.reset_peak()
    cuda.package.reset_peak_memory_stats()  # the user's own
    assert cuda.package.max_memory_allocated() == 0
    cuda.run(10)
    assert cuda.package.max_memory_allocated() == 10


def test_the_patches_are_taken_back(cuda):
    before = dict(vars(cuda.package)), dict(vars(cuda.memory))
    patches = PatchRegistry()
    restore_peaks(patches, cuda.package)
    assert vars(cuda.package) != before[0]
    patches.undo()
    assert (dict(vars(cuda.package)), dict(vars(cuda.memory))) == before


def test_torch_is_patched_only_where_exact_peaks_are_asked_for():
    memory = torch.cuda.memory
    before = memory.memory_stats_as_nested_dict
    with capture(instrument=["diffusers"]):
        assert memory.memory_stats_as_nested_dict is before
    with capture(instrument=["diffusers"], exact_peak=True):
        assert memory.memory_stats_as_nested_dict is not before
        assert memory.memory_stats_as_nested_dict() == {}
    assert memory.memory_stats_as_nested_dict is before
