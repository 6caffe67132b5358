"""Where a call's randomness comes from: the seed of each image, and the generator's state where a seed does not tell it.

A seed is enough only for a generator that has drawn nothing yet. The state is copied before the call, which costs a microsecond;
what it says is worked out on the worker.
"""

import base64
import functools
import struct
import sys
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lytrace import semconv

_SEEDED = (1, 1, 0)


class Drawn(NamedTuple):
    """One generator before the call.

    Attributes:
        state: a copy of a CPU generator's state (a tensor of bytes), a GPU generator's offset, or None where neither can be read.
    """

    seed: int
    device: Any
    state: Any


class Seeds(NamedTuple):
    """The generators of one call.

    Attributes:
        given: whether the call was given them; else it draws from the device's default generator.
        images: how many images the call makes.
    """

    drawn: Sequence[Drawn]
    given: bool
    images: int

    def attributes(self) -> dict[str, Any]:
        """One seed an image: from a list of generators one each, a single one's for the whole batch; on the worker."""
        if not self.drawn:
            return {}
        fresh = [_is_fresh(one) for one in self.drawn]
        found: dict[str, Any] = {
            semconv.DIFFUSION_GENERATOR_SOURCE: "argument" if self.given else "default",
            semconv.DIFFUSION_GENERATOR_DEVICES: [str(one.device) for one in self.drawn],
            semconv.DIFFUSION_GENERATOR_FRESH: None if None in fresh else all(fresh),
        }
        if not all(fresh) and any(states := [_encoded(one) for one in self.drawn]):
            found[semconv.DIFFUSION_GENERATOR_STATES] = states
        if self.given or all(fresh):  # the seed of a default generator that has drawn says nothing about this image
            seeds = [one.seed for one in self.drawn]
            seeds = seeds * max(self.images, 1) if len(seeds) == 1 else seeds
            found[semconv.GEN_AI_REQUEST_SEED] = seeds[0] if seeds[0] < 2**63 else None
            found[semconv.DIFFUSION_SEEDS] = seeds if max(seeds) < 2**63 else [str(seed) for seed in seeds]
        return found


def before(arguments: Mapping[str, Any], device: Any, images: int) -> Seeds:
    """The generators that a call will draw from, as they are now."""
    given = arguments.get("generator")
    generators = given if isinstance(given, list | tuple) else (given,) if given is not None else ()
    drawn = [_copied(generator) for generator in generators if hasattr(generator, "initial_seed")]
    if drawn or generators:
        return Seeds(drawn, given=True, images=images)
    default = _default_generator(device)
    return Seeds([_copied(default)] if default is not None else (), given=False, images=images)


def _default_generator(device: Any) -> Any:
    """What ``torch.randn(device=device)`` draws from; None for a device that torch has not started."""
    torch = sys.modules["torch"]
    kind = getattr(device, "type", "cpu")
    if kind == "cpu":
        return torch.default_generator
    generators = getattr(getattr(torch, kind, None), "default_generators", ())
    index = device.index or 0
    return generators[index] if index < len(generators) else None


def _copied(generator: Any) -> Drawn:
    device, state = generator.device, None
    try:
        if device.type == "cpu":
            state = generator.get_state()
        elif device.type == "cuda":
            state = int(generator.get_offset())
    except RuntimeError:  # while a graph is being captured
        pass
    return Drawn(generator.initial_seed(), device, state)


def _is_fresh(one: Drawn) -> bool | None:
    """Whether the generator had drawn nothing since it was seeded; None where that cannot be known."""
    if one.state is None:
        return None
    if isinstance(one.state, int):
        return one.state == 0
    if _counters_tell():
        return _counters(one.state) == _SEEDED
    seeded = sys.modules["torch"].Generator().manual_seed(one.seed)
    return bool((seeded.get_state() == one.state).all())


def _encoded(one: Drawn) -> str:
    """A state as text: ``philox:<seed>:<offset>``, or ``zlib:<base64>`` of what a CPU's ``Generator.get_state()`` gave."""
    if one.state is None:
        return ""
    if isinstance(one.state, int):
        return f"philox:{one.seed}:{one.state}"
    return "zlib:" + base64.b64encode(zlib.compress(one.state.numpy().tobytes())).decode("ascii")


def decoded(text: str) -> bytes:
    """The bytes for ``Generator.set_state`` behind a ``zlib:`` state."""
    return zlib.decompress(base64.b64decode(text.removeprefix("zlib:")))


def _counters(state: Any) -> tuple[int, ...]:
    """Numbers left in the block and the next one to hand out: Mersenne Twister's own, behind the seed in its state."""
    return struct.unpack("<iiQ", state[8:24].numpy().tobytes())


@functools.cache
def _counters_tell() -> bool:
    """Whether this torch keeps its CPU generator's state as it has so far: comparing whole states costs three times as much."""
    torch = sys.modules["torch"]
    probe = torch.Generator().manual_seed(1)
    fresh = _counters(probe.get_state())
    torch.rand(1, generator=probe)
    return fresh == _SEEDED and _counters(probe.get_state()) != _SEEDED
