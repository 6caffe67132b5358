"""Which attributes the collector itself reads: to derive traces, images and prompts, and to tell what a span is."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import orjson

from lytrace import semconv
from lytrace_collector.packing import Packed, unpack
from lytrace_collector.records import mapping

_NAMES: Final = frozenset(
    {
        semconv.ARTIFACT_IDS,
        semconv.COST_USD,
        semconv.DIFFUSION_NEGATIVE_PROMPT,
        semconv.DIFFUSION_NUM_INFERENCE_STEPS,
        semconv.DIFFUSION_SCHEDULER_CLASS,
        semconv.DIFFUSION_SEEDS,
        semconv.DIFFUSION_STEP_COUNT,
        semconv.ERROR_TYPE,
        semconv.GEN_AI_INPUT_MESSAGES,
        semconv.GEN_AI_PROVIDER_NAME,
        semconv.GEN_AI_REQUEST_MODEL,
        semconv.GEN_AI_REQUEST_SEED,
        semconv.GPU_ENERGY,
        semconv.GPU_MEMORY_PEAK,
        semconv.IMAGES_DROPPED,
        semconv.IMAGE_HASHES,
        semconv.IMAGE_PHASHES,
        semconv.PENDING_PARENT_ID,
        semconv.SESSION_ID,
        semconv.SPAN_KIND,
        semconv.SPAN_TYPE,
        semconv.USER_ID,
        *semconv.FOREIGN_PROMPT_ATTRIBUTES,
    }
)


def is_known(name: str) -> bool:
    """Whether the collector reads the attribute of this name."""
    return name in _NAMES or name.startswith(semconv.TAGS_PREFIX)


class LazyKnown(Mapping[str, Any]):
    """The attributes of a stored span, parsed when someone looks: most that are loaded are only shown."""

    def __init__(self, packed_attributes: Packed) -> None:
        self._packed = packed_attributes

    @cached_property
    def _attributes(self) -> Mapping[str, Any]:
        return mapping(orjson.loads(unpack(self._packed)))

    def __getitem__(self, name: str) -> Any:
        return self._attributes[name]

    def __iter__(self) -> Iterator[str]:
        return filter(is_known, self._attributes)

    def __len__(self) -> int:
        return sum(1 for _ in self)
