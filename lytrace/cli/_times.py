"""Times as people write and read them."""

import re
import time
from datetime import datetime
from typing import Final

import typer

_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|m|min|h|d|w)")
_SECONDS: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DAY_S: Final = 86400


def unix_nano(text: str) -> int:
    """A time in Unix nanoseconds, from ``2h`` (so long ago), ``2026-11-24``, ``2026-11-24T14:30`` or ``…+01:00``; else local."""
    if ago := _AGO.fullmatch(text.strip().lower()):
        return time.time_ns() - round(float(ago[1]) * _SECONDS[ago[2]] * 1e9)
    try:
        return round(datetime.fromisoformat(text.strip()).timestamp() * 1e6) * 1000
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(f"{text!r} is no time: give 30min, 2h, 7d, 2026-11-24 or 2026-11-24T14:30") from None


def time_text(time_ns: int) -> str:
    """A time of the last 24 hours as ``14:03:12``, an earlier one as ``2026-11-24 14:03``, in the local time zone."""
    when = datetime.fromtimestamp(time_ns / 1e9).astimezone()
    return f"{when:%H:%M:%S}" if 0 <= time.time() - time_ns / 1e9 < _DAY_S else f"{when:%Y-%m-%d %H:%M}"


def clock_text(time_ns: int) -> str:
    """``14:03:12`` in the local time zone."""
    return f"{datetime.fromtimestamp(time_ns / 1e9).astimezone():%H:%M:%S}"


def duration_text(nanoseconds: int) -> str:
    """A duration as people read it: ``840 µs``, ``12.4 ms``, ``3.21 s``, ``2 min 05 s``."""
    seconds = nanoseconds / 1e9
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"
