"""What a model call cost, from one file of dated and sourced prices, and from the user's own.

A model, a server or a count that no price is known for gives no cost rather than a wrong one.
"""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final

from lytrace import _log, semconv
from lytrace.errors import ConfigurationError

_MILLION: Final = 1_000_000
_SNAPSHOT: Final = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|\d{3})")
"""A dated or numbered version of a model is billed as the model."""
_TOKEN_KINDS: Final = frozenset(
    {
        "input",
        "cached_input",
        "output",
        "text_input",
        "image_input",
        "text_cached_input",
        "image_cached_input",
        "text_output",
        "image_output",
    }
)


class Prices:
    """The user's prices before those that lytrace brings along.

    Args:
        given: a JSON file or what would stand in it: ``{"prices": [...]}``; docs/costs.md has its format.

    Raises:
        ConfigurationError: it cannot be read.
    """

    def __init__(self, given: Path | Mapping[str, Any] | None = None) -> None:
        self._own = [] if given is None else _entries(given)

    @cached_property
    def _entries(self) -> list[Mapping[str, Any]]:
        """Read at the first call with usage, on the worker."""
        brought = json.loads(resources.files("lytrace").joinpath("prices.json").read_text("utf-8"))
        return [*self._own, *brought["prices"]]

    def of_call(self, attributes: Mapping[str, Any], images: int) -> float | None:
        """US dollars for a call.

        Args:
            attributes: of its span.
            images: how many images it made.
        """
        try:
            entry = self._find(attributes)
            if entry is None:
                return None
            by_token = entry.get("usd_per_million_tokens")
            if by_token and semconv.GEN_AI_USAGE_OUTPUT_TOKENS in attributes:
                return _for_tokens(by_token, attributes)
            return _for_images(entry.get("usd_per_image") or (), attributes, images)
        except Exception:
            _log.failed("working out a cost")
            return None

    def _find(self, attributes: Mapping[str, Any]) -> Mapping[str, Any] | None:
        asked = (attributes.get(semconv.GEN_AI_RESPONSE_MODEL), attributes.get(semconv.GEN_AI_REQUEST_MODEL))
        for model in filter(None, asked):
            for entry in self._entries:
                if _is_of(entry, str(model), attributes):
                    return entry
        return None


def of_gpu(attributes: Mapping[str, Any], usd_per_hour: float | None) -> float | None:
    """US dollars for a local generation's time on the device; None where that was not measured or has no price."""
    seconds = attributes.get(semconv.GPU_TIME)
    if usd_per_hour is None or not isinstance(seconds, int | float):
        return None
    return float(seconds) / 3600 * usd_per_hour


def _is_of(entry: Mapping[str, Any], model: str, attributes: Mapping[str, Any]) -> bool:
    name = entry["model"]
    if model != name and not (model.startswith(name) and _SNAPSHOT.fullmatch(model[len(name) :])):
        return False
    provider, hosts = entry.get("provider"), entry.get("hosts")
    if provider is not None and provider != attributes.get(semconv.GEN_AI_PROVIDER_NAME):
        return False
    return hosts is None or attributes.get(semconv.SERVER_ADDRESS) in hosts


def _for_tokens(prices: Mapping[str, float], attributes: Mapping[str, Any]) -> float | None:
    given = attributes.get(semconv.GEN_AI_USAGE_INPUT_TOKENS, 0)
    parts = (
        _side(prices, "input", given, attributes.get(semconv.GEN_AI_USAGE_IMAGE_INPUT_TOKENS), attributes),
        _side(
            prices,
            "output",
            attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS],
            attributes.get(semconv.GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS),
            attributes,
        ),
    )
    known = [part for part in parts if part is not None]
    return sum(known) / _MILLION if len(known) == len(parts) else None


def _side(
    prices: Mapping[str, float], side: str, total: int, of_images: int | None, attributes: Mapping[str, Any]
) -> float | None:
    """Dollars × 10⁶ of all tokens that went in, or came out; None where a price or a split that it needs is missing."""
    by_modality = f"image_{side}" in prices
    if by_modality and of_images is None and total and (f"text_{side}" in prices or side in prices):
        return None  # the prices differ and nobody says how many tokens are which
    image = (of_images if of_images is not None else total) if by_modality else 0
    text = total - image
    cached = attributes.get(semconv.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, 0) if side == "input" else 0
    if cached and (image or cached > text):
        return None  # nobody says which of them came from the cache
    needed = {f"image_{side}": image, f"text_{side}": text - cached, f"text_cached_{side}": cached}
    spent = 0.0
    for kind, count in needed.items():
        price = prices.get(kind, prices.get(kind.removeprefix("text_")))
        if count and price is None:
            return None
        spent += count * (price or 0.0)
    return spent


def _for_images(rows: Any, attributes: Mapping[str, Any], images: int) -> float | None:
    size = attributes.get(semconv.RESPONSE_SIZE, attributes.get(semconv.REQUEST_SIZE))
    quality = attributes.get(semconv.RESPONSE_QUALITY, attributes.get(semconv.REQUEST_QUALITY))
    for row in rows:
        if row.get("size") in {None, size} and row.get("quality") in {None, quality}:
            return float(row["usd"]) * images if images else None
    return None


def _entries(given: Path | Mapping[str, Any]) -> list[Mapping[str, Any]]:
    try:
        table = json.loads(given.read_text("utf-8")) if isinstance(given, Path) else given
        entries = list(table["prices"])
        for entry in entries:
            _check(entry)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        where = str(given) if isinstance(given, Path) else "the dictionary given"
        raise ConfigurationError(f'prices: {where} must hold {{"prices": [{{"model": …}}, …]}}; {error}') from None
    return entries


def _check(entry: Mapping[str, Any]) -> None:
    if not isinstance(entry["model"], str):
        raise TypeError("each entry needs a model")
    for kind, price in (entry.get("usd_per_million_tokens") or {}).items():
        if kind not in _TOKEN_KINDS:
            raise ValueError(f"there is no kind of token {kind!r}; there are {', '.join(sorted(_TOKEN_KINDS))}")
        float(price)
    for row in entry.get("usd_per_image") or ():
        float(row["usd"])
