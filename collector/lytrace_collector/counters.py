"""What the collector counts of itself, as Prometheus text."""

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

_PREFIX: Final = "lytrace_collector_"


class Counters:
    """Named counters with labels, safe to raise from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[tuple[str, tuple[tuple[str, str], ...]], int] = defaultdict(int)

    def add(self, name: str, amount: int = 1, **labels: str) -> None:
        """Raise a counter; it appears as ``lytrace_collector_{name}_total``."""
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += amount

    def get(self, name: str, **labels: str) -> int:
        """A counter's value."""
        with self._lock:
            return self._counts[name, tuple(sorted(labels.items()))]

    def to_prometheus(self, gauges: Mapping[str, int]) -> str:
        """All counters and the given gauges.

        Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
        """
        with self._lock:
            counts = sorted(self._counts.items())
        lines: list[str] = []
        for (name, labels), count in counts:
            metric = f"{_PREFIX}{name}_total"
            if f"# TYPE {metric} counter" not in lines:
                lines.append(f"# TYPE {metric} counter")
            shown = ",".join(f'{label}="{value}"' for label, value in labels)
            lines.append(f"{metric}{{{shown}}} {count}" if shown else f"{metric} {count}")
        for name, value in gauges.items():
            lines += [f"# TYPE {_PREFIX}{name} gauge", f"{_PREFIX}{name} {value}"]
        return "\n".join(lines) + "\n"
