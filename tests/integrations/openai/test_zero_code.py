"""``lytrace run`` and ``opentelemetry-instrument`` on a script that never mentions lytrace and calls openai."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.stand_in import serve

ROOT = Path(__file__).parent.parent.parent.parent
BIN = Path(sys.executable).parent
SCRIPT = """
import sys
import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="stand-in")
client.images.generate(model="stand-in-image", prompt="a red circle with no blue square", size="256x256")
"""


@pytest.mark.parametrize(
    "launcher", [(str(BIN / "lytrace"), "run"), (str(BIN / "opentelemetry-instrument"), sys.executable)], ids=["lytrace", "otel"]
)
def test_a_script_is_recorded_without_a_change(tmp_path, launcher):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LYTRACE_", "OTEL_"))}
    home = {
        "LYTRACE_HOME": str(tmp_path / "home"),
        "LYTRACE_COLLECTOR": "",
        "LYTRACE_EXIT_TIMEOUT_S": "30",
        "PYTHONPATH": str(ROOT),
    }
    with serve() as stand_in:
        command = [*launcher, str(script), stand_in.openai_base_url]
        done = subprocess.run(command, env={**clean, **home}, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    stored = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*.seg"))
    assert b"a red circle with no blue square" in stored
    assert b"generate_content stand-in-image" in stored
    assert len(list((tmp_path / "home").rglob("artifacts/*"))) == 1
