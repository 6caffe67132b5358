"""What a pipeline was asked to do and what it answered: arguments by name, the pictures among them. Reads, never changes."""

from collections.abc import Mapping
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


def images_a_prompt(arguments: Mapping[str, Any]) -> int:
    """How many images a prompt the call was asked for."""
    return next((arguments[name] for name in _COUNTS if isinstance(arguments.get(name), int)), 1)


def numbers(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are plain numbers, by attribute; None where one is not given."""
    return {name: _plain_number(arguments.get(argument)) for argument, name in _NUMBERS.items()}


def input_images(arguments: Mapping[str, Any], *, has_controlnet: bool) -> list[tuple[Any, str]]:
    """(image or images, role) of the arguments that condition the generation; of a video its first frame."""
    found = [(arguments[name], role) for name, role in _ROLE_OF_ARGUMENT.items() if arguments.get(name) is not None]
    if has_controlnet and "control_image" not in arguments:  # then ``image`` is what steers, not what is changed
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


def _plain_number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
