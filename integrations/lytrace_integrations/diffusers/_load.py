"""Loading as a span of its own: ``from_pretrained``, ``from_single_file`` and a modular pipeline's ``load_components``.

The outermost call is the span; what it loads on its way, transformers' models among it, is part of it. Which weight files were
read is told by the two libraries' own ``_load_pretrained_model``, which is given their paths; how large they are the worker asks.
"""

import contextvars
import functools
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from lytrace import instrumentation, semconv
from lytrace_integrations._models import first_weight
from lytrace_integrations.diffusers._placement import placement

_SNAPSHOT: Final = re.compile(r"models--(.+?)--(.+?)/snapshots/")
_FIRST_ARGUMENT: Final = ("pretrained_model", "path")
_SETTINGS: Final = {"variant": semconv.DIFFUSION_LOAD_VARIANT, "revision": semconv.DIFFUSION_LOAD_REVISION}

current: contextvars.ContextVar["Load | None"] = contextvars.ContextVar("lytrace-load", default=None)


class Load:
    """One call that loads.

    Attributes:
        files: paths of the weight files that were read; those that were read twice count once.
    """

    __slots__ = ("_began_ns", "_single_file", "files", "live")

    def __init__(self, live: Any, single_file: "SingleFile | None") -> None:
        self.live = live
        self.files: dict[str, None] = {}
        self._single_file = single_file
        self._began_ns = time.time_ns()

    def read(self, files: Any) -> None:
        """These files are read now."""
        self.files |= {os.fspath(file): None for file in files or ()}

    @instrumentation.guarded("recording what was loaded")
    def details(self, loaded: Any) -> Callable[[], instrumentation.Details]:
        """What the worker says of it: of ``loaded`` nothing is kept."""
        described = _describe(loaded)
        files, single_file, began_ns = list(self.files), self._single_file, self._began_ns

        def details() -> instrumentation.Details:
            checkpoint = single_file.path() if single_file is not None else None
            found = files if checkpoint is None else [*files, checkpoint]
            return instrumentation.Details(attributes=described | _files(found, began_ns))

        return details


class SingleFile(NamedTuple):
    """The checkpoint that ``from_single_file`` was asked for."""

    source: str
    cache_dir: str | None
    revision: str | None

    def path(self) -> str | None:
        """Where it lies: itself, or the cache's copy of a file on the hub."""
        if Path(self.source).is_file():
            return self.source
        from diffusers.loaders.single_file_utils import _extract_repo_id_and_weights_name
        from huggingface_hub import try_to_load_from_cache

        repository, name = _extract_repo_id_and_weights_name(self.source)
        cached = try_to_load_from_cache(repository, name, cache_dir=self.cache_dir, revision=self.revision)
        return cached if isinstance(cached, str) else None


def wrap_classmethod(original: Any) -> Any:
    """A ``from_pretrained`` or ``from_single_file``."""
    function: Callable[..., Any] = original.__func__

    @functools.wraps(function)
    def wrapper(cls: type, /, *args: Any, **kwargs: Any) -> Any:
        load = _open(cls, _source(args, kwargs), function.__name__, kwargs) if current.get() is None else None
        return _record(load, function, cls, args, kwargs)

    return classmethod(wrapper)


def wrap_load_components(original: Callable[..., Any]) -> Callable[..., Any]:
    """A modular pipeline's ``load_components``: there, and not before, its weights are read."""

    @functools.wraps(original)
    def wrapper(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        source = getattr(self, "_pretrained_model_name_or_path", None)
        load = _open(type(self), source, original.__name__, kwargs) if current.get() is None else None
        return _record(load, original, self, args, kwargs)

    return wrapper


def wrap_reading(place: int, keyword: str, original: Any) -> Any:
    """``_load_pretrained_model``, whose argument ``keyword`` (or number ``place``) lists the weight files."""
    function: Callable[..., Any] = original.__func__

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        load = current.get()
        if load is not None:
            _read(load, args[place] if len(args) > place else kwargs.get(keyword))
        return function(*args, **kwargs)

    return type(original)(wrapper)


def _record(load: Load | None, function: Callable[..., Any], owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call ``function`` of ``owner``, a class, or a pipeline that loads its components."""
    if load is None:
        return function(owner, *args, **kwargs)
    live, token = load.live, current.set(load)
    live.enter()
    try:
        result = function(owner, *args, **kwargs)
    except BaseException as error:
        current.reset(token)
        live.leave()
        if live.recording:
            live.record_error(error)
            live.end(load.details(None))
        raise
    current.reset(token)
    live.leave()
    if live.recording:
        live.end(load.details(result if isinstance(owner, type) else owner))
    return result


def _source(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What is loaded: the first argument, whose name differs."""
    return args[0] if args else next((kwargs[name] for name in kwargs if name.startswith(_FIRST_ARGUMENT)), None)


@instrumentation.guarded("recording what is loaded")
def _open(cls: type, source: Any, method: str, kwargs: dict[str, Any]) -> Load | None:
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    attributes = {
        semconv.GEN_AI_REQUEST_MODEL: model_name(path) if path else cls.__name__,
        semconv.DIFFUSION_LOAD_DEVICE_MAP: str(kwargs["device_map"]) if kwargs.get("device_map") is not None else None,
        **{name: kwargs[argument] for argument, name in _SETTINGS.items() if isinstance(kwargs.get(argument), str)},
    }
    live = instrumentation.open_stage(semconv.STAGE_LOAD, attributes)
    if live is None:
        return None
    if path is None or method != "from_single_file":
        return Load(live, None)
    return Load(live, SingleFile(path, kwargs.get("cache_dir"), kwargs.get("revision")))


@instrumentation.guarded("recording which files are read")
def _read(load: Load, files: Any) -> None:
    load.read(files)


def model_name(source: str) -> str:
    """The repository's id, else the file's or directory's last name: never a full path."""
    if found := _SNAPSHOT.search(source):
        return f"{found[1]}/{found[2]}"
    if "://" in source:
        return source.rstrip("/").rsplit("/", 1)[-1]
    path = Path(source)
    return path.resolve().name if path.is_absolute() or path.exists() else source


def _describe(loaded: Any) -> dict[str, Any]:
    """Class, dtype and device of what was loaded."""
    loaded = loaded[0] if isinstance(loaded, tuple) and loaded else loaded  # with output_loading_info=True
    if loaded is None:
        return {}
    if hasattr(loaded, "components"):
        parts = {name: part for name, part in loaded.components.items() if part is not None}
        device, dtype = placement(loaded, parts)
        name = semconv.DIFFUSION_PIPELINE_CLASS
    else:
        weight = first_weight(loaded)
        device, dtype = getattr(weight, "device", None), str(getattr(weight, "dtype", "")).removeprefix("torch.") or None
        name = semconv.DIFFUSION_COMPONENT_CLASS
    return {
        name: type(loaded).__name__,
        semconv.DIFFUSION_DTYPE: dtype,
        semconv.DIFFUSION_DEVICE: str(device) if device is not None else None,
    }


def _files(paths: list[str], began_ns: int) -> dict[str, Any]:
    """How many weight files, their bytes, and whether they came over the network just now."""
    found = [Path(path) for path in paths if Path(path).is_file()]
    if not found:
        return {}
    statuses = [path.stat() for path in found]
    if any(status.st_ctime_ns > began_ns for status in statuses):
        source = semconv.LOAD_DOWNLOAD
    else:
        source = semconv.LOAD_CACHE if any(path.resolve().parent.name == "blobs" for path in found) else semconv.LOAD_LOCAL
    return {
        semconv.DIFFUSION_LOAD_FILE_COUNT: len(found),
        semconv.DIFFUSION_LOAD_BYTES: sum(status.st_size for status in statuses),
        semconv.DIFFUSION_LOAD_SOURCE: source,
    }
