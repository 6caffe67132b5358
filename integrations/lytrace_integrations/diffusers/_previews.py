"""What the picture looked like half-way: every k-th latent, copied as it is, made a small picture of by the worker.

On the user's thread one copy of the latent (its first frame, in half precision) is made. On a GPU it goes to pinned memory behind
the step and is read once the device has passed the call, like the statistics of the latents; nothing waits. The memory is taken
from the driver once a size, and used again.
"""

import math
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from lytrace_integrations._device import Device
from lytrace_integrations.diffusers import _projection
from lytrace_integrations.diffusers._latent_space import LatentSpace

_MOST: Final = 64
"""Latents of one call; past it every other one goes, and only half as many are taken from there on."""
_POOL: Final = 128
_DULL: Final = 4.0
"""With a smaller standard deviation of its values, of 255, a picture tells nothing of colours: it may be blacked out."""

_free: dict[tuple[int, ...], list[Any]] = {}


class Preview(NamedTuple):
    """A picture of one latent.

    Attributes:
        step: which call of a scheduler made the latent, from 0.
        number: which image of the batch it belongs to.
        rgb: array of shape (rows, columns, 3), type uint8.
    """

    step: int
    number: int
    rgb: Any

    def image(self) -> Any:
        """The same as a PIL image."""
        from PIL import Image

        return Image.fromarray(self.rgb)


class Previews:
    """Of one call.

    Args:
        every: a latent is taken after each ``every``-th step, and after the last.
        space: where the latents live.
        device: where they lie.
    """

    def __init__(self, every: int, space: LatentSpace, device: Device) -> None:
        self._every = every
        self._space = space
        self._device = device
        self._taken: list[tuple[int, Any]] = []
        self._picture: tuple[int, Any] | None = None
        self._in_flight = False

    def observe(self, step: int, latent: Any, left: int | None) -> int:
        """Take the latent that a scheduler made, if it is that step's turn.

        Args:
            step: which call of a scheduler it was, from 0.
            latent: a tensor; anything else is passed over.
            left: how many steps follow, where that is known.

        Returns:
            The step to come back at.
        """
        if (step + 1) % self._every == 0 or left == 0:
            self._take(step, latent)
        due = (step + 1) // self._every * self._every + self._every - 1
        return min(due, step + left) if left else due

    def read(self, pictures: Sequence[Any]) -> None:
        """The call's own pictures, of which the first that has colours tells what the latents stand for."""
        if not self._taken or self._space.identity is None:
            return
        batch, _, rows, columns = self._taken[-1][1].shape
        for number, picture in enumerate(pictures[:batch]):
            small = _shrunk(picture, rows, columns)
            if small is not None and small.std() > _DULL:
                self._picture = number, small
                return

    def settle(self, *, passed: bool) -> None:
        """The device has ``passed`` the call, or is not known to have: then what it had to copy is let go of."""
        if not self._in_flight:
            return
        kept = self._taken if passed else []
        self._taken = [(step, host.numpy().copy()) for step, host in kept]
        for _, host in kept:
            free = _free.setdefault(tuple(host.shape), [])
            if len(free) < _POOL:
                free.append(host)

    def pictures(self) -> list[Preview]:
        """The previews in their order; on the worker."""
        if not self._taken:
            return []
        latents = [(step, _projection.finite(taken)) for step, taken in self._taken]
        last = latents[-1][1]
        if self._space.identity is None:
            return [Preview(step, number, _projection.pixels(one)) for step, batch in latents for number, one in enumerate(batch)]
        if self._picture is not None:
            number, picture = self._picture
            _projection.learned.add(self._space.identity, last[number], picture)
        colors = _projection.learned.map_of(self._space.identity, len(last[0])) or _projection.principal(last[0])
        loudness = float(last.std())
        return [
            Preview(step, number, _projection.project(one, colors, loudness))
            for step, batch in latents
            for number, one in enumerate(batch)
        ]

    def _take(self, step: int, latent: Any) -> None:
        if not hasattr(latent, "is_floating_point") or not latent.is_floating_point():
            return
        picture = self._space.picture(latent.detach())
        if picture is None or min(picture.shape) < 1:
            return
        if _lies_on_host(picture):
            torch = sys.modules["torch"]
            self._taken.append((step, picture.to(torch.float16, copy=True).numpy()))
        elif self._device.copies_back and not self._device.capturing():
            self._in_flight = True
            self._taken.append((step, _host(tuple(picture.shape)).copy_(picture, non_blocking=True)))
        if len(self._taken) > _MOST:
            self._every *= 2
            self._taken = [(step, taken) for step, taken in self._taken if (step + 1) % self._every == 0]


def _lies_on_host(latent: Any) -> bool:
    return bool(latent.device.type == "cpu")


def _host(shape: tuple[int, ...]) -> Any:
    """Memory of half precision that a device copies to. Made outside of inference mode, since it is written there, too."""
    if free := _free.get(shape):
        return free.pop()
    torch = sys.modules["torch"]
    pinned = torch.accelerator.is_available()
    with torch.inference_mode(mode=False), torch.no_grad():
        return torch.empty(shape, device="cpu", dtype=torch.float16, pin_memory=pinned)


def _shrunk(picture: Any, rows: int, columns: int) -> Any:
    """A picture as an array of shape (rows, columns, 3) from 0 to 255, each place the mean of its area; None for other things."""
    import numpy as np
    from PIL import Image

    if isinstance(picture, np.ndarray) and picture.ndim == 3 and picture.shape[2] == 3:
        scaled = picture if picture.dtype == np.uint8 else (np.nan_to_num(picture).clip(0, 1) * 255).round().astype(np.uint8)
        picture = Image.fromarray(scaled)
    if not isinstance(picture, Image.Image) or math.prod(picture.size) == 0:
        return None
    picture = picture.convert("RGB")
    if picture.width % columns == 0 and picture.height % rows == 0:
        return np.asarray(picture.reduce((picture.width // columns, picture.height // rows)))
    return np.asarray(picture.resize((columns, rows), Image.Resampling.BOX))
