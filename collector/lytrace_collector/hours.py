"""What an hour brought, folded from spans: calls, errors, images, cost, energy, and how long the calls took.

Durations go into buckets whose limits grow by 4 %, so a quantile is exact to 2 % whatever the range, and hours add up to days.
Source: the log-linear buckets of DDSketch, https://arxiv.org/abs/1908.10693.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from lytrace import semconv
from lytrace_collector.derive import LATEST_NS, STATUS_ERROR, clamp_ns, listed_ns, root_rank
from lytrace_collector.records import SpanRecord

HOUR_NS: Final = 3_600_000_000_000
OF_TRACES: Final = "trace"
OF_GENERATIONS: Final = "generation"

_PARTS: Final = (semconv.KIND_STEP, semconv.KIND_STAGE)
_GROWTH: Final = 1.04
_LOG_GROWTH: Final = math.log(_GROWTH)
_MIDDLE: Final = 2 / (_GROWTH + 1)
_SUMS: Final = frozenset({"calls", "errors", "images", "cost_usd", "gpu_peak_bytes", "energy_j"})
_QUANTILES: Final = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
_LARGEST_COST: Final = 1e12
_LARGEST_ENERGY: Final = 1e15
_LARGEST_BYTES: Final = 2**60
_LARGEST_SUM: Final = 2**62


class HourKey(NamedTuple):
    """What a row of hours is about: the hour (since 1970), roots or generations, the program, the model and who runs it."""

    hour: int
    of: str
    service_name: str
    model: str
    provider: str


@dataclass(slots=True)
class Hour:
    """Sums over calls that began in one hour; ``latency`` maps a bucket of durations to its number of calls."""

    calls: int = 0
    errors: int = 0
    images: int = 0
    duration_ns: int = 0
    cost_usd: float = 0.0
    gpu_peak_bytes: int = 0
    energy_j: float = 0.0
    latency: dict[str, int] = field(default_factory=dict)

    def merge(self, other: "Hour") -> None:
        """Add another hour's calls."""
        self.calls += other.calls
        self.errors += other.errors
        self.images += other.images
        self.duration_ns = min(self.duration_ns + other.duration_ns, _LARGEST_SUM)
        self.cost_usd += other.cost_usd
        self.gpu_peak_bytes = max(self.gpu_peak_bytes, other.gpu_peak_bytes)
        self.energy_j += other.energy_j
        for bucket, calls in other.latency.items():
            self.latency[bucket] = self.latency.get(bucket, 0) + calls


def hours_of(spans: Iterable[SpanRecord], received_ns: int = LATEST_NS) -> dict[HourKey, Hour]:
    """The hours that finished spans add to which came at this time: roots of traces, and generations."""
    hours: dict[HourKey, Hour] = {}
    for span in spans:
        kind = span.known.get(semconv.SPAN_KIND)
        if span.pending or kind in _PARTS:
            continue
        if kind == semconv.KIND_GENERATION:
            model, provider = span.known.get(semconv.GEN_AI_REQUEST_MODEL), span.known.get(semconv.GEN_AI_PROVIDER_NAME)
            _add(hours, span, (OF_GENERATIONS, _text(model), _text(provider)), received_ns)
        if root_rank(span) is not None:
            _add(hours, span, (OF_TRACES, "", ""), received_ns)
    return hours


def metric(hour: Hour, name: str) -> float | None:
    """A metric of :data:`lytrace.models.SeriesMetric`; latencies in nanoseconds."""
    if name in _SUMS:
        return float(getattr(hour, name))
    if name == "latency_mean":
        return hour.duration_ns / hour.calls if hour.calls else None
    return quantile(hour.latency, _QUANTILES[name])


def quantile(latency: Mapping[str, int], share: float) -> float | None:
    """The duration in nanoseconds that ``share`` of the calls did not exceed, to 2 %; None without any call."""
    total = sum(latency.values())
    reached = 0
    for bucket, calls in sorted((int(bucket), calls) for bucket, calls in latency.items()):
        reached += calls
        if reached >= share * total:
            return _MIDDLE * math.exp(bucket * _LOG_GROWTH)
    return None


def _add(hours: dict[HourKey, Hour], span: SpanRecord, subject: tuple[str, str, str], received_ns: int) -> None:
    """Add a span to its hour; ``subject`` is of what, the model and the provider."""
    of, model, provider = subject
    start_ns = clamp_ns(span.start_ns)
    duration_ns = max(0, clamp_ns(span.end_ns) - start_ns)
    began = listed_ns(span.start_ns, received_ns) // HOUR_NS
    hour = hours.setdefault(HourKey(began, of, span.resource.service_name, model, provider), Hour())
    hour.calls += 1
    hour.errors += span.status_code == STATUS_ERROR
    hour.duration_ns = min(hour.duration_ns + duration_ns, _LARGEST_SUM)
    ids = span.known.get(semconv.ARTIFACT_IDS)
    hour.images += len(ids) if isinstance(ids, list) else 0
    hour.cost_usd += _number(span.known.get(semconv.COST_USD), _LARGEST_COST)
    hour.gpu_peak_bytes = max(hour.gpu_peak_bytes, int(_number(span.known.get(semconv.GPU_MEMORY_PEAK), _LARGEST_BYTES)))
    hour.energy_j += _number(span.known.get(semconv.GPU_ENERGY), _LARGEST_ENERGY)
    bucket = str(math.ceil(math.log(max(duration_ns, 1)) / _LOG_GROWTH))
    hour.latency[bucket] = hour.latency.get(bucket, 0) + 1


def _number(value: Any, largest: float) -> float:
    return min(max(value, 0), largest) if isinstance(value, int | float) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
