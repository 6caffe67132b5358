"""When something came, as far as our own clock can be believed."""

import time
from typing import Final

from lytrace_collector.derive import LATEST_NS

_CLOCK_IS_SET_NS: Final = 1_767_225_600_000_000_000
"""The year 2026. A clock that says less was never set: by it every sender would be ahead."""


def arrival_ns(received_ns: int | None) -> int:
    """The time past which nothing can have begun that came then, or now where that is None."""
    now_ns = time.time_ns() if received_ns is None else received_ns
    return now_ns if now_ns >= _CLOCK_IS_SET_NS else LATEST_NS
