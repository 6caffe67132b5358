"""``opentelemetry-instrument`` and ``lytrace run`` on scripts that never mention lytrace: one makes an image, one answers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
