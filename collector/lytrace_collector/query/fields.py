"""The fields of the filter language, each once: what it means, how its values are written, whether lists sort by it."""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Final

from lytrace import semconv


class Kind(Enum):
    """How the values of a field are written and compared."""

    TEXT = "text"
    KEYWORD = "keyword"
    MODEL = "model"
    ID = "id"
    TRACE_ID = "trace id"
    STATE = "state"
    NUMBER = "number"
    BYTES = "bytes"
    DURATION = "duration"
    TIME = "time"
    BOOLEAN = "boolean"
    SCORE = "score"
    ATTRIBUTE = "attribute"


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field, one object each; where ``is_family`` is true what follows its name's dot says which score, tag or attribute."""

    name: str
    kind: Kind
    about: str
    example: str
    aliases: tuple[str, ...] = ()
    is_family: bool = False
    is_sortable: bool = False

    @property
    def shown(self) -> str:
        """The name as people are told it."""
        return f"{self.name}.NAME" if self.is_family else self.name


STATES: Final = ("running", "ok", "error", "lost")

FIELDS: Final = (
    Field("trace", Kind.TRACE_ID, "Identity of the trace; the first digits and * find it too.", "trace:5b8aa5*", ("trace_id",)),
    Field("name", Kind.KEYWORD, "Name of the trace: that of its root span.", "name:poster"),
    Field("prompt", Kind.TEXT, "Beginnings of words of the prompt, or a phrase in quotes.", 'prompt:"red bicycle"'),
    Field("negative_prompt", Kind.TEXT, "A text anywhere in the negative prompt of an image.", "negative_prompt:blurry"),
    Field("model", Kind.MODEL, "Model: its whole name, or what follows a slash of it.", "model:flux*"),
    Field("provider", Kind.KEYWORD, "What ran the model, such as diffusers or openai.", "provider:openai"),
    Field("status", Kind.STATE, "State of the trace: running, ok, error or lost.", "status:error", ("state",)),
    Field("service", Kind.KEYWORD, "Name of the program that sent the trace.", "service:poster", (semconv.SERVICE_NAME,)),
    Field("session", Kind.ID, "Session, as it is written.", "session:morning", ("session_id", semconv.SESSION_ID)),
    Field("user", Kind.ID, "User, as it is written.", "user:u-17", ("user_id", semconv.USER_ID)),
    Field("duration", Kind.DURATION, "How long the trace took, or the image's generation.", "duration:>2s", is_sortable=True),
    Field("start", Kind.TIME, "When it began: a day, a time (UTC) or a time ago.", "start:>now-2h", is_sortable=True),
    Field("steps", Kind.NUMBER, "Denoising steps: done by the trace, or asked for by the image's generation.", "steps:>=30"),
    Field("images", Kind.NUMBER, "How many images the trace made.", "images:0", is_sortable=True),
    Field("spans", Kind.NUMBER, "How many spans the trace has.", "spans:>100"),
    Field("errors", Kind.NUMBER, "How many spans of the trace failed.", "errors:>0"),
    Field("cost", Kind.NUMBER, "Cost of the trace in US dollars.", "cost:>0.05", is_sortable=True),
    Field("gpu.peak", Kind.BYTES, "Most memory that PyTorch had allocated on the device.", "gpu.peak:>20GB", is_sortable=True),
    Field("seed", Kind.NUMBER, "Seed of an image.", "seed:42"),
    Field("scheduler", Kind.KEYWORD, "Class of the scheduler that made an image.", "scheduler:Euler*"),
    Field("width", Kind.NUMBER, "Width of an image in pixels.", "width:>=1024"),
    Field("height", Kind.NUMBER, "Height of an image in pixels.", "height:1024"),
    Field(
        "score", Kind.SCORE, "A current score by its name: its value, or its label.", "score.aesthetic:<0.5",
        is_family=True, is_sortable=True,
    ),
    Field("tag", Kind.KEYWORD, "A tag by its name.", "tag.project:poster", (semconv.TAGS_PREFIX.rstrip("."),), is_family=True),
    Field("starred", Kind.BOOLEAN, "Whether the trace is starred.", "starred:true"),
    Field("note", Kind.TEXT, "A text anywhere in the note of the trace.", "note:retouch"),
    Field(
        "attr", Kind.ATTRIBUTE, "Any other attribute of the generation's span or its resource, by its name.",
        "attr.diffusion.guidance_scale:>7", is_family=True,
    ),
)  # fmt: skip
"""Every field, in the order of the documentation."""

_PLAIN: Final = {name: field for field in FIELDS if not field.is_family for name in (field.name, *field.aliases)}
_FAMILIES: Final = {f"{name}.": field for field in FIELDS if field.is_family for name in (field.name, *field.aliases)}
_OURS: Final = ("gpu.",)
"""Beginnings that no attribute has: what begins so and is no field is a mistake."""

ATTRIBUTE: Final = _FAMILIES["attr."]
NAME: Final = _PLAIN["name"]
PROMPT: Final = _PLAIN["prompt"]
MODEL: Final = _PLAIN["model"]
START: Final = _PLAIN["start"]


def find_field(name: str) -> tuple[Field, str] | None:
    """The field of this name, and the name within its family; any other name with a dot is an attribute's."""
    if name in _PLAIN:
        return _PLAIN[name], ""
    for prefix, field in _FAMILIES.items():
        if name.startswith(prefix):
            return (field, name.removeprefix(prefix)) if len(name) > len(prefix) else None
    if "." not in name.strip(".") or name.startswith(_OURS):
        return None
    return ATTRIBUTE, name


def nearest(name: str) -> list[str]:
    """Names of fields that look like this one, the likeliest first."""
    written = {known: field.name for known, field in _PLAIN.items()}
    written |= {field.shown: field.shown for field in _FAMILIES.values()}
    close = get_close_matches(name.lower(), written, n=6, cutoff=0.6)
    return list(dict.fromkeys(written[match] for match in close))[:3]
