"""Which weights a component was loaded from: an identity that tells two checkpoints apart without reading all of them.

Runs on the worker. A file of the hub's cache is a link to a blob that is named by its hash: that name is the identity. Any other
file is identified by its size, its safetensors header and samples of 1 MiB spread over it, labelled ``sampled``: the header alone
is the same for every fine-tune of a model.
"""

import functools
import hashlib
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

_MIB: Final = 1024 * 1024
_SAMPLES: Final = 16
_SUFFIXES: Final = (".safetensors", ".bin", ".gguf", ".ckpt")
_BLOB: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def sources(parts: Mapping[str, Any]) -> dict[str, str]:
    """Component name → local directory that it was loaded from, as diffusers and transformers remember it. Cheap: reads names."""
    found = {}
    for name, part in parts.items():
        config = getattr(part, "config", None)
        remembered = config.get("_name_or_path") if isinstance(config, Mapping) else getattr(part, "name_or_path", None)
        if isinstance(remembered, str) and remembered:
            found[name] = remembered
    return found


def identities(loaded_from: Mapping[str, str], adapters: Mapping[str, Path | None] = MappingProxyType({})) -> list[str]:
    """``unet/diffusion_pytorch_model.safetensors sampled:…`` of each weight file; what has no files here is left out.

    Args:
        loaded_from: component name → directory.
        adapters: adapter name → file, told as ``lora:style/file.safetensors …``.
    """
    of_components = [
        f"{component}/{path.name} {identity(path)}"
        for component, folder in loaded_from.items()
        for path in sorted(Path(folder).glob("*") if Path(folder).is_absolute() or Path(folder).is_dir() else ())
        if path.suffix in _SUFFIXES
    ]
    return of_components + [f"lora:{name}/{path.name} {identity(path)}" for name, path in adapters.items() if path is not None]


def identity(path: Path) -> str:
    """``sha256:<hex>`` or ``git:<hex>`` by the hub cache's blob name, else ``sampled:<hex>``."""
    target = path.resolve()
    if target.parent.name == "blobs" and _BLOB.fullmatch(target.name):
        return f"{'sha256' if len(target.name) == 64 else 'git'}:{target.name}"
    status = target.stat()
    return f"sampled:{_sampled(target, status.st_size, status.st_mtime_ns)}"


@functools.lru_cache(maxsize=256)
def _sampled(path: Path, size_bytes: int, _modified_ns: int) -> str:
    """sha256 over the size, the header, and samples at even strides; a small file is read whole."""
    digest = hashlib.sha256(struct.pack("<Q", size_bytes))
    with path.open("rb") as file:
        if size_bytes <= _SAMPLES * _MIB:
            digest.update(file.read())
            return digest.hexdigest()
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        file.seek(0)
        digest.update(file.read(8 + min(header_bytes, 8 * _MIB)))
        for index in range(_SAMPLES):
            file.seek(index * (size_bytes - _MIB) // (_SAMPLES - 1))
            digest.update(file.read(_MIB))
    return digest.hexdigest()
