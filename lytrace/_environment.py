"""The environment fingerprint: what this process runs on, as resource attributes."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

from lytrace import semconv

_LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "openai", "google-genai")


def program_name() -> str:
    """A service name for programs that were given none: the script's, the module's, or "python"."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    stem = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] else ""
    return stem if stem not in {"", "-c", "ipykernel_launcher"} else "python"


def process_attributes(process_uuid: str) -> dict[str, str | int]:
    """Cheap facts about the process; read on the caller's thread at ``init()``."""
    return {
        semconv.PROCESS_UUID: process_uuid,
        "process.pid": os.getpid(),
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": platform.python_version(),
        "host.name": platform.node(),
        "host.arch": platform.machine(),
        "os.type": sys.platform,
    }


def library_attributes() -> dict[str, str]:
    """Versions of lytrace and of the image libraries that are installed, without importing them. Slow: for the worker."""
    found = {}
    for library in _LIBRARIES:
        try:
            found[semconv.LIB_VERSION.format(library=library)] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {semconv.VERSION: lytrace_version(), **found}


def lytrace_version() -> str:
    """The installed version of lytrace, or "0" from a tree that was never installed."""
    try:
        return importlib.metadata.version("lytrace")
    except importlib.metadata.PackageNotFoundError:
        return "0"
