"""What every benchmark shares: medians of paired runs, a table, and a dated JSON file in ``benchmarks/results/``."""

import datetime
import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def pairs(ours: Callable[[], float], baseline: Callable[[], float], rounds: int) -> list[tuple[float, float]]:
    """``rounds`` measurements of both in turn; every other round the baseline goes first."""
    found = []
    for number in range(rounds):
        if number % 2:
            second = baseline()
            found.append((ours(), second))
        else:
            found.append((ours(), baseline()))
    return found


def summary(measured: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Medians of both and of the ratio pair by pair, with the ratio's quartiles."""
    ratios = sorted(ours / baseline for ours, baseline in measured)
    quartiles = statistics.quantiles(ratios, n=4)
    return {
        "rounds": len(measured),
        "ours_median": statistics.median(ours for ours, _ in measured),
        "baseline_median": statistics.median(baseline for _, baseline in measured),
        "ratio_median": statistics.median(ratios),
        "ratio_quartiles": [quartiles[0], quartiles[2]],
    }


def added(measured: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """A summary with the difference pair by pair, which is what a budget in microseconds is about."""
    differences = sorted(ours - baseline for ours, baseline in measured)
    quartiles = statistics.quantiles(differences, n=4)
    return summary(measured) | {"added_median": statistics.median(differences), "added_quartiles": [quartiles[0], quartiles[2]]}


def report(name: str, rows: dict[str, dict[str, Any]], *, units: str, budgets: dict[str, float]) -> None:
    """Print the rows and write them to ``results/<name>-<date>.json``."""
    table = Table(
        "measured", f"lytrace ({units})", f"baseline ({units})", "ratio", "quartiles", "budget", box=None, header_style="bold"
    )
    for title, row in rows.items():
        low, high = row["ratio_quartiles"]
        budget = f"≤ {budgets[title]:g}" if title in budgets else ""
        table.add_row(
            title,
            f"{row['ours_median']:.4g}",
            f"{row['baseline_median']:.4g}",
            f"{row['ratio_median']:.2f}",
            f"{low:.2f} to {high:.2f}",
            budget,
        )
    Console().print(table)
    save(name, {"units": units, "budgets": budgets, "rows": rows})


def report_added(name: str, rows: dict[str, dict[str, Any]], *, budgets: dict[str, float]) -> None:
    """:func:`report` in microseconds, for rows of :func:`added`; in others the baseline is a bare span in the same place."""
    report(name, rows, units="µs", budgets=budgets)
    print()
    for title, row in rows.items():
        budget = f", budget {budgets[title]:g}" if title in budgets else ""
        if "added_median" in row:
            low, high = row["added_quartiles"]
            print(f"{title}: {row['added_median']:+.1f} µs (quartiles {low:+.1f} to {high:+.1f}{budget})")
        else:
            print(f"{title}: {row['ours_median']:.1f} µs (a bare span {row['baseline_median']:.1f}{budget})")


def save(name: str, found: dict[str, Any]) -> None:
    """Write what was found to ``results/<name>-<date>.json``, with the date and the machine."""
    RESULTS.mkdir(exist_ok=True)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    machine = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    text = json.dumps({"date": today, "machine": machine, **found}, indent=2)
    (RESULTS / f"{name}-{today}.json").write_text(text + "\n")
