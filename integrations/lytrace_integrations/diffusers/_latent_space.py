"""Where a pipeline's latents live: how to find the picture in them, whatever their layout. Reads, never changes.

Layouts: (batch, channels, rows, columns); videos of (batch, channels, frames, …) or (batch, frames, channels, …), whose first
frame counts; sequences of patches as transformers take them, (batch, rows × columns, channels × 2 × 2) as Flux and Qwen-Image
pack them, or (batch, frames × rows × columns, channels) as LTX does. Without an autoencoder the latents are the pixels.

Source: diffusers 0.42, ``FluxPipeline._pack_latents``, ``LTXPipeline._pack_latents``.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_AUTOENCODERS: Final = ("vae", "movq", "vqvae", "vqgan")
_CHANNELS: Final = ("latent_channels", "z_dim", "vq_embed_dim")
_SCALES: Final = ("vae_scale_factor", "vae_spatial_compression_ratio", "vae_scale_factor_spatial")
_PATCH: Final = 2
_PIXEL_CHANNELS: Final = frozenset({1, 3})


@dataclass(frozen=True, slots=True)
class LatentSpace:
    """The space of one call's latents.

    Attributes:
        identity: equal for equal spaces; None where the latents are pixels of -1 to 1.
        channels: of a latent, where that is known.
        scales: pixels a side that one place of a latent may stand for.
        size: (height, width) of the picture asked for, in pixels, where that is known.
    """

    identity: Hashable
    channels: int | None
    scales: tuple[int, ...]
    size: tuple[int, int] | None

    def picture(self, latent: Any) -> Any:
        """The latent as (batch, channels, rows, columns), of a video its first frame; None where it cannot be told."""
        if latent.ndim == 5:
            return latent[:, 0] if latent.shape[2] == self.channels != latent.shape[1] else latent[:, :, 0]
        if latent.ndim == 3 and self.channels:
            return self._unpacked(latent)
        if latent.ndim != 4 or (self.identity is None and latent.shape[1] not in _PIXEL_CHANNELS):
            return None
        return latent

    def _unpacked(self, latent: Any) -> Any:
        batch, places, width = latent.shape
        patch = {self.channels: 1, (self.channels or 0) * _PATCH**2: _PATCH}.get(width)
        grid = self._grid(places, patch) if patch is not None else None
        if patch is None or grid is None:
            return None
        rows, columns = grid
        patches = latent[:, : rows * columns].reshape(batch, rows, columns, self.channels, patch, patch)
        return patches.permute(0, 3, 1, 4, 2, 5).reshape(batch, self.channels, rows * patch, columns * patch)

    def _grid(self, places: int, patch: int) -> tuple[int, int] | None:
        """Rows and columns of patches: those of the size asked for, else those of a square."""
        for scale in self.scales if self.size is not None else ():
            rows, columns = (side // (scale * patch) for side in self.size or ())
            if rows * columns and places % (rows * columns) == 0:
                return rows, columns
        side = math.isqrt(places)
        return (side, side) if side * side == places else None


def latent_space(pipe: Any, arguments: Mapping[str, Any]) -> LatentSpace:
    """The space of a pipeline's latents in a call with these arguments."""
    autoencoder = next((part for name in _AUTOENCODERS if (part := getattr(pipe, name, None)) is not None), None)
    config = getattr(autoencoder, "config", None)
    values = config if isinstance(config, Mapping) else {}
    channels = next((values[name] for name in _CHANNELS if isinstance(values.get(name), int)), None)
    scales = (getattr(pipe, name, None) for name in _SCALES)
    height, width = arguments.get("height"), arguments.get("width")
    is_known = isinstance(height, int) and isinstance(width, int)
    return LatentSpace(
        identity=(type(autoencoder).__name__, channels, values.get("scaling_factor"), str(values.get("block_out_channels")))
        if autoencoder is not None
        else None,
        channels=channels,
        scales=tuple(dict.fromkeys(int(scale) for scale in scales if isinstance(scale, int | float) and scale >= 1)),
        size=(height, width) if is_known else None,  # type: ignore[arg-type]
    )
