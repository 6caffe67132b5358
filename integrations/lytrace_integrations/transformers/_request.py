"""What a model was asked to do, read from the arguments of ``generate()``. Reads, never changes."""

import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from lytrace import instrumentation, semconv
from lytrace_integrations._models import first_weight, without_folders
from lytrace_integrations.transformers._media import Part
from lytrace_integrations.transformers._pictures import Picture
from lytrace_integrations.transformers._pipelines import running_task, running_tokenizer
from lytrace_integrations.transformers._prompts import Message, Prompt, prompt_of, tokenizer_of
from lytrace_integrations.transformers._reply import are_ids
from lytrace_integrations.transformers._sampling import Sampling

_SOUND: Final = ("audio",)
_tokenizers: weakref.WeakKeyDictionary[Any, Callable[[], Any]] = weakref.WeakKeyDictionary()
_GONE: Final = "the picture was gone before generate() was called, and its copy had to make room"


class Request:
    """One call of ``generate()``.

    Attributes:
        model: what generates.
        prompt: what the ids were made of; None where nobody saw it.
        sampling: its settings.
        ids: the ids that it was given, of shape (batch, length); None where it was given something else.
        prompt_length: ids of one prompt, with its padding.
        assistant: the draft model, if any.
        by_rounds: whether tokens are proposed, by it or otherwise, and chosen several at a time.
        is_image: whether all of its new tokens are a picture.
        weight: a parameter of the model, which tells where it lies; None for a model without any.
    """

    def __init__(self, model: Any, arguments: Mapping[str, Any]) -> None:
        self.model = model
        self.sampling = Sampling(model, arguments)
        self.prompt: Prompt | None = prompt_of(arguments.values())
        get = arguments.get
        ids = get("input_ids")
        ids = get("inputs") if ids is None else ids
        self.ids: Any = ids if are_ids(ids) else None
        shape: tuple[int, int] = self.ids.shape if self.ids is not None else (0, 0)
        self._batch, self.prompt_length = shape
        self.assistant = get("assistant_model")
        self.by_rounds = self.assistant is not None or self.sampling.proposes
        self.is_image = get("generation_mode") == "image"
        self.weight = first_weight(model)
        self._arguments = get("tokenizer"), get("streamer")
        makes = getattr(type(model), "output_modalities", None)
        self.makes_text = (makes is None or "text" in makes) and not self.is_image

    @property
    def operation(self) -> str:
        """``chat`` where the answer is text."""
        return semconv.OPERATION_CHAT if self.makes_text else semconv.OPERATION_GENERATE_CONTENT

    @property
    def output_type(self) -> str | None:
        """``text``, ``image`` or ``speech``; None for what has no name."""
        if self.makes_text:
            return semconv.OUTPUT_TYPE_TEXT
        if self.is_image:
            return semconv.OUTPUT_TYPE_IMAGE
        return semconv.OUTPUT_TYPE_SPEECH if tuple(self.model.output_modalities) == _SOUND else None

    @property
    def name(self) -> str:
        """The repository's id, else the directory's last name, else the model's class: never a full path."""
        config = vars(self.model).get("config")
        given = vars(config).get("_name_or_path") if config is not None else None  # its own ``__getattribute__`` is slow
        return (without_folders(str(given)) if given else "") or type(self.model).__name__

    def plain(self) -> Callable[[], dict[str, Any]]:
        """What makes the attributes of what was asked for, on the worker: it refers to nothing of the user's."""
        weight = self.weight
        known = {
            semconv.MODEL_CLASS: type(self.model).__name__,
            semconv.MODEL_ASSISTANT_CLASS: type(self.assistant).__name__ if self.assistant is not None else None,
            semconv.PIPELINE_TASK: running_task(),
        }
        placed = (weight.device, weight.dtype) if weight is not None else None
        return functools.partial(_attributes, known, placed, self.sampling, self.prompt_length)

    def usage(self) -> dict[str, int | None]:
        """Tokens of the prompts, without padding where that is known, and those of them that stand for pictures."""
        prompt = self.prompt
        if prompt is not None and prompt.tokens is not None:
            return {"input_tokens": prompt.tokens, "image_input_tokens": prompt.image_tokens}
        return {"input_tokens": self._batch * self.prompt_length or None}

    def messages(self, span: instrumentation.ModelCall) -> list[instrumentation.Message]:
        """The prompt's messages; its pictures are recorded on the span."""
        if self.prompt is None:
            return []
        return [_told(message, span) for message in self.prompt.messages]

    def tokenizer(self) -> Any:
        """What decodes the answer: given to the call, else the pipeline's, else what encoded this model's prompt or its last."""
        given, streamer = self._arguments
        given = getattr(streamer, "tokenizer", None) if given is None else given
        given = running_tokenizer() if given is None else given
        if given is not None:
            tokenizer = tokenizer_of(given)
            _tokenizers[self.model] = weakref.ref(tokenizer)
            return tokenizer
        if self.prompt is not None:
            _tokenizers[self.model] = self.prompt.tokenizer
            return self.prompt.tokenizer()
        return _tokenizers.get(self.model, _nothing)()


def _nothing() -> None:
    """No tokenizer is known."""


def _attributes(known: dict[str, Any], placed: tuple[Any, Any] | None, sampling: Sampling, prompt_length: int) -> dict[str, Any]:
    if placed is not None:
        device, dtype = placed
        known |= {semconv.MODEL_DEVICE: str(device), semconv.MODEL_DTYPE: str(dtype).removeprefix("torch.")}
    return known | sampling.attributes(prompt_length)


def _told(message: Message, span: instrumentation.ModelCall) -> instrumentation.Message:
    return instrumentation.Message(message.role, [_part(part, span) for part in message.parts])


def _part(part: Part, span: instrumentation.ModelCall) -> instrumentation.Part:
    if isinstance(part, str):
        return instrumentation.text_part(part)
    if isinstance(part, Picture):
        value = part.value()
        slot = span.miss_image(semconv.ROLE_INPUT, _GONE) if value is None else span.image(value, semconv.ROLE_INPUT)
        return slot if slot is not None else {"type": "uri", "modality": "image", "uri": ""}
    return instrumentation.uri_part(part.get("uri", ""), part["modality"])
