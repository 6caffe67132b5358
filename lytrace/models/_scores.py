"""Scores: what is sent, what is stored, what lists show."""

from typing import Literal

from pydantic import ConfigDict, Field

from lytrace.models._base import ApiModel, Nanoseconds

AnnotatorKind = Literal["human", "code", "llm"]
ScoreScope = Literal["trace", "span", "image"]


class ScoreIn(ApiModel):
    """A score to store. ``value``, ``label`` or both; the target is a trace, a span of it, or one image of a span."""

    model_config = ConfigDict(extra="forbid")

    trace_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    span_id: str = Field("", pattern=r"^([0-9a-f]{16})?$")
    image_index: int | None = Field(None, ge=0, le=2**31)
    name: str = Field(min_length=1, max_length=200)
    value: float | None = Field(None, allow_inf_nan=False)
    label: str | None = Field(None, max_length=1000)
    explanation: str | None = Field(None, max_length=65536)
    annotator_kind: AnnotatorKind = "human"
    evaluator: str = Field("", max_length=200)
    identifier: str = Field("", max_length=200)
    min: float | None = None
    max: float | None = None
    higher_is_better: bool | None = None
    time_unix_nano: Nanoseconds | None = Field(None, gt=0, lt=2**63)


class Score(ScoreIn):
    """A stored score. Its ``id`` is the uuid5 of what it says about what: see :func:`lytrace.scores.score_id`."""

    model_config = ConfigDict(extra="ignore")

    id: str
    scope: ScoreScope
    time_unix_nano: Nanoseconds


class ScoreBrief(ApiModel):
    """A current score as lists show it."""

    id: str
    name: str
    value: float | None = None
    label: str | None = None
    annotator_kind: AnnotatorKind = "human"


class ScorePage(ApiModel):
    """A page of scores, newest first."""

    scores: list[Score]
    next_cursor: str | None = None
