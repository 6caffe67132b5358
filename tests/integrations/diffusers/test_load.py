"""Loading pipelines and models as spans."""

import json
import shutil

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoModel,
    AutoPipelineForText2Image,
    ControlNetModel,
    DDIMScheduler,
    DiffusionPipeline,
    ModularPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file

import lytrace
from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations.diffusers import DiffusersInstrumentor, _load
from tests.integrations.diffusers import tiny
from tests.integrations.diffusers.families import images

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny Stable Diffusion as ``save_pretrained`` leaves it."""
    place = tmp_path_factory.mktemp("models") / "tiny-sd"
    tiny.stable_diffusion(tmp_path_factory.mktemp("tokenizer")).save_pretrained(place)
    return place


def size_of(*files):
    return sum(file.stat().st_size for file in files)


def weights(folder):
    return sorted(folder.rglob("*.safetensors"))


def loads(captured):
    return [span for span in captured.spans if span.name == semconv.STAGE_LOAD]


@pytest.fixture
def recorded():
    with capture(instrument=["diffusers"]) as captured:
        yield captured


def parameters(pipe):
    return {name: value.tobytes() for name, value in ((n, p.detach().numpy()) for n, p in pipe.unet.named_parameters())}


def test_a_pipeline_is_one_span_with_the_files_that_were_read(recorded, folder):
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    (span,) = loads(recorded)
    assert type(pipe) is StableDiffusionPipeline
    assert span.kind == semconv.KIND_STAGE
    assert span.parent_id == ""
    assert span.status == "UNSET"
    attributes = span.attributes
    assert attributes[semconv.STAGE_NAME] == "load"
    assert attributes[semconv.GEN_AI_REQUEST_MODEL] == "tiny-sd"
    assert attributes[semconv.DIFFUSION_PIPELINE_CLASS] == "StableDiffusionPipeline"
    assert attributes[semconv.DIFFUSION_LOAD_FILE_COUNT] == len(weights(folder)) == 3
    assert attributes[semconv.DIFFUSION_LOAD_BYTES] == size_of(*weights(folder))
    assert attributes[semconv.DIFFUSION_LOAD_SOURCE] == "local"
    assert attributes[semconv.DIFFUSION_DTYPE] == "float32"
    assert attributes[semconv.DIFFUSION_DEVICE] == "cpu"
    assert str(folder.parent) not in json.dumps(attributes)


def test_the_same_pipeline_as_without_us(folder):
    plain = parameters(StableDiffusionPipeline.from_pretrained(folder))
    with capture(instrument=["diffusers"]):
        assert parameters(StableDiffusionPipeline.from_pretrained(folder)) == plain


@pytest.mark.parametrize("cls", [DiffusionPipeline, AutoPipelineForText2Image])
def test_classes_that_choose_another_one(recorded, folder, cls):
    assert type(cls.from_pretrained(str(folder))) is StableDiffusionPipeline
    (span,) = loads(recorded)
    assert span.attributes[semconv.DIFFUSION_PIPELINE_CLASS] == "StableDiffusionPipeline"


def test_cls_is_the_users_subclass(recorded, folder):
    class Mine(StableDiffusionPipeline):
        @classmethod
        def from_pretrained(cls, path, **kwargs):
            pipe = super().from_pretrained(path, **kwargs)
            pipe.loaded_by = cls
            return pipe

    class Other(Mine):
        pass

    assert Other.from_pretrained(folder).loaded_by is Other
    assert type(Other.from_pretrained(folder)) is Other
    assert [span.attributes[semconv.DIFFUSION_PIPELINE_CLASS] for span in loads(recorded)] == ["Other", "Other"]


def test_below_what_is_current(recorded, folder):
    with lytrace.span("start"):
        StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float16, device_map=None)
    (span,) = loads(recorded)
    assert span.parent_id == recorded.span("start").span_id
    assert span.attributes[semconv.DIFFUSION_DTYPE] == "float16"


def test_a_model_of_its_own(recorded, folder):
    UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    AutoModel.from_pretrained(str(folder), subfolder="vae")
    unet, vae = loads(recorded)
    assert unet.attributes[semconv.DIFFUSION_COMPONENT_CLASS] == "UNet2DConditionModel"
    assert unet.attributes[semconv.DIFFUSION_LOAD_BYTES] == size_of(*weights(folder / "unet"))
    assert vae.attributes[semconv.DIFFUSION_COMPONENT_CLASS] == "AutoencoderKL"
    assert vae.attributes[semconv.DIFFUSION_LOAD_FILE_COUNT] == 1


def test_what_is_given_is_not_loaded(recorded, folder):
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    StableDiffusionPipeline.from_pretrained(folder, vae=vae)
    _, pipe = loads(recorded)
    assert pipe.attributes[semconv.DIFFUSION_LOAD_FILE_COUNT] == 2


def test_shards_and_a_variant(recorded, tmp_path, folder):
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    unet.save_pretrained(tmp_path / "sharded", max_shard_size=20_000)
    unet.save_pretrained(tmp_path / "variants")
    unet.half().save_pretrained(tmp_path / "variants", variant="fp16")
    UNet2DConditionModel.from_pretrained(tmp_path / "sharded")
    UNet2DConditionModel.from_pretrained(tmp_path / "variants", variant="fp16")
    _, sharded, half = (span.attributes for span in loads(recorded))
    assert sharded[semconv.DIFFUSION_LOAD_FILE_COUNT] == len(weights(tmp_path / "sharded")) > 1
    assert sharded[semconv.DIFFUSION_LOAD_BYTES] == size_of(*weights(tmp_path / "sharded"))
    assert half[semconv.DIFFUSION_LOAD_VARIANT] == "fp16"
    assert half[semconv.DIFFUSION_LOAD_BYTES] == size_of(*(tmp_path / "variants").glob("*.fp16.safetensors"))


def test_from_the_hubs_cache(recorded, tmp_path, folder):
    snapshot = tmp_path / "models--lighthouse--tiny-sd" / "snapshots" / "0123abcd"
    shutil.copytree(folder, snapshot)
    blobs = snapshot.parent.parent / "blobs"
    blobs.mkdir()
    for number, file in enumerate(weights(snapshot)):
        blob = blobs / f"{number:064x}"
        file.rename(blob)
        file.symlink_to(blob)
    StableDiffusionPipeline.from_pretrained(snapshot)
    (span,) = loads(recorded)
    assert span.attributes[semconv.GEN_AI_REQUEST_MODEL] == "lighthouse/tiny-sd"
    assert span.attributes[semconv.DIFFUSION_LOAD_SOURCE] == "cache"
    assert span.attributes[semconv.DIFFUSION_LOAD_BYTES] == size_of(*weights(folder))


def test_a_file_that_came_during_the_call_was_downloaded(recorded, tmp_path, folder, monkeypatch):
    """Stands in for the hub, which no test reaches: the files arrive while the pipeline looks for them."""
    source, load_config = tmp_path / "tiny-sd", StableDiffusionPipeline.load_config.__func__
    shutil.copytree(folder, source, ignore=shutil.ignore_patterns("*.safetensors"))

    def download(cls, path, *args, **kwargs):
        shutil.copytree(folder, source, dirs_exist_ok=True)
        return load_config(cls, path, *args, **kwargs)

    monkeypatch.setattr(StableDiffusionPipeline, "load_config", classmethod(download))
    StableDiffusionPipeline.from_pretrained(source)
    assert loads(recorded)[0].attributes[semconv.DIFFUSION_LOAD_SOURCE] == "download"


def test_an_error_is_the_same_and_recorded(recorded, tmp_path):
    with pytest.raises(OSError, match=r"model_index\.json"):
        StableDiffusionPipeline.from_pretrained(tmp_path)
    (span,) = loads(recorded)
    assert span.status == "ERROR"
    assert span.attributes[semconv.ERROR_TYPE] == "OSError"
    assert lytrace.current() is None
    assert _load.current.get() is None


def test_a_modular_pipeline_loads_when_it_is_told_to(recorded, tmp_path):
    images.xl().save_pretrained(tmp_path / "tiny-xl")
    pipe = ModularPipeline.from_pretrained(str(tmp_path / "tiny-xl"))
    pipe.load_components(dtype=torch.float16)
    first, second = (span.attributes for span in loads(recorded))
    assert semconv.DIFFUSION_LOAD_BYTES not in first
    assert first[semconv.GEN_AI_REQUEST_MODEL] == second[semconv.GEN_AI_REQUEST_MODEL] == "tiny-xl"
    assert second[semconv.DIFFUSION_LOAD_BYTES] == size_of(*weights(tmp_path / "tiny-xl"))
    assert second[semconv.DIFFUSION_PIPELINE_CLASS] == "StableDiffusionXLModularPipeline"
    assert second[semconv.DIFFUSION_DTYPE] == "float16"


def test_single_file_of_a_model(recorded, tmp_path):
    """A checkpoint with diffusers' own names: the only kind of a size that a test can have."""
    torch.manual_seed(0)
    config = tmp_path / "config"
    model = tiny.unet()
    model.save_pretrained(config / "unet")
    checkpoint = tmp_path / "painter.safetensors"
    save_file(model.state_dict(), checkpoint)
    loaded = UNet2DConditionModel.from_single_file(str(checkpoint), config=str(config), subfolder="unet")
    assert all((a == b).all() for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True))
    (span,) = loads(recorded)
    assert span.attributes[semconv.GEN_AI_REQUEST_MODEL] == "painter.safetensors"
    assert span.attributes[semconv.DIFFUSION_LOAD_BYTES] == size_of(checkpoint)
    assert span.attributes[semconv.DIFFUSION_COMPONENT_CLASS] == "UNet2DConditionModel"


def test_single_file_of_a_pipeline_that_is_none(recorded, tmp_path):
    checkpoint = tmp_path / "nothing.safetensors"
    save_file({"a": torch.zeros(3)}, checkpoint)
    with pytest.raises(Exception, match=r".+"):  # whichever error diffusers finds for it
        StableDiffusionPipeline.from_single_file(str(checkpoint), config=str(tmp_path))
    (span,) = loads(recorded)
    assert span.status == "ERROR"
    assert span.attributes[semconv.DIFFUSION_LOAD_BYTES] == size_of(checkpoint)


def test_every_class_method_comes_back(folder):
    classes = [DiffusionPipeline, StableDiffusionPipeline, UNet2DConditionModel, ControlNetModel, ModularPipeline]
    classes += [base for cls in classes for base in cls.__mro__ if base is not object]
    before = {cls: dict(vars(cls)) for cls in classes}
    instrumentor = DiffusersInstrumentor()
    with capture():
        instrumentor.instrument()
        assert vars(DiffusionPipeline)["from_pretrained"] is not before[DiffusionPipeline]["from_pretrained"]
        instrumentor.uninstrument()
    assert {cls: dict(vars(cls)) for cls in classes} == before


@pytest.mark.parametrize("name", ["_open", "_read", "_describe"])
def test_every_hook_falls_through(swallows, monkeypatch, folder, name):
    def fails(*args, **kwargs):
        raise ZeroDivisionError("ours")

    plain = parameters(StableDiffusionPipeline.from_pretrained(folder))
    with capture(instrument=["diffusers"]) as captured, monkeypatch.context() as patch:
        if name == "_read":
            patch.setattr(_load.Load, "read", fails)
        else:
            patch.setattr(_load, name, fails) if name == "_describe" else patch.setattr(_load, "model_name", fails)
        assert parameters(StableDiffusionPipeline.from_pretrained(folder)) == plain
        assert len(loads(captured)) == (name != "_open")


def test_without_init_nothing_is_recorded(folder):
    instrumentor = DiffusersInstrumentor()
    instrumentor.instrument()
    try:
        assert isinstance(StableDiffusionPipeline.from_pretrained(folder).scheduler, DDIMScheduler)
    finally:
        instrumentor.uninstrument()
