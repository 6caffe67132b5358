"""How values are written: numbers, bytes, durations, times."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from lytrace_collector.query.fields import Kind
from lytrace_collector.query.tree import Moment

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_QUANTITY: Final = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)) ?([a-zA-Zµμ]+)")
_TIME: Final = r"[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
_DATE: Final = re.compile(rf"([0-9]{{4}})(?:-([0-9]{{2}})(?:-([0-9]{{2}})(?:{_TIME})?)?)?")
_AGO: Final = re.compile(r"(?:now)?-?([0-9]+(?:\.[0-9]+)?) ?([a-zA-Zµμ]+)")
_UNIX_NS: Final = re.compile(r"[0-9]{16,19}")

_LARGEST: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS: Final = 1_000_000_000

DURATIONS: Final[Mapping[str, int]] = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 1_000_000,
    "s": _SECOND_NS,
    "m": 60 * _SECOND_NS,
    "min": 60 * _SECOND_NS,
    "h": 3600 * _SECOND_NS,
    "d": 86_400 * _SECOND_NS,
    "w": 7 * 86_400 * _SECOND_NS,
}
"""Units of time in nanoseconds. µ is written as the micro sign or the Greek letter."""

BYTES: Final[Mapping[str, int]] = {
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)},
}
"""Units of memory in bytes, whatever the case: KB, MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB of 1024."""

_WANTED: Final = {
    Kind.NUMBER: "a number",
    Kind.DURATION: "a duration with its unit, such as 300ms, 2s, 5min or 1h",
    Kind.BYTES: "a size in B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024)",
    Kind.TIME: "a day (2026-11-25), a time (2026-11-25T10:30, UTC) or a time ago (now-2h)",
    Kind.SCORE: "a number",
    Kind.ATTRIBUTE: "a number",
}


class NotReadable(ValueError):  # noqa: N818 (a sentence reads better than NotReadableError)
    """A value that its field does not take; the message is what it takes."""


def number(text: str, kind: Kind) -> int | float:
    """The number that a value of a field of this kind says: nanoseconds of a duration, bytes of a size.

    Raises:
        NotReadable: it is none.
    """
    if kind is Kind.DURATION:
        found = 0 if text == "0" else _quantity(text, DURATIONS)
    elif kind is Kind.BYTES:
        found = _number(text) if _NUMBER.fullmatch(text) else _quantity(text.lower(), BYTES)
    elif kind is Kind.ATTRIBUTE:
        found = _attribute_number(text)
    else:
        found = _number(text.removeprefix("$"))
    if found is None:
        raise NotReadable(_WANTED[kind])
    return found


def interval(text: str) -> tuple[Moment, Moment]:
    """The first moment of a time as it is written, and the first one after it: of a day, the next day's first.

    Raises:
        NotReadable: it is none.
    """
    if text == "now":
        return Moment(0, is_relative=True), Moment(1, is_relative=True)
    if _UNIX_NS.fullmatch(text):
        at = min(int(text), _LARGEST - 1)
        return Moment(at), Moment(at + 1)
    ago = _AGO.fullmatch(text)
    if ago and ago[2] in DURATIONS:
        ns = -min(int(Decimal(ago[1]) * DURATIONS[ago[2]]), _LARGEST // 4)
        return Moment(ns, is_relative=True), Moment(ns + 1, is_relative=True)
    date = _DATE.fullmatch(text)
    if date is None:
        raise NotReadable(_WANTED[Kind.TIME])
    try:
        return _dates(date)
    except (ValueError, OverflowError):
        raise NotReadable(_WANTED[Kind.TIME]) from None


def _number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
        return None
    if text.lstrip("+-").isdigit():
        whole = int(text)
        return whole if abs(whole) <= _LARGEST else float(whole)
    return float(text)


def _quantity(text: str, units: Mapping[str, int]) -> int | float | None:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        return None
    exact = Decimal(match[1]) * units[match[2]]
    return int(exact) if exact == exact.to_integral_value() and abs(exact) <= _LARGEST else float(exact)


def _attribute_number(text: str) -> int | float | None:
    """Attributes of OpenTelemetry are in bytes and seconds."""
    size = _quantity(text.lower(), BYTES)
    if size is not None:
        return size
    lasts = _quantity(text, DURATIONS)
    return lasts / _SECOND_NS if lasts is not None else _number(text)


def _dates(date: re.Match[str]) -> tuple[Moment, Moment]:
    year, month, day, hour, minute, second, fraction, zone = date.groups()
    whole = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC)
    first = _unix_ns(whole) + int((fraction or "").ljust(9, "0") or 0) - _offset_ns(zone)
    if fraction is not None:
        return Moment(first), Moment(first + 10 ** (9 - len(fraction)))
    if second is not None or minute is not None:
        lasts = timedelta(seconds=1) if second is not None else timedelta(minutes=1)
        return Moment(first), Moment(first + lasts // timedelta(microseconds=1) * 1000)
    if day is not None:
        after = whole + timedelta(days=1)
    elif month is not None:
        after = whole.replace(year=whole.year + whole.month // 12, month=whole.month % 12 + 1)
    else:
        after = whole.replace(year=whole.year + 1)
    return Moment(first), Moment(_unix_ns(after))


def _unix_ns(time: datetime) -> int:
    at = (time - _EPOCH) // timedelta(microseconds=1) * 1000
    return min(max(at, -_LARGEST), _LARGEST)


def _offset_ns(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    sign = -1 if zone[0] == "-" else 1
    return sign * (int(zone[1:3]) * 60 + int(zone[4:6])) * 60 * _SECOND_NS
