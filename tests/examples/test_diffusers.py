"""The examples of diffusers pipelines run as they are, and say what they promise."""

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytestmark = pytest.mark.model

from examples.diffusers import batch_seeds, compiled, controlnet, cpu_offload, sdxl_refiner, tiny  # noqa: E402

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def run(monkeypatch, capsys):
    """What a program prints, in its own process's place."""
    torch.set_num_threads(1)
    monkeypatch.setenv("COLUMNS", "200")

    def main(program, *options):
        monkeypatch.setattr(sys, "argv", [program.__name__, *options])
        program.main()
        return capsys.readouterr().out

    return main


def test_sdxl_and_its_refiner(run):
    printed = run(sdxl_refiner)
    assert printed.startswith("draw ")
    assert "StableDiffusionXLPipeline  " in printed
    assert "step.count = 4" in printed
    assert "step.count = 1" in printed
    assert printed.count("vae_decode") == 1
    assert "kept once, at StableDiffusionXLImg2ImgPipeline" in printed


def test_controlnet(run):
    printed = run(controlnet)
    assert "controlnet.names = ['controlnet']" in printed
    assert "ControlNetModel, UNet2DConditionModel" in printed
    assert [line.split(":")[0] for line in printed.splitlines()[-2:]] == ["control", "output"]


def test_a_batch_with_a_seed_an_image(run):
    printed = run(batch_seeds)
    assert "seeds = [11, 22, 33, 44]" in printed
    assert "seeds = [33]" in printed
    assert len({line for line in printed.splitlines() if line.startswith("seed ") and "px1:" in line}) == 4
    assert "seed 33 again, alone: the same" in printed


def test_a_model_of_ones_own_is_loaded(run, tmp_path):
    tiny.seeded(tiny.stable_diffusion).save_pretrained(tmp_path / "mine")
    printed = run(batch_seeds, "--model", str(tmp_path / "mine"), "--steps", "2")
    assert "load  " in printed
    assert "generate_content mine" in printed
    assert "2 × denoise_step" in printed


def test_torch_compile(run):
    torch.compiler.reset()
    printed = run(compiled)
    assert printed.count("generate_content") == 3
    assert "the first call, which compiles:" in printed


def test_cpu_offload(run):
    printed = run(cpu_offload, "--steps", "2")
    assert ("There is no accelerator here" in printed) == (not torch.accelerator.is_available())
    assert "2 × denoise_step" in printed


@pytest.mark.parametrize("name", ["sdxl_refiner", "controlnet", "batch_seeds", "compiled", "cpu_offload"])
def test_help_is_readable(name):
    command = [sys.executable, "-m", f"examples.diffusers.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"python -m examples.diffusers.{name}" in done.stdout
    assert "--model" in done.stdout
