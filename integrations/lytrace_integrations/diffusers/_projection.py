"""Latents → small pictures, by a linear map from a latent's channels to red, green and blue. On the worker; numpy only.

The decoders of latent diffusion are close to linear in the colour of an area, so a few numbers a channel show what a latent looks
like. They differ from model to model. Instead of a table for some, the map of a latent space is learned, by least squares, from
each call that ends with a picture beside its last latent: it serves that call and those after it, whatever the model. Before the
first picture the three directions in which the latent varies most stand in: shapes are right, colours are not.

Source: https://discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204 (the idea, for Stable Diffusion).
"""

import threading
from collections.abc import Hashable
from typing import Any, Final, NamedTuple

_RIDGE: Final = 0.001
"""Added to each channel's variance: directions that no picture has used are not blown up."""
_FADES: Final = 0.95
"""What a picture still counts after the next one."""
_MOST_SPACES: Final = 64
_SPREAD: Final = 4.0
"""Standard deviations from black to white, where colours stand for directions."""


class Map(NamedTuple):
    """``rgb = latent @ weights + bias``, with colours from 0 to 1.

    Attributes:
        weights: array of shape (channels, 3).
        bias: array of shape (3,).
    """

    weights: Any
    bias: Any


class Learned:
    """Maps of latent spaces, from the sums that least squares needs."""

    def __init__(self) -> None:
        self._sums: dict[Hashable, tuple[Any, Any]] = {}
        self._guard = threading.Lock()

    def add(self, space: Hashable, latent: Any, picture: Any) -> None:
        """Learn from one picture.

        Args:
            space: identity of the latent space.
            latent: array of shape (channels, rows, columns).
            picture: array of shape (rows, columns, 3), values from 0 to 255: what the latent was decoded to, as small as it.
        """
        import numpy as np

        values = _places(latent).astype(np.float64)
        values = np.concatenate((values, np.ones((len(values), 1))), axis=1)
        squares, products = values.T @ values / len(values), values.T @ (picture.reshape(-1, 3) / 255) / len(values)
        with self._guard:
            known = self._sums.pop(space, None)
            if known is not None and known[0].shape == squares.shape:
                squares, products = squares + _FADES * known[0], products + _FADES * known[1]
            if len(self._sums) >= _MOST_SPACES:
                self._sums.pop(next(iter(self._sums)))
            self._sums[space] = squares, products

    def map_of(self, space: Hashable, channels: int) -> Map | None:
        """The map of a latent space; None where no picture was seen."""
        import numpy as np

        with self._guard:
            squares, products = self._sums.get(space, (None, None))
        if squares is None or len(squares) != channels + 1:
            return None
        ridge = _RIDGE * squares[-1, -1] * np.eye(len(squares))
        ridge[-1, -1] = 0.0
        solved = np.linalg.solve(squares + ridge, products).astype(np.float32)
        return Map(solved[:-1], solved[-1])


learned = Learned()
"""Of this process."""


def principal(latent: Any) -> Map:
    """The three directions in which a latent of shape (channels, rows, columns) varies most, each as a colour."""
    import numpy as np

    values = _places(latent)
    mean = values.mean(0)
    _, _, directions = np.linalg.svd(values - mean, full_matrices=False)
    directions = directions[:3] * np.sign(directions[:3].sum(1, keepdims=True) + 1e-9)
    directions = np.pad(directions, ((0, 3 - len(directions)), (0, 0)), mode="edge")
    spread = ((values - mean) @ directions.T).std(0)
    weights = (directions / (_SPREAD * np.maximum(spread, 1e-6))[:, None]).T
    return Map(weights, 0.5 - mean @ weights)


def finite(latents: Any) -> Any:
    """The latents in single precision, with 0 for what is no finite number."""
    import numpy as np

    return np.nan_to_num(latents.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def pixels(latent: Any) -> Any:
    """A latent that is a picture already, with values from -1 to 1, as an array of shape (rows, columns, 3), type uint8."""
    import numpy as np

    rgb = np.repeat(latent, 3, 0) if len(latent) == 1 else latent[:3]
    return _bytes(rgb.transpose(1, 2, 0) / 2 + 0.5)


def project(latent: Any, colors: Map, loudness: float) -> Any:
    """A latent of shape (channels, rows, columns) as an array of shape (rows, columns, 3), type uint8.

    Args:
        latent: the latent; one that is noisier than the last, as some schedulers keep them, is turned down to its loudness.
        colors: the map.
        loudness: standard deviation of the last latent.
    """
    own = float(latent.std())
    scaled = latent * (loudness / own) if own > loudness > 0 else latent
    return _bytes(scaled.transpose(1, 2, 0) @ colors.weights + colors.bias)


def _places(latent: Any) -> Any:
    """One row a place: array of shape (rows × columns, channels)."""
    return latent.reshape(len(latent), -1).T


def _bytes(rgb: Any) -> Any:
    import numpy as np

    return (rgb.clip(0, 1) * 255).round().astype(np.uint8)
