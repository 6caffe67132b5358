"""What the examples share: recording in memory, and printing what the trace then shows.

Your own program calls ``lytrace.init()`` once and sees the same in the dashboard (``lytrace up``).
"""

import argparse
import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from lytrace import semconv
from lytrace.testing import Captured, CapturedSpan, capture


def arguments(about: str | None, **defaults: str) -> argparse.Namespace:
    """Options that name models: ``--model``, and others by their default; without them tiny random models are used."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, example in {"model": "a repository's id or a folder", **defaults}.items():
        parser.add_argument(f"--{name}", help=f"such as {example}; without it a tiny random model")
    parser.add_argument("--steps", type=int, default=4)
    return parser.parse_args()


@contextlib.contextmanager
def recording() -> Iterator[Captured]:
    """Everything inside is recorded, in memory."""
    with capture(instrument=["diffusers"]) as captured:
        yield captured


def print_trace(captured: Captured, *names: str) -> None:
    """The spans as a tree, with those of the attributes ``names`` that they have; steps as one line."""
    ids = {span.span_id for span in captured.spans}
    for root in sorted((span for span in captured.spans if span.parent_id not in ids), key=lambda span: span.start_ns):
        Console().print(_grown(Tree(_line(root, names)), captured, root, names), soft_wrap=True)


def _grown(tree: Tree, captured: Captured, parent: CapturedSpan, names: tuple[str, ...]) -> Tree:
    children = captured.children(parent)
    steps = [span for span in children if span.kind == semconv.KIND_STEP]
    if steps:
        tree.add(f"{len(steps)} × {steps[0].name}, {_milliseconds(steps[0])} to {_milliseconds(steps[-1])}")
    for child in children:
        if child.kind != semconv.KIND_STEP:
            _grown(tree.add(_line(child, names)), captured, child, names)
    return tree


def _line(span: CapturedSpan, names: tuple[str, ...]) -> str:
    told = [f"{name.split('.', 1)[1]} = {span.attributes[name]}" for name in names if name in span.attributes]
    return escape("  ".join([span.name, _milliseconds(span), *told]))


def _milliseconds(span: CapturedSpan) -> str:
    return f"{(span.end_ns - span.start_ns) / 1e6:.1f} ms"
