"""What a model was asked to do, read from the arguments of ``generate()``. Reads, never changes."""

import weakref
from collections.abc import Mapping
from typing import Any, Final

from lytrace import instrumentation, semconv
from lytrace_integrations.transformers._known import known_of
from lytrace_integrations.transformers._media import Part
from lytrace_integrations.transformers._pictures import Picture
from lytrace_integrations.transformers._pipelines import running
from lytrace_integrations.transformers._prompts import Message, Prompt, prompt_of, tokenizer_of
from lytrace_integrations.transformers._reply import are_ids
from lytrace_integrations.transformers._sampling import Sampling

_GONE: Final = "the picture was gone before generate() was called, and its copy had to make room"


class Request:
    """One call of ``generate()``.

    Attributes:
        model: what generates; None once the call is over, as everything of the user's.
        known: what does not change from call to call.
        prompt: what the ids were made of; None where nobody saw it.
        sampling: its settings.
        ids: the ids that it was given, of shape (batch, length); None where it was given something else.
        prompt_length: ids of one prompt, with its padding.
        assistant: the draft model, if any.
        by_rounds: whether tokens are proposed, by it or otherwise, and chosen several at a time.
        is_image: whether all of its new tokens are a picture.
        makes_text: whether it can answer with text.
        output_type: ``text``, ``image`` or ``speech``; None for what has no name.
        weight: a parameter of the model, which tells where it lies; None for a model without any.
    """

    __slots__ = (
        "_arguments",
        "_assistant_class",
        "_batch",
        "_counts",
        "_placed",
        "_task",
        "assistant",
        "by_rounds",
        "ids",
        "is_image",
        "known",
        "makes_text",
        "model",
        "output_type",
        "prompt",
        "prompt_length",
        "sampling",
        "weight",
    )

    def __init__(self, model: Any, arguments: Mapping[str, Any]) -> None:
        get = arguments.get
        self.model = model
        self.known = known = known_of(model)
        self.weight = known.weight(model)
        self.sampling = Sampling(model, arguments)
        self.prompt: Prompt | None = prompt_of(arguments.values())
        ids = get("input_ids")
        ids = get("inputs") if ids is None else ids
        self.ids: Any = ids if are_ids(ids) else None
        shape: tuple[int, int] = self.ids.shape if self.ids is not None else (0, 0)
        self._batch, self.prompt_length = shape
        self.assistant = get("assistant_model")
        self.by_rounds = self.assistant is not None or self.sampling.proposes
        self.is_image = get("generation_mode") == "image"
        self.makes_text = known.makes_text and not self.is_image
        self.output_type = semconv.OUTPUT_TYPE_IMAGE if self.is_image else known.output_type
        self._arguments: Any = get("tokenizer"), get("streamer"), running()

    def let_go(self) -> None:
        """The call is over: what is said of it now refers to nothing of the user's."""
        weight, prompt = self.weight, self.prompt
        self._placed = (weight.device, weight.dtype) if weight is not None else None
        self._assistant_class = type(self.assistant).__name__ if self.assistant is not None else None
        task = getattr(self._arguments[2], "task", None)
        self._task = task if isinstance(task, str) else None
        self._counts = (prompt.tokens, prompt.image_tokens) if prompt is not None else (None, None)
        self.model = self.assistant = self.ids = self.prompt = self.weight = self._arguments = None

    def attributes(self) -> dict[str, Any]:
        """What was asked for, once the call is over."""
        found: dict[str, Any] = {
            semconv.MODEL_CLASS: self.known.class_name,
            semconv.MODEL_ASSISTANT_CLASS: self._assistant_class,
            semconv.PIPELINE_TASK: self._task,
        }
        if self._placed is not None:
            device, dtype = self._placed
            found |= {semconv.MODEL_DEVICE: str(device), semconv.MODEL_DTYPE: str(dtype).removeprefix("torch.")}
        return found | self.sampling.attributes(self.prompt_length)

    def usage(self) -> dict[str, int | None]:
        """Tokens of the prompts, without padding where that is known, and those of them that stand for pictures."""
        tokens, image_tokens = self._counts
        if tokens is not None:
            return {"input_tokens": tokens, "image_input_tokens": image_tokens}
        return {"input_tokens": self._batch * self.prompt_length or None}

    def input(self, span: instrumentation.ModelCall) -> None:
        """Say what the model is given; its pictures are recorded on the span, now, and its texts are written on the worker."""
        prompt = self.prompt
        if prompt is None:
            span.input([])
        elif prompt.pictured:
            span.input([_told(message, span) for message in prompt.messages])
        else:
            span.input(lambda: [_told(message, span) for message in prompt.messages])

    def tokenizer(self) -> Any:
        """What decodes the answer: given to the call, else the pipeline's, else what encoded this model's prompt or its last."""
        given, streamer, pipeline = self._arguments
        given = getattr(streamer, "tokenizer", None) if given is None else given
        given = getattr(pipeline, "tokenizer", None) if given is None else given
        if given is not None:
            tokenizer = tokenizer_of(given)
            self.known.tokenizer = weakref.ref(tokenizer)
            return tokenizer
        if self.prompt is not None:
            self.known.tokenizer = self.prompt.tokenizer
        return self.known.tokenizer()


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
