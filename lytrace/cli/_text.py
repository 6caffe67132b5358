"""What is known of a trace or an image, as people read it."""

from typing import Final

from rich.text import Text

from lytrace.models import Image, Score, ScoreBrief, Trace, TraceState

STATE_STYLES: Final[dict[TraceState, str]] = {"ok": "green", "error": "red", "running": "cyan", "lost": "yellow"}
ID_DIGITS: Final = 8
"""So many digits of an id are shown; they are enough to name it."""

_SCORE: Final = "score."


def one_line(text: str | None) -> str:
    """Text of a user on one line."""
    return " ".join((text or "").split())


def counted(count: int, what: str) -> str:
    """``1 image``, ``2 images``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def state_text(trace: Trace, *, with_errors: bool = True) -> Text:
    """A trace's state in its colour: ``ok``; ``ok 2 errors`` where spans within it failed and it ended well all the same."""
    text = Text(trace.state, style=STATE_STYLES[trace.state])
    if with_errors and trace.state == "ok" and trace.error_count:
        text.append(f" {counted(trace.error_count, 'error')}", style="red")
    return text


def steps_text(trace: Trace) -> str:
    """``20``; of a running trace ``7/20``."""
    if trace.state == "running" and trace.steps_total:
        return f"{trace.steps or 0}/{trace.steps_total}"
    return str(trace.steps or "")


def bytes_text(size: float) -> str:
    """A size as ``152 bytes``, ``1.4 MB``, ``2.1 GB``."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size:.0f} bytes"


def size_text(image: Image) -> str:
    """``512 × 512``."""
    return f"{image.width} × {image.height}" if image.width and image.height else ""


def score_text(score: Score | ScoreBrief) -> str:
    """``0.83``, ``good`` or ``0.83 good``."""
    value = "" if score.value is None else f"{score.value:.4g}"
    return " ".join(filter(None, (value, score.label)))


def scores_text(scored: Trace | Image) -> str:
    """``aesthetic 0.83, verdict good``: of several of one name the mean, as in a row of a table."""
    cells = {name.removeprefix(_SCORE): value for name, value in scored.flat().items() if name.startswith(_SCORE)}
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in cells.items())
