"""What a filter means, in plain Python over what the API shows of a trace and its images: what the stores are compared with."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from lytrace import semconv
from lytrace_collector.query.fields import Kind
from lytrace_collector.query.tree import And, Between, Either, Match, Moment, Node, Not, Or, Pattern, Present, Test, Wild, Words

_TRACE_KEYS = {
    "trace": "trace_id",
    "name": "name",
    "prompt": "prompt",
    "model": "model",
    "provider": "provider",
    "status": "state",
    "service": "service_name",
    "session": "session_id",
    "user": "user_id",
    "duration": "duration_ns",
    "start": "start_time_unix_nano",
    "steps": "steps",
    "images": "image_count",
    "spans": "span_count",
    "errors": "error_count",
    "cost": "cost_usd",
    "gpu.peak": "gpu_peak_bytes",
    "starred": "starred",
    "note": "note",
}
_IMAGE_KEYS = {
    "prompt": "prompt",
    "negative_prompt": "negative_prompt",
    "model": "model",
    "duration": "duration_ns",
    "start": "start_time_unix_nano",
    "steps": "steps",
    "seed": "seed",
    "scheduler": "scheduler",
    "width": "width",
    "height": "height",
}
_OF_IMAGE_ALONE = {"negative_prompt", "seed", "scheduler", "width", "height"}


@dataclass
class Row:
    """A trace as the API shows it whole, with its images; and one of them where the row is an image."""

    detail: dict[str, Any]
    images: list[dict[str, Any]]
    image: dict[str, Any] | None = None

    @property
    def trace(self) -> dict[str, Any]:
        return self.detail["trace"]


def matches(tree: Node, row: Row, now_ns: int = 0) -> bool:
    if isinstance(tree, And):
        return all(matches(part, row, now_ns) for part in tree.parts)
    if isinstance(tree, Or):
        return any(matches(part, row, now_ns) for part in tree.parts)
    if isinstance(tree, Not):
        return not matches(tree.part, row, now_ns)
    if isinstance(tree, Words):
        return any(_has_words(tree, text) for text in _texts(row, of_prompt=tree.of_prompt))
    return any(_passes(value, tree.test, tree.field.kind, now_ns) for value in _values(tree, row))


def _texts(row: Row, *, of_prompt: bool) -> list[str | None]:
    of = row.trace if row.image is None else row.image
    return [of["prompt"]] if of_prompt else [of["prompt"], of["model"], row.trace["name"]]


def _has_words(words: Words, text: str | None) -> bool:
    wanted, held = _tokens(words.text), _tokens(text or "")
    for at in range(len(held) - len(wanted) + 1):
        *begins, last = held[at : at + len(wanted)]
        if begins == wanted[:-1] and (last == wanted[-1] if words.is_phrase else last.startswith(wanted[-1])):
            return True
    return False


def _tokens(text: str) -> list[str]:
    plain = "".join(character for character in unicodedata.normalize("NFD", text) if not unicodedata.combining(character))
    return re.findall(r"[^\W_]+", plain.lower())


def _values(match: Match, row: Row) -> list[Any]:
    name, trace = match.field.name, row.trace
    if name == "score":
        values = [(score["value"], score["label"]) for score in row.detail["scores"] if _is_of(score, row)]
        names = [score["name"] for score in row.detail["scores"] if _is_of(score, row)]
        return [value for value, of in zip(values, names, strict=True) if of == match.key]
    if name == "tag":
        return [trace["tags"].get(match.key)]
    if name == "attr":
        return [value for span in _asked_spans(row) for value in _attribute(span, match.key)]
    if row.image is not None and name in _IMAGE_KEYS:
        return [row.image[_IMAGE_KEYS[name]]]
    if name in _OF_IMAGE_ALONE:
        return [image[_IMAGE_KEYS[name]] for image in row.images]
    return [trace[_TRACE_KEYS[name]]]


def _is_of(score: dict[str, Any], row: Row) -> bool:
    if row.image is None or row.trace["image_count"] == 1:
        return True
    return score["span_id"] == row.image["span_id"] and score["image_index"] in {None, row.image["index"]}


def _asked_spans(row: Row) -> list[dict[str, Any]]:
    spans = row.detail["spans"]
    if row.image is not None:
        return [span for span in spans if span["span_id"] == row.image["span_id"]]
    made = [span for span in spans if span["attributes"].get(semconv.SPAN_KIND) == semconv.KIND_GENERATION]
    return made or [span for span in spans if not span["parent_span_id"]]


def _attribute(span: dict[str, Any], name: str) -> list[Any]:
    found = [span["attributes"].get(name), span["resource"].get(name)]
    return [item for value in found for item in (value if isinstance(value, list) else [value])]


def _passes(value: Any, test: Test, kind: Kind, now_ns: int) -> bool:
    number, text = value if kind is Kind.SCORE else (value, value)
    if isinstance(test, Present):
        return kind is Kind.SCORE or value not in (None, "")
    if isinstance(test, Between):
        return _is_between(number, test, now_ns)
    if isinstance(test, Either):
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        return _is_between(number, test.number, now_ns) if is_number or kind is Kind.SCORE else _looks_like(text, test.text, kind)
    return _looks_like(text, test, kind)


def _is_between(value: Any, test: Between, now_ns: int) -> bool:
    if value is None or (isinstance(value, str) and not value.isdigit()):
        return False
    number = int(value) if isinstance(value, str | bool) else value
    low, high = (end.at(now_ns) if isinstance(end, Moment) else end for end in (test.low, test.high))
    above = low is None or number > low or (test.includes_low and number == low)
    return above and (high is None or number < high or (test.includes_high and number == high))


def _looks_like(value: Any, test: Pattern, kind: Kind) -> bool:
    if value is None:
        return False
    text = str(value).lower() if isinstance(value, bool) else str(value)
    source = "".join({Wild.ONE: ".", Wild.MANY: ".*"}.get(piece) or re.escape(piece) for piece in test.pieces)
    case = 0 if kind is Kind.ID else re.IGNORECASE | re.ASCII
    ends = [text, *(text[at + 1 :] for at, character in enumerate(text) if character == "/")] if kind is Kind.MODEL else [text]
    return any(re.fullmatch(source, end, re.DOTALL | case) for end in ends)
