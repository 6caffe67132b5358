"""Programs that end while a call still waits for its device. The device is simulated, as there is no other here."""

import signal
import subprocess
import sys

import pytest

from lytrace import semconv
from tests.lytrace.support import environment, read_spool

pytestmark = pytest.mark.model
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
import lytrace
from lytrace_integrations._device import SimulatedDevice
from lytrace_integrations.diffusers import _devices
from tests.integrations.diffusers import tiny

device = SimulatedDevice()
device.hang_back()
_devices.device_of = lambda _: device
lytrace.init("program", instrument=["diffusers"])
pipe = tiny.stable_diffusion(Path(sys.argv[1]))
pipe("a", num_inference_steps=2, height=16, width=16, output_type="latent")
"""
ENDS = {
    "the device is done by then": ("device.finish()", 0),
    "it is not": ("", 0),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "kill -9": ("lytrace.flush(1); os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
}


def spooled(tmp_path, end):
    code, status = ENDS[end]
    program = [sys.executable, "-c", PROGRAM + code, str(tmp_path)]
    variables = environment(tmp_path, LYTRACE_EXIT_TIMEOUT_S="4")
    done = subprocess.run(program, env=variables, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == status, done.stderr
    return read_spool(tmp_path / "home" / "spool")


def test_a_device_that_is_done_at_the_end_gives_its_times(tmp_path):
    captured = spooled(tmp_path, "the device is done by then")
    assert {span.attributes[semconv.CLOCK] for span in captured.spans} == {"device"}
    assert sum(span.kind == semconv.KIND_STEP for span in captured.spans) == 2


@pytest.mark.parametrize("end", ["it is not", "SIGTERM"])
def test_one_that_is_not_leaves_the_hosts(tmp_path, end):
    captured = spooled(tmp_path, end)
    (generation,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    assert generation.attributes[semconv.CLOCK_REASON] == "not_done"
    assert sum(span.kind == semconv.KIND_STEP for span in captured.spans) == 2


def test_a_killed_program_shows_the_call_as_lost(tmp_path):
    captured = spooled(tmp_path, "kill -9")
    assert captured.spans == []
    (pending,) = captured.pending
    assert pending.name == "generate_content StableDiffusionPipeline"
