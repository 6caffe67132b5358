"""A model as one row of a table: a flat dictionary of plain values, its columns named as in the query language."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from statistics import fmean
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

Scalar: TypeAlias = str | int | float | bool | datetime | None
"""What a cell of a table holds."""

_TIME: Final = "_unix_nano"
_PREFIXES: Final = {"tags": "tag"}


def flat(model: BaseModel) -> dict[str, Scalar]:
    """See :meth:`lytrace.models.ApiModel.flat`."""
    row: dict[str, Scalar] = {}
    for name, value in model:
        if name == "scores":
            row |= _scores(value)
        elif isinstance(value, BaseModel):
            row |= {f"{name}.{inner}": cell for inner, cell in flat(value).items()}
        elif isinstance(value, Mapping):
            row |= {f"{_PREFIXES.get(name, name)}.{key}": _cell(cell) for key, cell in value.items()}
        elif not isinstance(value, list):
            row[name] = value
            if name.endswith(_TIME) and value is not None:
                row[name.removesuffix(_TIME)] = datetime.fromtimestamp(value / 1e9, UTC)
    return row


def _scores(scores: Iterable[Any]) -> dict[str, Scalar]:
    """``score.NAME``: the value, the mean where there are several; the newest label where there is no value."""
    by_name = defaultdict(list)
    for score in scores:
        by_name[f"score.{score.name}"].append(score)
    row: dict[str, Scalar] = {}
    for name, same in by_name.items():
        values = [score.value for score in same if score.value is not None]
        row[name] = fmean(values) if values else same[0].label
    return row


def _cell(value: Any) -> Scalar:
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value, ensure_ascii=False)
