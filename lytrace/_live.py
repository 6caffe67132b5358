"""What is known of a span while it is open: content for our own storage, its images, whether it was announced."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import Span

from lytrace import semconv
from lytrace.images import Snapshot

_MAX_REASONS = 8


@dataclass(slots=True, eq=False)
class ImageSlot:
    """The place of one image on its span. The worker fills it; whoever ends the span later reads it.

    Attributes:
        snapshot: the pixels, until the worker took them.
        artifact_id: set once the bytes are stored, like ``mime_type`` and ``size_bytes``.
        pixel_hash: set once hashed, like ``phash``; also where content is not kept.
        uniform_color: set once encoded, where every pixel has the same colour.
        reason: why it was not recorded, else None.
        is_twin: its artifact is that of another place of the same trace, which keeps the file until it is sent.
        url: where it lies on the web, without its query (which may hold a signature); None for one that came as bytes.
    """

    trace_id: int
    span_id: int
    role: str
    index: int
    width: int = 0
    height: int = 0
    snapshot: Snapshot | None = None
    artifact_id: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    pixel_hash: str | None = None
    phash: str | None = None
    uniform_color: str | None = None
    reason: str | None = None
    is_twin: bool = False
    url: str | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the worker is done with it. One added after its span's end may not be: its own event tells of it then."""
        return self.artifact_id is not None or self.pixel_hash is not None or self.reason is not None


class OpenSpan:
    """Record of an open span, ours or the user's own."""

    __slots__ = ("announced", "content", "image_span_id", "images", "inherited", "span")

    def __init__(self, span: Span, inherited: Mapping[str, Any]) -> None:
        self.span = span
        self.inherited = inherited
        self.content: dict[str, Any] | None = None
        self.images: list[ImageSlot] | None = None
        self.image_span_id = 0
        self.announced = False

    @property
    def parent_id(self) -> int:
        """The span above; 0 at a root."""
        parent = self.span.parent
        return 0 if parent is None else parent.span_id

    def add_slot(self, role: str, width: int, height: int, snapshot: Snapshot | None) -> ImageSlot:
        """A new slot at the end of the span's images of ``role``."""
        context = self.span.get_span_context()
        with _slots_guard:
            if self.images is None:
                self.images = []
            index = sum(slot.role == role for slot in self.images)
            slot = ImageSlot(context.trace_id, context.span_id, role, index, width, height, snapshot)
            self.images.append(slot)
        return slot

    def set_content(self, name: str, value: Any) -> None:
        """Keep an attribute for our own storage only."""
        if self.content is None:
            self.content = {}
        self.content[name] = value


_slots_guard = threading.Lock()


def after_fork() -> None:
    """In a forked child: another thread may have held the lock."""
    global _slots_guard  # noqa: PLW0603 - the lock of this process
    _slots_guard = threading.Lock()


def image_attributes(slots: list[ImageSlot] | None) -> dict[str, Any]:
    """Attributes of a span's output images: parallel lists in the order of the images, "" where one was not recorded."""
    if not slots:
        return {}
    outputs = [slot for slot in slots if slot.role == semconv.ROLE_OUTPUT and slot.is_settled]
    found: dict[str, Any] = {}
    if outputs:
        found[semconv.ARTIFACT_IDS] = [slot.artifact_id or "" for slot in outputs]
        found[semconv.IMAGE_HASHES] = [slot.pixel_hash or "" for slot in outputs]
        found[semconv.IMAGE_PHASHES] = [slot.phash or "" for slot in outputs]
    if any(slot.uniform_color for slot in outputs):
        found[semconv.IMAGE_UNIFORM_COLORS] = [slot.uniform_color or "" for slot in outputs]
    if dropped := sum(slot.reason is not None for slot in slots):
        found[semconv.IMAGES_DROPPED] = dropped
        found[semconv.IMAGES_DROPPED_REASONS] = sorted({slot.reason for slot in slots if slot.reason is not None})[:_MAX_REASONS]
    return found


def explain_uniform(slots: list[ImageSlot], cause_of: Callable[[int], str | None]) -> tuple[list[str], int | None]:
    """Why output images are of one colour, "" where it is not known or they are not; and the first black one without a cause."""
    outputs = [slot for slot in slots if slot.role == semconv.ROLE_OUTPUT]
    causes = [(cause_of(slot.index) or "") if slot.uniform_color else "" for slot in outputs]
    black = (s.index for s, cause in zip(outputs, causes, strict=True) if s.uniform_color == semconv.COLOR_BLACK and not cause)
    return causes, next(black, None)


def image_part(slot: ImageSlot) -> dict[str, Any]:
    """An image as a part of a message: where it is stored, or why it is not.

    Source: https://github.com/open-telemetry/semantic-conventions-genai (``UriPart`` of the messages' JSON schemas).
    """
    part = {
        "type": "uri",
        "modality": "image",
        "mime_type": slot.mime_type,
        "uri": slot.artifact_id or slot.url or "",
        semconv.ARTIFACT_ID: slot.artifact_id,
        semconv.ARTIFACT_DROPPED: slot.reason,
    }
    return {name: value for name, value in part.items() if value is not None}


def output_messages(slots: list[ImageSlot]) -> str | None:
    """``gen_ai.output.messages``: one assistant message whose parts point to the stored images; None without any."""
    parts = [image_part(slot) for slot in slots if slot.role == semconv.ROLE_OUTPUT and slot.artifact_id]
    return json.dumps([{"role": "assistant", "parts": parts}]) if parts else None
