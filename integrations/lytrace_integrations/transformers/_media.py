"""Pictures, videos and sounds that a processor was given, as parts of a message."""

from collections.abc import Mapping
from typing import Any, Final

from lytrace import instrumentation
from lytrace_integrations.transformers._pictures import Picture, pictures_in

Part = str | Picture | dict[str, Any]
"""Text, an input picture, or something else that a message holds: ``{"modality": "video", "uri": ...}``."""


MEDIA_NAMES: Final = ("image", "images", "video", "videos", "audio", "audios", "*args")
"""Arguments of processors that are more than text."""


def media_in(arguments: Mapping[str, Any], loaded: dict[str, Any]) -> dict[str, list[list[Part]]]:
    """By modality, the parts of each picture, video and sound, in order.

    Args:
        arguments: of the processor's call, by name, without defaults of None.
        loaded: pictures that the processor itself loaded, by their address.
    """
    for name in MEDIA_NAMES:
        if arguments.get(name) is not None:
            break
    else:
        return {}
    images = _given(arguments, "image")
    return {
        "image": [[picture] for picture in pictures_in(images, loaded)],
        "video": [_video(video) for video in _items(_given(arguments, "video"))],
        "audio": [[_named("audio", sound)] for sound in _items(_sound(arguments))],
    }


def _given(arguments: Mapping[str, Any], modality: str) -> Any:
    several = arguments.get(f"{modality}s")
    return arguments.get(modality) if several is None else several


def _sound(arguments: Mapping[str, Any]) -> Any:
    """Speech processors take their sound as an argument without a name."""
    sound = _given(arguments, "audio")
    rest = arguments.get("*args")
    return rest[0] if sound is None and rest and "text" not in arguments else sound


def _items(value: Any) -> list[Any]:
    """Each video or sound; nested lists are batches, a list of numbers is one sound."""
    if value is None:
        return []
    if not isinstance(value, list | tuple) or not value or _is_one(value):
        return [value]
    return [item for items in value for item in (_items(items) if isinstance(items, list | tuple) else [items])]


def _is_one(value: Any) -> bool:
    """Whether a list is itself a video, made of frames, or a sound, made of numbers."""
    first = value[0]
    return isinstance(first, int | float) or (not isinstance(first, str) and instrumentation.is_image_like(first))


def _video(video: Any) -> list[Part]:
    """The video, and its first frame as a picture."""
    parts: list[Part] = [_named("video", video)]
    if not isinstance(video, str) and len(video):
        parts += pictures_in(video[0], {})
    return parts


def _named(modality: str, value: Any) -> dict[str, Any]:
    return {"modality": modality, "uri": value if isinstance(value, str) else ""}
