"""Out of memory: where it happened, what was asked for and what there was. Messages are torch 2.13's and its predecessors'."""

import contextlib
import gc
import weakref

import pytest
import torch

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations._device import Memory, SimulatedDevice
from lytrace_integrations.diffusers._memory_errors import read
from tests.integrations.diffusers import tiny

GIB, MIB = 2**30, 2**20
CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.50 GiB of which 1.25 GiB is free. "
    "Process 17 has 1.00 GiB memory in use. Including non-PyTorch memory, this process has 21.25 GiB memory in use. "
    "Of the allocated memory 20.00 GiB is allocated by PyTorch, with 120.00 MiB allocated in private pools (e.g., CUDA Graphs), "
    "and 512.00 MiB is reserved by PyTorch but unallocated. If reserved but unallocated memory is large try setting "
    "PYTORCH_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)
OLD_CUDA = (
    "CUDA out of memory. Tried to allocate 36.00 MiB (GPU 0; 7.93 GiB total capacity; 130.35 MiB already allocated; "
    "47.06 MiB free; 188.00 MiB reserved in total by PyTorch)"
)
XPU = (
    "XPU out of memory. Tried to allocate 192.00 MiB. GPU 3 has a total capacity of 31.89 GiB of which 13.22 GiB is free. "
    "Of the allocated memory 18.00 GiB is allocated by PyTorch, and 10.50 MiB is reserved by PyTorch but unallocated. "
    "Please use `empty_cache` to release all unoccupied cached memory."
)
MPS = (
    "MPS backend out of memory (MPS allocated: 17.36 GB, other allocations: 613.56 MB, max allowed: 18.13 GB). "
    "Tried to allocate 192.00 MB on private pool. Use PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 to disable upper limit."
)
HOST = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes."
)


def test_cudas_message():
    found = read(torch.OutOfMemoryError(CUDA))
    assert (found.requested, found.capacity, found.free) == (2 * GIB, 23.5 * GIB, 1.25 * GIB)
    assert (found.allocated, found.reserved) == (20 * GIB, 20.5 * GIB)


def test_an_older_message():
    found = read(RuntimeError(OLD_CUDA))
    assert (found.requested, found.free, found.reserved) == (36 * MIB, round(47.06 * MIB), 188 * MIB)
    assert (found.allocated, found.capacity) == (round(130.35 * MIB), round(7.93 * GIB))


def test_xpu_mps_and_the_host():
    assert read(torch.OutOfMemoryError(XPU)).requested == 192 * MIB
    found = read(RuntimeError(MPS))
    assert (found.requested, found.allocated, found.capacity) == (192 * MIB, round(17.36 * GIB), round(18.13 * GIB))
    assert read(RuntimeError(HOST)).requested == 4096


@pytest.mark.parametrize("error", [None, RuntimeError("shape mismatch"), ValueError(CUDA), KeyboardInterrupt()])
def test_other_errors_say_nothing_of_memory(error):
    assert read(error) is None


def test_what_the_message_leaves_out_the_allocator_tells():
    found = read(torch.OutOfMemoryError("Allocation on device"), Memory(7, 9))
    assert (found.requested, found.allocated, found.reserved) == (None, 7, 9)
    assert read(torch.OutOfMemoryError(CUDA), Memory(7, 9)).allocated == 20 * GIB


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    """A pipeline on a simulated device, since the machines that run this suite have no other."""
    device = SimulatedDevice(allocated=7, total=7)
    monkeypatch.setattr("lytrace_integrations.diffusers._devices.device_of", lambda _: device)
    return tiny.stable_diffusion(tmp_path)


def run_out(model, at, message=CUDA):
    """``model`` raises at its call number ``at``."""
    forward, calls = model.forward, []

    def forward_or_raise(*args, **kwargs):
        calls.append(1)
        if len(calls) > at:
            raise torch.OutOfMemoryError(message)
        return forward(*args, **kwargs)

    model.forward = forward_or_raise


def failed(pipe, captured):
    with pytest.raises(torch.OutOfMemoryError) as raised:
        pipe("a", num_inference_steps=5, height=16, width=16)
    assert str(raised.value)
    return captured.span("generate_content StableDiffusionPipeline")


def test_in_a_step(pipe):
    run_out(pipe.unet, 3)
    with capture(instrument=["diffusers"]) as captured:
        span = failed(pipe, captured)
        assert span.status_message == (
            "out of memory in step 3 of 5 (unet): asked for 2.0 GiB, 20.0 GiB allocated, 1.2 GiB free of 23.5 GiB"
        )
        assert span.attributes[semconv.OUT_OF_MEMORY_STAGE] == "denoise"
        assert span.attributes[semconv.OUT_OF_MEMORY_STEP] == 3
        assert span.attributes[semconv.OUT_OF_MEMORY_COMPONENT] == "unet"
        assert span.attributes[semconv.OUT_OF_MEMORY_REQUESTED] == 2 * GIB
        assert span.attributes[semconv.OUT_OF_MEMORY_RESERVED] == 20.5 * GIB
        assert span.attributes[semconv.ERROR_TYPE] == "torch.OutOfMemoryError"


def test_in_a_stage(pipe):
    run_out(pipe.vae.decoder, 0, "Allocation on device")
    with capture(instrument=["diffusers"]) as captured:
        span = failed(pipe, captured)
        assert span.status_message == "out of memory in vae_decode (vae): 7 bytes allocated"
        assert span.attributes[semconv.OUT_OF_MEMORY_STAGE] == "vae_decode"
        assert semconv.OUT_OF_MEMORY_STEP not in span.attributes


def test_the_memory_that_ran_out_is_free_once_the_user_lets_go(pipe):
    class Tensor:
        """What a frame of the failing call holds."""

    held = []

    def forward(*args, **kwargs):
        local = Tensor()
        held.append(weakref.ref(local))
        raise torch.OutOfMemoryError(CUDA)

    pipe.unet.forward = forward
    with capture(instrument=["diffusers"]):
        with contextlib.suppress(torch.OutOfMemoryError):
            pipe("a", num_inference_steps=2, height=16, width=16)
        gc.collect()
        assert held[0]() is None
