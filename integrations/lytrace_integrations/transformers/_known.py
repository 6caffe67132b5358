"""What a model says of itself, read once and kept with it, weakly: what does not change from call to call."""

import functools
import sys
import weakref
from collections.abc import Callable
from typing import Any, Final

from lytrace import semconv
from lytrace_integrations._models import first_weight, without_folders

_SOUND: Final = ("audio",)
_NO_TOKENS: Final[frozenset[int]] = frozenset()
_models: dict[int, "Known"] = {}
"""By the model's identity, while it lives: a dict with weak keys runs functions of Python for each question."""


class Known:
    """Facts of one model; refers to nothing of it.

    Attributes:
        class_name: the model's class.
        makes_text: whether it can answer with text.
        model: refers to it weakly.
        output_type: ``gen_ai.output.type`` of what it makes; None for what has no name.
        decodes_pictures: whether it makes pictures of its tokens by ``decode_image_tokens``.
        tokenizer: the last one that its text was encoded or decoded with.
    """

    __slots__ = (
        "_checked",
        "_image_ids",
        "_named",
        "_weight",
        "class_name",
        "decodes_pictures",
        "makes_text",
        "model",
        "output_type",
        "tokenizer",
    )

    def __init__(self, model: Any) -> None:
        cls = type(model)
        makes = getattr(cls, "output_modalities", None)
        self.model = weakref.ref(model, functools.partial(_models.pop, id(model)))  # no other has this id meanwhile
        self.class_name = cls.__name__
        self.makes_text = makes is None or "text" in makes
        sounds = makes is not None and tuple(makes) == _SOUND
        self.output_type = semconv.OUTPUT_TYPE_TEXT if self.makes_text else semconv.OUTPUT_TYPE_SPEECH if sounds else None
        self.decodes_pictures = hasattr(cls, "decode_image_tokens")
        self.tokenizer: Callable[[], Any] = _nothing
        self._named: tuple[Any, str] = None, self.class_name
        self._weight: Callable[[], Any] = _nothing
        self._image_ids = None if hasattr(cls, "vocabulary_mapping") else _NO_TOKENS
        self._checked: tuple[Callable[[], Any], bool] = _nothing, False

    def name(self, model: Any) -> str:
        """The repository's id, else the directory's last name, else the model's class: never a full path."""
        config = vars(model).get("config")
        given = (
            object.__getattribute__(config, "__dict__").get("_name_or_path") if config is not None else None
        )  # their own is slow
        before, name = self._named
        if given is not before:
            name = (without_folders(str(given)) if given else "") or self.class_name
            self._named = given, name
        return name

    def weight(self, model: Any) -> Any:
        """A parameter of the model, which tells where it lies; None for a model without any."""
        found = self._weight()
        if found is None:
            found = first_weight(model)
            self._weight = weakref.ref(found) if found is not None else _nothing
        return found

    def image_ids(self, model: Any) -> frozenset[int]:
        """The ids that stand for parts of a picture in a vocabulary of both; empty for a model of text."""
        if self._image_ids is None:
            self._image_ids = frozenset(model.vocabulary_mapping.image_tokens)
        return self._image_ids

    def may_decode_elsewhere(self, tokenizer: Any) -> bool:
        """Whether the tokenizer may decode in another thread than the user's: see :func:`_decodes_in_one_go`."""
        checked, answer = self._checked
        if checked() is not tokenizer:
            answer = _decodes_in_one_go(tokenizer)
            self._checked = weakref.ref(tokenizer), answer
        return answer


def known_of(model: Any) -> Known:
    """What is known of the model."""
    found = _models.get(id(model))
    if found is None:
        found = _models[id(model)] = Known(model)
    return found


def _decodes_in_one_go(tokenizer: Any) -> bool:
    """Whether decoding can disturb nobody who uses the tokenizer meanwhile in another thread.

    A tokenizer in Rust refuses to be set up ("Already borrowed") while it works in another thread. One decoding alone keeps the
    interpreter to itself until it is done, or, in versions that let go of it, has a lock that makes others wait instead of fail.
    A subclass's own decoding, and a decoder written in Python, keep no such promise.
    Source: https://github.com/huggingface/tokenizers ``bindings/python/src/tokenizer.rs``: ``decode``, unlike ``encode_batch``.
    """
    fast = getattr(sys.modules.get("transformers.tokenization_utils_tokenizers"), "TokenizersBackend", None)
    if fast is None or not isinstance(tokenizer, fast):
        return False
    cls = type(tokenizer)
    if any(getattr(cls, name) is not getattr(fast, name) for name in ("decode", "_decode", "clean_up_tokenization")):
        return False
    in_rust = sys.modules["tokenizers"]
    backend = vars(tokenizer).get("_tokenizer")
    return type(backend) is in_rust.Tokenizer and type(backend.decoder) is not in_rust.decoders.Decoder


def _nothing() -> None:
    """Nothing is known."""
