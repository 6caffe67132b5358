"""What this Python and this machine have: versions, a GPU, the spool."""

import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lytrace._settings import Settings
from lytrace.cli._doctor.check import Check, fail, ok, size_text, warn
from lytrace.spool import folder_size_bytes, is_free

_SHOWN: Final = ("opentelemetry-sdk", "torch", "diffusers", "transformers", "openai", "google-genai")
_NEARLY_FULL: Final = 0.8
_TORCH_TIMEOUT_S: Final = 60
_ASK_TORCH: Final = """
import json, torch
cuda = torch.cuda.is_available()
names = [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())] if cuda else []
mps, xpu = torch.backends.mps.is_available(), hasattr(torch, "xpu") and torch.xpu.is_available()
print(json.dumps({"built": torch.version.cuda or torch.version.hip, "names": names, "mps": mps, "xpu": xpu}))
"""


def versions(_: Settings) -> Iterator[Check]:
    """What is installed, and what of it is older than lytrace wants."""
    wanted = SpecifierSet(str(importlib.metadata.metadata("lytrace").json.get("requires_python", "")))
    python = f"lytrace {_version('lytrace')}, Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if platform.python_version() in wanted:
        yield ok("versions", python)
    else:
        yield fail("versions", python, f"lytrace wants Python {wanted}")
    found = {name: _version(name) for name in _SHOWN}
    yield ok("versions", ", ".join(f"{name} {version}" for name, version in found.items() if version) or "no known library")
    bounds = [Requirement(text) for text in importlib.metadata.requires("lytrace") or ()]
    old = {bound.name: bound for bound in bounds if (has := _version(bound.name)) and not bound.specifier.contains(has, True)}
    for name, bound in old.items():
        yield warn("versions", f"{name} {_version(name)} is not {bound.specifier}", f"pip install -U '{name}{bound.specifier}'")


def gpu(_: Settings) -> Iterator[Check]:
    """The driver as NVML sees it, and the devices as torch sees them, asked in a process of its own: either may crash."""
    driver = _driver()
    torch = _torch() if _version("torch") else None
    if driver is not None:
        yield ok("GPU", f"driver {driver['driver']}: {', '.join(driver['names']) or 'no device'}")
    if torch is None:
        yield ok("GPU", "torch is not installed: nothing is measured on a device")
    elif "error" in torch:
        yield fail("GPU", f"torch cannot be imported: {torch['error']}", "install it anew: pip install --force-reinstall torch")
    elif torch["names"]:
        yield ok("GPU", f"torch has {', '.join(torch['names'])} (built for {torch['built']})")
    elif torch["mps"] or torch["xpu"]:
        yield ok("GPU", f"torch has {'MPS' if torch['mps'] else 'XPU'}")
    elif driver is not None and driver["names"]:
        built = f"{torch['built']}, which this driver does not run" if torch["built"] else "the CPU only"
        yield warn(
            "GPU",
            f"there is a GPU, and torch is built for {built}",
            "install the torch build for your driver: https://pytorch.org",
        )
    else:
        yield ok("GPU", "none: times are the CPU's")
    if torch is not None and torch.get("names") and driver is None and _version("nvidia-ml-py") is None:
        yield warn("GPU", "without nvidia-ml-py there is no energy, power and use by others", "pip install 'lytrace[diffusers]'")


def _waiting(living: int, left: int) -> str:
    """``1 program writes, 2 have ended``."""
    writing = "no program writes" if not living else "1 program writes" if living == 1 else f"{living} programs write"
    return f"{writing}, {left or 'none'} {'has' if left in {0, 1} else 'have'} ended without sending all"


def spool(settings: Settings) -> Iterator[Check]:
    """What waits for a collector, and whether more fits."""
    path = settings.spool_path
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        yield fail("spool", f"{place} cannot be written", "change its owner, or move the spool with LYTRACE_SPOOL")
        return
    used = folder_size_bytes(path)
    limit = min(settings.spool_bytes, int((shutil.disk_usage(place).free + used) * settings.spool_free_fraction))
    left, living = _programs(path)
    message = f"{path}: {size_text(used)} of {size_text(limit)} used; {_waiting(living, left)}"
    if used > limit * _NEARLY_FULL:
        yield warn("spool", message, "start the collector with `lytrace up`; past the limit images are dropped first")
    elif left:
        yield warn("spool", message, "`lytrace up` takes over what they left")
    else:
        yield ok("spool", message)


def _programs(path: Path) -> tuple[int, int]:
    """How many programs left something here, and how many write still."""
    if not path.is_dir():
        return 0, 0
    free = [is_free(entry) for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    return sum(free), len(free) - sum(free)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _driver() -> dict[str, Any] | None:
    """What NVML says; None where there is no NVIDIA driver, or no nvidia-ml-py."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:
        return None
    try:
        count = nvml.nvmlDeviceGetCount()
        names = [nvml.nvmlDeviceGetName(nvml.nvmlDeviceGetHandleByIndex(place)) for place in range(count)]
        return {"driver": nvml.nvmlSystemGetDriverVersion(), "names": names}
    finally:
        nvml.nvmlShutdown()


def _torch() -> dict[str, Any]:
    try:
        command = [sys.executable, "-W", "ignore", "-c", _ASK_TORCH]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=_TORCH_TIMEOUT_S, check=False)  # noqa: S603 (ours)
    except subprocess.TimeoutExpired:
        return {"error": f"it takes longer than {_TORCH_TIMEOUT_S} s"}
    if asked.returncode != 0:
        lines = asked.stderr.strip().splitlines()
        return {"error": lines[-1][:300] if lines else f"the process ended with {asked.returncode}"}
    return dict(json.loads(asked.stdout.splitlines()[-1]))
