"""A score and its encodings: an OTLP log event (canonical), JSON for the HTTP API, and a span for trace-only backends."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from lytrace import semconv

NAMESPACE = uuid.UUID("6f9b2f4e-6c1f-5b0e-9a53-0d6a1c7e8f21")
"""uuid5 namespace of score ids: two senders that say the same thing about the same target make the same id."""

AnnotatorKind = Literal["human", "code", "llm"]


def score_id(trace_id: str, span_id: str, image_index: int | None, name: str, evaluator: str = "", identifier: str = "") -> str:
    """The identity of a score: who says what about which target, whatever the value.

    Args:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits, or "" for a score of the whole trace.
        image_index: which image of the span, or None.
        name: what is scored, such as ``"aesthetic"``.
        evaluator: what made the score, such as a class name with its version.
        identifier: tells apart several scores of one name by one evaluator, such as the annotator's name.
    """
    index = "" if image_index is None else str(image_index)
    return str(uuid.uuid5(NAMESPACE, f"{trace_id}\0{span_id}\0{index}\0{name}\0{evaluator}\0{identifier}"))


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement of a trace, a span, or one image of a span. ``value``, ``label`` or both are set; neither: it is deleted."""

    trace_id: str
    name: str
    value: float | None = None
    label: str | None = None
    span_id: str = ""
    image_index: int | None = None
    explanation: str | None = None
    annotator_kind: AnnotatorKind = "code"
    evaluator: str = ""
    identifier: str = ""
    min: float | None = None
    max: float | None = None
    higher_is_better: bool | None = None
    time_unix_nano: int = field(default_factory=time.time_ns)

    @property
    def id(self) -> str:
        """The uuid5 of :func:`score_id`."""
        return score_id(self.trace_id, self.span_id, self.image_index, self.name, self.evaluator, self.identifier)

    @property
    def scope(self) -> Literal["trace", "span", "image"]:
        """What is judged."""
        if not self.span_id:
            return "trace"
        return "span" if self.image_index is None else "image"

    @property
    def is_deletion(self) -> bool:
        """Whether it says that the earlier ones of its id are deleted."""
        return self.value is None and self.label is None

    def to_log_attributes(self) -> dict[str, Any]:
        """Attributes of the ``gen_ai.evaluation.result`` log record; trace and span ids travel in the record itself.

        Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/ (event ``gen_ai.evaluation.result``).
        """
        attributes = {
            semconv.EVALUATION_NAME: self.name,
            semconv.EVALUATION_VALUE: self.value,
            semconv.EVALUATION_LABEL: self.label,
            semconv.EVALUATION_EXPLANATION: self.explanation,
            semconv.EVALUATION_ID: self.id,
            semconv.EVALUATION_ANNOTATOR_KIND: self.annotator_kind,
            semconv.EVALUATION_SCOPE: self.scope,
            semconv.EVALUATION_EVALUATOR: self.evaluator or None,
            semconv.EVALUATION_IDENTIFIER: self.identifier or None,
            semconv.EVALUATION_IMAGE_INDEX: self.image_index,
            semconv.EVALUATION_MIN: self.min,
            semconv.EVALUATION_MAX: self.max,
            semconv.EVALUATION_HIGHER_IS_BETTER: self.higher_is_better,
            semconv.EVALUATION_DELETED: self.is_deletion or None,
        }
        return {name: value for name, value in attributes.items() if value is not None}

    @classmethod
    def from_log_attributes(cls, attributes: Mapping[str, Any], *, trace_id: str, span_id: str, time_unix_nano: int) -> Self:
        """The score that a ``gen_ai.evaluation.result`` record carries.

        A record from another SDK has no ``lytrace.*`` attributes: it then judges the span it is attached to.

        Raises:
            ValueError: the record names no evaluation, or has neither a value nor a label and is no deletion.
        """
        name = attributes.get(semconv.EVALUATION_NAME)
        is_deletion = attributes.get(semconv.EVALUATION_DELETED) is True
        value = None if is_deletion else attributes.get(semconv.EVALUATION_VALUE)
        label = None if is_deletion else attributes.get(semconv.EVALUATION_LABEL)
        if not name or not trace_id or (value is None and label is None and not is_deletion):
            raise ValueError("an evaluation event needs a trace, a name, and a value or a label")
        whole_trace = attributes.get(semconv.EVALUATION_SCOPE) == "trace"
        kind = attributes.get(semconv.EVALUATION_ANNOTATOR_KIND, "code")
        return cls(
            trace_id=trace_id,
            name=str(name),
            value=None if value is None else float(value),
            label=None if label is None else str(label),
            span_id="" if whole_trace else span_id,
            image_index=attributes.get(semconv.EVALUATION_IMAGE_INDEX),
            explanation=attributes.get(semconv.EVALUATION_EXPLANATION),
            annotator_kind=kind if kind in {"human", "code", "llm"} else "code",
            evaluator=str(attributes.get(semconv.EVALUATION_EVALUATOR, "")),
            identifier=str(attributes.get(semconv.EVALUATION_IDENTIFIER, "")),
            min=attributes.get(semconv.EVALUATION_MIN),
            max=attributes.get(semconv.EVALUATION_MAX),
            higher_is_better=attributes.get(semconv.EVALUATION_HIGHER_IS_BETTER),
            time_unix_nano=time_unix_nano,
        )

    def to_carrier_attributes(self) -> dict[str, Any]:
        """Attributes of the ``evaluation {name}`` span for backends that take traces but no logs.

        Source: https://github.com/Arize-ai/openinference (semantic conventions, evaluator spans).
        """
        parts = {
            "name": self.name,
            "score": self.value,
            "label": self.label,
            "explanation": self.explanation,
            "annotator_kind": self.annotator_kind.upper(),
        }
        carried = {semconv.CARRIER_PREFIX + part: value for part, value in parts.items() if value is not None}
        deleted = {semconv.EVALUATION_DELETED: True} if self.is_deletion else {}
        return {semconv.OPENINFERENCE_SPAN_KIND: semconv.OPENINFERENCE_EVALUATOR, **carried, **deleted}
