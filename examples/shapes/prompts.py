"""What a prompt asks for: objects, background, relation, and what it says must be absent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from examples.shapes.scenes import BACKGROUNDS, COLOURS, OPPOSITE, SHAPES, Scene

NEGATIONS = ("no", "not", "without")

_PLURALS = {f"{kind}s": kind for kind in SHAPES}


@dataclass(frozen=True)
class Wanted:
    """One object that a prompt names; `None` where it leaves the shape or the colour open."""

    shape: str | None
    colour: str | None

    def fits(self, shape: str, colour: str) -> bool:
        """Whether an object of this shape and colour is one that was named."""
        return self.shape in (None, shape) and self.colour in (None, colour)


@dataclass(frozen=True)
class Request:
    """A prompt understood: `relation` is where the first object lies, seen from the second."""

    background: str | None
    objects: tuple[Wanted, ...]
    absent: tuple[Wanted, ...]
    relation: str | None


def parse(prompt: str | Scene) -> Request:
    """Reads a caption, a freer prompt of the same words, or a scene; words it does not know are passed over.

    A negation holds for the next named object, and for those joined to it by "or".
    """
    if isinstance(prompt, Scene):
        named = tuple(Wanted(item.kind, item.colour) for item in prompt.objects)
        return Request(prompt.background, named, (), prompt.relation)
    text = prompt.lower()
    words = [_PLURALS.get(word, word) for word in re.findall(r"[a-z]+", text)]
    objects, absent = _objects(words)
    relation = _relation(text) if len(objects) == 2 else None
    return Request(_background(words), tuple(objects), tuple(absent), relation)


def _background(words: list[str]) -> str | None:
    for ground, noun in pairwise(words):
        if ground in BACKGROUNDS and noun == "background":
            return ground
    return None


def _relation(text: str) -> str | None:
    return next((relation for relation in OPPOSITE if relation in text), None)


def _objects(words: list[str]) -> tuple[list[Wanted], list[Wanted]]:
    present: list[Wanted] = []
    absent: list[Wanted] = []
    colour: str | None = None
    negated = False
    for i, word in enumerate(words):
        if word in NEGATIONS:
            negated = True
        elif word in COLOURS:
            colour = word
        elif word in SHAPES:
            (absent if negated else present).append(Wanted(word, colour))
            colour = None
            negated = negated and words[i + 1 : i + 2] == ["or"]
    return present, absent
