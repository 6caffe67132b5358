"""``opentelemetry-instrument`` and ``lytrace run`` on scripts that never mention lytrace: one makes an image, one answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lytrace_integrations import zero_code

ROOT = Path(__file__).parent.parent.parent
PAINTS = """
import sys
from pathlib import Path
from tests.integrations.diffusers import tiny

tiny.stable_diffusion(Path(sys.argv[1]))("a red circle", num_inference_steps=2, height=16, width=16)
"""
ANSWERS = """
from tests.integrations.transformers import tiny

tiny.llama().generate(**tiny.tokenizer()("a red circle", return_tensors="pt"), max_new_tokens=3)
"""
BIN = Path(sys.executable).parent


@pytest.mark.model
@pytest.mark.parametrize(("code", "name", "count"), [(PAINTS, b"denoise_step", 2), (ANSWERS, b"chat LlamaForCausalLM", 2)])
@pytest.mark.parametrize(
    "launcher", [(str(BIN / "lytrace"), "run"), (str(BIN / "opentelemetry-instrument"), sys.executable)], ids=["lytrace", "otel"]
)
def test_a_script_is_recorded_without_a_change(tmp_path, launcher, code, name, count):
    script = tmp_path / "script.py"
    script.write_text(code)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LYTRACE_", "OTEL_"))}
    home = {
        "LYTRACE_HOME": str(tmp_path / "home"),
        "LYTRACE_COLLECTOR": "",
        "LYTRACE_EXIT_TIMEOUT_S": "30",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [*launcher, str(script), str(tmp_path)], env={**clean, **home}, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    stored = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*.seg"))
    assert stored.count(name) == count  # a model call is announced, too
    assert b"a red circle" in stored


@pytest.mark.parametrize(
    ("made", "library"),
    [
        (zero_code.DiffusersZeroCode, "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion"),
        (zero_code.GoogleGenAIZeroCode, "google.genai._api_client"),
        (zero_code.OpenAIZeroCode, "openai"),
        (zero_code.TransformersZeroCode, "transformers.generation.utils"),
    ],
)
def test_each_switches_lytrace_and_itself_on_and_undoes_every_patch(tmp_path, made, library):
    """What ``opentelemetry-instrument`` calls, in a process of its own: instrument, uninstrument, and that again."""
    code = f"""
import importlib, sys
from lytrace import _active
from lytrace_integrations import zero_code

switch = zero_code.{made.__name__}()
assert _active.active() is None
for _ in range(2):
    switch.instrument(skip_dep_check=False)
    assert _active.active() is not None
    importlib.import_module({library!r})
    patches = switch._inner.patches
    held = [(owner, name) for owner, name, *_ in patches._patches]
    assert held
    assert all(getattr(vars(owner)[name], "__lytrace__", None) or hasattr(vars(owner)[name], "__func__") for owner, name in held)
    switch.uninstrument()
    assert not any(getattr(vars(owner).get(name), "__lytrace__", None) for owner, name in held)
print(len(held))
"""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LYTRACE_", "OTEL_"))}
    home = {"LYTRACE_HOME": str(tmp_path), "LYTRACE_COLLECTOR": "", "PYTHONPATH": str(ROOT), "LYTRACE_RAISE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**clean, **home}, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
