"""What a pipeline was asked to do: its arguments and components as attributes. Reads, never changes."""

import contextlib
import functools
import inspect
import struct
import sys
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lytrace import semconv

_NUMBERS = {
    "num_inference_steps": semconv.DIFFUSION_NUM_INFERENCE_STEPS,
    "guidance_scale": semconv.DIFFUSION_GUIDANCE_SCALE,
    "strength": semconv.DIFFUSION_STRENGTH,
    "width": semconv.DIFFUSION_WIDTH,
    "height": semconv.DIFFUSION_HEIGHT,
    "num_frames": semconv.DIFFUSION_NUM_FRAMES,
}
_COUNTS = ("num_images_per_prompt", "num_videos_per_prompt", "num_waveforms_per_prompt", "batch_size")
_ROLE_OF_ARGUMENT = {
    "image": semconv.ROLE_INPUT,
    "ip_adapter_image": semconv.ROLE_INPUT,
    "last_image": semconv.ROLE_INPUT,
    "reference_image": semconv.ROLE_INPUT,
    "mask_image": semconv.ROLE_MASK,
    "control_image": semconv.ROLE_CONTROL,
}
_SEEDED = (1, 1, 0)
_names: weakref.WeakKeyDictionary[Any, tuple[Any, tuple[str, ...]]] = weakref.WeakKeyDictionary()
_weights: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


class Binder:
    """Arguments by name, as a function would take them. Its signature is read at the first call, and only then."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._names: tuple[str, ...] | None = None
        self._defaults: dict[str, Any] = {}

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with the signature's defaults; what does not bind is taken as given."""
        if self._names is None:
            self._read()
        return {**self._defaults, **dict(zip(self._names or (), args, strict=False)), **kwargs}

    def _read(self) -> None:
        try:
            parameters = list(inspect.signature(self._function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        ordered = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self._defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self._names = tuple(p.name for p in parameters if p.kind in ordered)


def model_name(pipe: Any) -> str:
    """The repository's id, else the directory's last name, else the pipeline's class: never a full path."""
    config = getattr(pipe, "config", None)
    name = config.get("_name_or_path") if isinstance(config, Mapping) else None
    name = name or getattr(pipe, "_pretrained_model_name_or_path", None)  # a modular pipeline's
    if not name:
        return type(pipe).__name__
    return _without_folders(str(name)) or type(pipe).__name__


@functools.lru_cache(maxsize=256)
def _without_folders(name: str) -> str:
    """A path's last name, anything else as it is; whether it is a path the disk is asked once."""
    return Path(name).name if Path(name).is_absolute() or Path(name).exists() else name


def components(pipe: Any) -> dict[str, Any]:
    """Component name → object. A pipeline whose ``components`` raises is read from its attributes."""
    try:
        found = _components_of(pipe)
    except Exception:
        found = {name: value for name, value in vars(pipe).items() if not name.startswith("_")}
    for name, value in list(found.items()):
        if isinstance(value, list | tuple):
            found |= {f"{name}_{index}": item for index, item in enumerate(value)}
    return {str(name): value for name, value in found.items() if value is not None}


def _components_of(pipe: Any) -> dict[str, Any]:
    """``pipe.components``. Finding their names is slow: they are kept while the pipeline's configuration is the same object."""
    base = getattr(sys.modules.get("diffusers.pipelines.pipeline_utils"), "DiffusionPipeline", None)
    if base is None or type(pipe).components is not base.components:
        return dict(pipe.components)
    config = vars(pipe).get("_internal_dict")
    known = _names.get(pipe)
    if known is None or known[0] is not config:
        known = config, tuple(pipe.components)
        _names[pipe] = known
    return {name: getattr(pipe, name) for name in known[1]}


def placement(pipe: Any, parts: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The ``torch.device`` that the call runs on, and the denoiser's dtype.

    A model's own ``device`` and ``dtype`` walk all of its modules, which takes milliseconds: one parameter tells both. Only where
    it lies off the accelerator there is (offloading), the pipeline is asked where it will be moved to.
    """
    tensor = next((found for part in _denoisers_first(parts) if (found := _first_weight(part)) is not None), None)
    device = getattr(tensor, "device", None)
    if device is None or (device.type in {"cpu", "meta"} and _has_accelerator()):
        with contextlib.suppress(Exception):
            device = pipe._execution_device  # noqa: SLF001 - diffusers has no public name for it
    return device, str(tensor.dtype).removeprefix("torch.") if tensor is not None else None


def _denoisers_first(parts: Mapping[str, Any]) -> list[Any]:
    names = [name for name in ("transformer", "unet", "prior", "decoder") if name in parts]
    return [parts[name] for name in dict.fromkeys((*names, *parts))]


def _first_weight(model: Any) -> Any:
    """A model's first parameter of floats, else its first; None for what is no model. Found once, while it lives."""
    try:
        known = _weights.get(model)
        found = known() if known is not None else None
        if found is None:
            every = model.parameters()
            first = next(every, None)
            found = next((weight for weight in (first, *every) if weight.is_floating_point()), first) if _is_odd(first) else first
            if found is not None:
                _weights[model] = weakref.ref(found)
    except Exception:
        return None
    return found


def _is_odd(weight: Any) -> bool:
    """Whether a first parameter does not tell the model's dtype: a quantised one."""
    return weight is not None and not weight.is_floating_point()


@functools.cache
def _has_accelerator() -> bool:
    accelerator = getattr(sys.modules.get("torch"), "accelerator", None)
    return accelerator is not None and bool(accelerator.is_available())


def request_attributes(pipe: Any, arguments: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes known when the call begins, without :func:`placement`; None where something does not apply."""
    scheduler = parts.get("scheduler")
    count = next((arguments[name] for name in _COUNTS if isinstance(arguments.get(name), int)), 1)
    found: dict[str, Any] = {
        semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_GENERATE_CONTENT,
        semconv.GEN_AI_PROVIDER_NAME: "diffusers",
        semconv.GEN_AI_REQUEST_MODEL: model_name(pipe),
        semconv.GEN_AI_OUTPUT_TYPE: semconv.OUTPUT_TYPE_IMAGE,
        semconv.GEN_AI_REQUEST_CHOICE_COUNT: count if count != 1 else None,
        semconv.DIFFUSION_PIPELINE_CLASS: type(pipe).__name__,
        semconv.DIFFUSION_SCHEDULER_CLASS: type(scheduler).__name__ if scheduler is not None else None,
        semconv.DIFFUSION_SCHEDULER_ORDER: _plain_number(getattr(scheduler, "order", None)),
        semconv.DIFFUSION_CONTROLNET_NAMES: [name for name in parts if name.startswith("controlnet")] or None,
        **_seed_attributes(arguments, count),
    }
    return found | numbers(arguments)


def numbers(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are plain numbers, by attribute; None where one is not given."""
    return {name: _plain_number(arguments.get(argument)) for argument, name in _NUMBERS.items()}


def input_images(arguments: Mapping[str, Any], parts: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """(image or images, role) of the arguments that condition the generation; of a video its first frame."""
    found = [(arguments[name], role) for name, role in _ROLE_OF_ARGUMENT.items() if arguments.get(name) is not None]
    if "controlnet" in parts and "control_image" not in arguments:  # then ``image`` is what steers, not what is changed
        found = [(value, semconv.ROLE_CONTROL if value is arguments.get("image") else role) for value, role in found]
    video = arguments.get("video")
    if isinstance(video, list | tuple) and video:
        found.append((video[0], semconv.ROLE_INPUT))
    return found


def output_images(result: Any) -> tuple[list[Any], int | None]:
    """The pictures in what a pipeline returned, and the frames of a video, of which the first counts as its picture.

    Empty for latents, audio and unknown shapes.
    """
    found = _first_field(result)
    if found is None:
        return [], None
    if getattr(found, "ndim", None) == 5:  # videos: (batch, frames, height, width, channels) or (batch, frames, channels, …)
        return [video[0] for video in found], found.shape[1]
    if not isinstance(found, list | tuple):
        return [found], None
    videos = [item for item in found if _is_video(item)]
    return [item[0] if _is_video(item) else item for item in found], len(videos[0]) if videos else None


def _is_video(item: Any) -> bool:
    """A list of frames, or an array of shape (frames, height, width, channels)."""
    return (isinstance(item, list | tuple) and len(item) > 0) or getattr(item, "ndim", None) == 4


def _first_field(result: Any) -> Any:
    for name in ("images", "frames", "videos"):
        value = result.get(name) if isinstance(result, dict) else getattr(result, name, None)
        if value is not None:
            return value
    if isinstance(result, list):
        return result
    return result[0] if isinstance(result, tuple) and result else None


def _seed_attributes(arguments: Mapping[str, Any], count: int) -> dict[str, Any]:
    """One seed an image: from a list of generators one each, from a single one the same for the whole batch."""
    given = arguments.get("generator")
    generators = given if isinstance(given, list | tuple) else [given] if given is not None else []
    seeds = [int(generator.initial_seed()) for generator in generators if hasattr(generator, "initial_seed")]
    if not seeds:
        return {}
    prompt = arguments.get("prompt")
    images = count * (len(prompt) if isinstance(prompt, list | tuple) else 1)
    if len(seeds) == 1:
        seeds *= max(images, 1)
    return {
        semconv.GEN_AI_REQUEST_SEED: seeds[0] if seeds[0] < 2**63 else None,
        semconv.DIFFUSION_SEEDS: seeds if max(seeds) < 2**63 else [str(seed) for seed in seeds],
        semconv.DIFFUSION_GENERATOR_FRESH: all(_is_fresh(generator) for generator in generators),
    }


def _is_fresh(generator: Any) -> bool | None:
    """Whether the generator has drawn nothing since it was seeded; GPU generators count as fresh at offset 0."""
    try:
        if generator.device.type == "cuda":
            return bool(generator.get_offset() == 0)
        if _counters_tell():
            return _counters(generator) == _SEEDED
        seeded = type(generator)(device=generator.device)
        seeded.manual_seed(generator.initial_seed())
        return bool((seeded.get_state() == generator.get_state()).all())
    except (AttributeError, RuntimeError, TypeError):
        return None


def _counters(generator: Any) -> tuple[int, ...]:
    """Numbers left in the block and the next one to hand out: Mersenne Twister's own, behind the seed in its state."""
    return struct.unpack("<iiQ", generator.get_state()[8:24].numpy().tobytes())


@functools.cache
def _counters_tell() -> bool:
    """Whether this torch keeps its CPU generator's state as it has so far: comparing whole states costs three times as much."""
    torch = sys.modules["torch"]
    probe = torch.Generator().manual_seed(1)
    fresh = _counters(probe)
    torch.rand(1, generator=probe)
    return fresh == _SEEDED and _counters(probe) != _SEEDED


def _plain_number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
