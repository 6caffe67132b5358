"""At which steps to look at the latents on a CPU, such that all looks of a call together stay a small part of its steps' time.

A look is paid from time that has passed: it is taken once the steps so far have earned it, and until then nobody asks. What it
costs is measured each time; before the first time a cautious guess stands in. The last step has a look in any case, a cheaper one
where nothing was earned: a loop that ends in values that are no numbers is always noticed. Pure; imports nothing of ours.
"""

import math
from typing import Any, Final

SHARE: Final = 0.004
"""The part of the steps' time that looking may take: below the budget of 0.5 %, since a look may be interrupted."""
_RESERVE_NS: Final = 30_000
"""Kept for the last step's look."""
_GUESS_NS: Final = 300_000
_GUESS_NS_PER_VALUE: Final = 2

_costs: dict[int, int] = {}
"""Nanoseconds of a look by the latent's size in powers of two, as measured in this process."""


class Cadence:
    """One call's account.

    Args:
        began_ns: when the first step began, by the clock that the other methods are given.
        values: how many values a latent has.
    """

    __slots__ = ("_began_ns", "_size", "_spent_ns", "_values")

    def __init__(self, began_ns: int, values: int) -> None:
        self._began_ns = began_ns
        self._values = values
        self._size = values.bit_length()
        self._spent_ns = 0

    def affords(self, now_ns: int) -> bool:
        """Whether the steps until now have earned a look."""
        return self._price_ns() <= now_ns - self._began_ns

    def spend(self, cost_ns: int, *, looked: bool) -> None:
        """Something cost time. Of a whole look that is what the next one is expected to cost; a dearer one is soon forgotten."""
        self._spent_ns += cost_ns
        if looked:
            known = _costs.get(self._size, cost_ns)
            _costs[self._size] = min(cost_ns, known + known // 4 + 1)

    def wait(self, now_ns: int, steps: int) -> int:
        """In how many steps the next look will have been earned, if they last as long as the ``steps`` until now."""
        step_ns = max((now_ns - self._began_ns) / steps, 1.0)
        return max(1, math.ceil((self._price_ns() - (now_ns - self._began_ns)) / step_ns))

    def _price_ns(self) -> float:
        """How long steps must have run for another look."""
        cost_ns = _costs.get(self._size) or _GUESS_NS + _GUESS_NS_PER_VALUE * self._values
        return (self._spent_ns + cost_ns + _RESERVE_NS) / SHARE


class StepsLeft:
    """How many steps a scheduler has yet to make: by the index that it keeps, else by where the timestep lies in its list.

    Reads no value of a tensor, so it waits for no device.
    """

    __slots__ = ("_address", "_count", "_stride", "_timesteps")

    def __init__(self) -> None:
        self._timesteps: Any = None
        self._count = self._address = self._stride = 0

    def after(self, timestep: Any, timesteps: Any, step_index: Any) -> int | None:
        """How many follow the one that was just made; None where that cannot be told.

        Args:
            timestep: what the scheduler was given.
            timesteps: its list of them.
            step_index: how many steps it has made; None where it does not count.
        """
        if timesteps is not self._timesteps:
            self._read(timesteps)
        if not self._count:
            return None
        if type(step_index) is int:
            return max(self._count - step_index, 0)
        address = getattr(timestep, "data_ptr", None)
        place = (address() - self._address) / self._stride if address is not None else -1
        return self._count - 1 - int(place) if place in range(self._count) else None

    def _read(self, timesteps: Any) -> None:
        self._timesteps, self._count = timesteps, 0
        if hasattr(timesteps, "data_ptr") and timesteps.ndim == 1 and timesteps.stride(0):
            self._count, self._address = len(timesteps), timesteps.data_ptr()
            self._stride = timesteps.stride(0) * timesteps.element_size()
