"""The shapes of the collector's HTTP API, shared by the collector that serves them and by :class:`lytrace.Client`.

Times are Unix nanoseconds. They pass 2^53, so JSON carries them as strings; durations are plain integers of nanoseconds.
Identifiers are lower-case hexadecimal: 32 digits for a trace, 16 for a span, "" where there is none.

Source: the project's ``docs/api.md``.
"""

from lytrace.models._base import API_VERSION, ApiModel, ErrorBody, ErrorDetail, Info, Nanoseconds, WideInteger
from lytrace.models._facets import Completion, Facet, Facets, FacetValue, ListSubject, Suggestion
from lytrace.models._fields import FilterField, FilterFields
from lytrace.models._find import AskedImage, FoundImages, ImageMatch, MatchKind
from lytrace.models._flat import Scalar
from lytrace.models._forward import ForwardedScores, ForwardSignal, ForwardState, ForwardTarget, ForwardTargets
from lytrace.models._images import Artifact, Image, ImagePage, StoredArtifact
from lytrace.models._import import ImportReport
from lytrace.models._live import LiveEvent, LiveEventName
from lytrace.models._scores import AnnotatorKind, Score, ScoreBrief, ScoreIn, ScorePage, ScoreScope
from lytrace.models._series import Series, SeriesGroup, SeriesLine, SeriesMetric, SeriesPoint, SeriesSubject
from lytrace.models._session import Login
from lytrace.models._spans import Event, Link, Scope, Span, SpanPage, Status
from lytrace.models._stats import ProcessStats, StoreStats
from lytrace.models._traces import Trace, TraceDetail, TracePage, TracePatch, TraceState

__all__ = [
    "API_VERSION",
    "AnnotatorKind",
    "ApiModel",
    "Artifact",
    "AskedImage",
    "Completion",
    "ErrorBody",
    "ErrorDetail",
    "Event",
    "Facet",
    "FacetValue",
    "Facets",
    "FilterField",
    "FilterFields",
    "FoundImages",
    "ForwardSignal",
    "ForwardState",
    "ForwardTarget",
    "ForwardTargets",
    "ForwardedScores",
    "Image",
    "ImageMatch",
    "ImagePage",
    "ImportReport",
    "Info",
    "Link",
    "ListSubject",
    "LiveEvent",
    "LiveEventName",
    "Login",
    "MatchKind",
    "Nanoseconds",
    "ProcessStats",
    "Scalar",
    "Scope",
    "Score",
    "ScoreBrief",
    "ScoreIn",
    "ScorePage",
    "ScoreScope",
    "Series",
    "SeriesGroup",
    "SeriesLine",
    "SeriesMetric",
    "SeriesPoint",
    "SeriesSubject",
    "Span",
    "SpanPage",
    "Status",
    "StoreStats",
    "StoredArtifact",
    "Suggestion",
    "Trace",
    "TraceDetail",
    "TracePage",
    "TracePatch",
    "TraceState",
    "WideInteger",
]
