"""The gallery's rows: one for each image that a span put out, whichever program made it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from lytrace import semconv
from lytrace_collector.artifacts import is_artifact_id
from lytrace_collector.derive import LATEST_NS, clamp_ns, listed_ns
from lytrace_collector.prompts import RAW, Prompt, find_prompt
from lytrace_collector.records import ArtifactRecord, SpanRecord

MAKER_GENERATION: Final = 3
MAKER_FOREIGN: Final = 2
MAKER_FUNCTION: Final = 1
MAKER_PART: Final = 0

_MAKERS: Final = {
    semconv.KIND_GENERATION: MAKER_GENERATION,
    semconv.KIND_FUNCTION: MAKER_FUNCTION,
    semconv.KIND_STAGE: MAKER_PART,
    semconv.KIND_STEP: MAKER_PART,
}


@dataclass(slots=True)  # a frozen one takes three times as long to make
class ImageFacts:
    """What the span says of one of its output images. ``maker`` ranks how likely the span made it, not only returned it."""

    trace_id: bytes
    span_id: bytes
    index: int
    artifact_id: str
    maker: int
    prompt: str | None
    negative_prompt: str | None
    seed: int | None
    model: str | None
    scheduler: str | None
    steps: int | None
    start_ns: int
    duration_ns: int


def output_artifacts(span: SpanRecord) -> Iterator[ArtifactRecord]:
    """The artifacts that a span's own attributes name, in order."""
    attributes = span.known
    ids = _list(attributes.get(semconv.ARTIFACT_IDS))
    if not ids:
        return
    pixel_hashes = _list(attributes.get(semconv.IMAGE_HASHES))
    phashes = _list(attributes.get(semconv.IMAGE_PHASHES))
    for index, artifact_id in enumerate(ids):
        if is_artifact_id(artifact_id):
            yield ArtifactRecord(
                trace_id=span.trace_id,
                span_id=span.span_id,
                role=semconv.ROLE_OUTPUT,
                index=index,
                artifact_id=artifact_id,
                pixel_hash=_text(_at(pixel_hashes, index)),
                phash=_text(_at(phashes, index)),
            )


def image_facts(span: SpanRecord, outputs: list[tuple[int, str]], received_ns: int = LATEST_NS) -> Iterator[ImageFacts]:
    """A gallery row for each ``(index, artifact id)`` that a span put out which came at this time."""
    attributes = span.known
    prompt = find_prompt(attributes)
    count = max((index for index, _ in outputs), default=0) + 1
    start_ns = clamp_ns(span.start_ns)
    steps = attributes.get(semconv.DIFFUSION_NUM_INFERENCE_STEPS)
    for index, artifact_id in outputs:
        yield ImageFacts(
            trace_id=span.trace_id,
            span_id=span.span_id,
            index=index,
            artifact_id=artifact_id,
            maker=_MAKERS.get(attributes.get(semconv.SPAN_KIND, ""), MAKER_FOREIGN),
            prompt=_image_prompt(prompt, index, count),
            negative_prompt=_negative_prompt(attributes.get(semconv.DIFFUSION_NEGATIVE_PROMPT), index, count),
            seed=_seed(attributes, index),
            model=_text(attributes.get(semconv.GEN_AI_REQUEST_MODEL)),
            scheduler=_text(attributes.get(semconv.DIFFUSION_SCHEDULER_CLASS)),
            steps=steps if isinstance(steps, int) else None,
            start_ns=listed_ns(span.start_ns, received_ns),
            duration_ns=max(0, clamp_ns(span.end_ns) - start_ns),
        )


def _image_prompt(prompt: Prompt | None, index: int, count: int) -> str | None:
    """The span's own prompt; raw captured arguments are no prompt, the trace's is taken then."""
    if prompt is None or prompt.rank >= RAW:
        return None
    return prompt.of_image(index, count)


def _negative_prompt(value: Any, index: int, count: int) -> str | None:
    texts = tuple(text for text in _list(value) if isinstance(text, str))
    return Prompt(0, texts).of_image(index, count) if texts else _text(value)


def _seed(attributes: Any, index: int) -> int | None:
    seeds = _list(attributes.get(semconv.DIFFUSION_SEEDS))
    seed = seeds[0] if len(seeds) == 1 else _at(seeds, index)
    if not isinstance(seed, int):
        seed = attributes.get(semconv.GEN_AI_REQUEST_SEED)
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
