"""Identity of weights: two checkpoints of one architecture differ, a copy does not, the hub's cache is believed."""

import shutil

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations.diffusers._weights import identities, identity
from tests.integrations.diffusers import tiny


def checkpoint(path, value, megabytes=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"weight": torch.full((megabytes * 1024 * 256,), value)}, str(path))
    return path


def test_same_header_other_values(tmp_path):
    first, second = (checkpoint(tmp_path / f"{value}.safetensors", value) for value in (1.0, 2.0))
    copy = shutil.copy(first, tmp_path / "copy.safetensors")
    assert identity(first) == identity(copy)
    assert identity(first) != identity(second)
    assert identity(first).startswith("sampled:")


@pytest.mark.parametrize("offset", [0.1, 0.5, 0.999])
def test_a_large_file_is_sampled_and_a_changed_region_is_seen(tmp_path, offset):
    path = checkpoint(tmp_path / "large.safetensors", 1.0, megabytes=20)
    before = identity(path)
    changed = bytearray(path.read_bytes())
    start = int(len(changed) * offset)
    changed[start : start + 2**21] = bytes(len(changed[start : start + 2**21]))
    (tmp_path / "other.safetensors").write_bytes(changed)
    assert identity(tmp_path / "other.safetensors") != before


def test_the_hubs_cache_names_its_blobs(tmp_path):
    blob = tmp_path / "blobs" / ("ab" * 32)
    blob.parent.mkdir()
    blob.write_bytes(b"weights")
    link = tmp_path / "snapshots" / "1" / "unet" / "diffusion_pytorch_model.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    assert identity(link) == "sha256:" + "ab" * 32


def test_by_component(tmp_path):
    checkpoint(tmp_path / "unet" / "model.safetensors", 1.0)
    (tmp_path / "empty").mkdir()
    found = identities({"unet": str(tmp_path / "unet"), "vae": str(tmp_path / "empty"), "prior": "nobody/nothing"})
    assert [entry.split(":")[0] for entry in found] == ["unet/model.safetensors sampled"]


@pytest.mark.model
def test_a_generation_names_its_weights(tmp_path):
    made = tiny.stable_diffusion(tmp_path)
    made.save_pretrained(tmp_path / "saved")
    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "saved")
    pipe.set_progress_bar_config(disable=True)
    with capture(instrument=["diffusers"]) as captured:
        for one in (pipe, made):
            one("a", num_inference_steps=1, generator=torch.Generator().manual_seed(0), height=16, width=16)
        loaded, built = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    weights = loaded.attributes[semconv.DIFFUSION_WEIGHTS]
    assert {entry.split("/")[0] for entry in weights} == {"unet", "vae", "text_encoder"}
    assert not any(str(tmp_path) in entry for entry in weights)
    assert semconv.DIFFUSION_WEIGHTS not in built.attributes
