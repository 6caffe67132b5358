"""What a tokenizer or processor was given, remembered for the tensors that it made of it: ``generate()`` sees ids only.

Keyed weakly to the returned tensors, so it lives exactly as long as they do. Nothing here holds a tensor or picture.
"""

import collections
import contextvars
import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lytrace import instrumentation
from lytrace_integrations._arguments import Binder
from lytrace_integrations.transformers._media import MEDIA_NAMES, Part, media_in

_RENDERED: Final = 64
"""Chat templates rendered to text that are remembered until a tokenizer is given the text."""
_MESSAGES: Final = 256
_MORE_THAN_TEXT: Final = frozenset({"text_kwargs", *MEDIA_NAMES})


@dataclass(slots=True)
class Message:
    """One message of a prompt, in order of its parts."""

    role: str
    parts: list[Part]


@dataclass(slots=True)
class Prompt:
    """What one batch of ids was made of.

    Attributes:
        given: the messages of all prompts of the batch, one after another; or the one text, which becomes one on the worker.
        tokenizer: what decodes the answer.
        pictured: whether there are pictures among its parts.
        tokens: without padding; None where that was not read.
        image_tokens: placeholders of input pictures among them.
    """

    given: list[Message] | str
    tokenizer: Callable[[], Any]
    pictured: bool
    tokens: int | None = None
    image_tokens: int | None = None

    @property
    def messages(self) -> list[Message]:
        """The messages of all prompts of the batch, one after another."""
        return [Message("user", [self.given])] if isinstance(self.given, str) else self.given


_by_tensor: dict[int, tuple["weakref.ref[Any]", Prompt]] = {}
_rendered: "collections.OrderedDict[str, list[Message]]" = collections.OrderedDict()
_rendered_guard = threading.Lock()
_encoding: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("lytrace-encoding", default=None)
"""Inside the call of a tokenizer or processor, of which those inside it are part: pictures that it loaded, by their address."""
_conversation: contextvars.ContextVar[Any] = contextvars.ContextVar("lytrace-conversation", default=None)


def prompt_of(values: Iterable[Any]) -> Prompt | None:
    """The prompt that one of these tensors was made of."""
    for value in values:
        known = _by_tensor.get(id(value))
        if known is not None and known[0]() is value:
            return known[1]
    return None


def tokenizer_of(encoder: Any) -> Any:
    """A processor's tokenizer, or the tokenizer itself. Asks no attribute that it may lack: it would look among its tokens."""
    return vars(encoder).get("tokenizer", encoder)


def wrap_encode(original: Callable[..., Any]) -> Callable[..., Any]:
    """``__call__`` of a tokenizer or processor: what it was given is remembered for the tensors that it returns."""
    binder = Binder(original, nones=False)
    text_first = original.__code__.co_varnames[1:2] == ("text",)

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _encoding.get() is not None or not instrumentation.is_active():
            return original(self, *args, **kwargs)
        loaded: dict[str, Any] = {}
        token = _encoding.set(loaded)
        try:
            result = original(self, *args, **kwargs)
        finally:
            _encoding.reset(token)
        try:
            is_text = text_first and len(args) == 1 and type(args[0]) is str and kwargs.keys().isdisjoint(_MORE_THAN_TEXT)
            if is_text and _conversation.get() is None and args[0] not in _rendered:
                _remember_text(self, args[0], kwargs.get("padding"), result)
            else:
                _remember(self, binder, args, kwargs, loaded, result)
        except Exception:
            instrumentation.failed("remembering a prompt")
        return result

    return wrapper


def wrap_chat_template(original: Callable[..., Any]) -> Callable[..., Any]:
    """``apply_chat_template``: the conversation is what the ids are made of; one rendered to text waits for its tokenizer."""
    binder = Binder(original)

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _conversation.get() is not None or not instrumentation.is_active():
            return original(self, *args, **kwargs)
        conversation = binder.bind(args, kwargs).get("conversation")
        token = _conversation.set(conversation)
        try:
            result = original(self, *args, **kwargs)
        finally:
            _conversation.reset(token)
        if conversation is not None:
            _remember_rendered(result, conversation)
        return result

    return wrapper


def wrap_to(original: Callable[..., Any]) -> Callable[..., Any]:
    """``inputs.to(device)`` makes new tensors of the same prompt."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = self.data.values()
        result = original(self, *args, **kwargs)
        _follow(before, self.data)
        return result

    return wrapper


def wrap_fetch_images(original: Callable[..., Any]) -> Callable[..., Any]:
    """An image processor loads pictures from addresses: the picture is what the model saw."""

    @functools.wraps(original)
    def wrapper(self: Any, image_url_or_urls: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, image_url_or_urls, *args, **kwargs)
        loaded = _encoding.get()
        if loaded is not None and isinstance(image_url_or_urls, str):
            loaded[image_url_or_urls] = result
        return result

    return wrapper


@instrumentation.guarded("following a prompt to its device")
def _follow(before: Iterable[Any], made: Any) -> None:
    prompt = prompt_of(before)
    if prompt is not None:
        _keep(_tensors_in(made), prompt)


def _remember(
    encoder: Any, binder: Binder, args: tuple[Any, ...], kwargs: Mapping[str, Any], loaded: dict[str, Any], result: Any
) -> None:
    made: Any = getattr(result, "data", None)
    tensors = _tensors_in(made)
    if not tensors:
        return
    arguments = binder.bind(args, kwargs)
    media = media_in(arguments, loaded)
    conversation = _conversation.get()
    messages = _messages_of_texts(arguments.get("text")) if conversation is None else _messages(conversation)
    if media:
        _place(messages, media)
    prompt = Prompt(messages, weakref.ref(tokenizer_of(encoder)), bool(media))
    padding = arguments.get("padding") or arguments.get("text_kwargs")
    _count(prompt, encoder, made, padding, has_pictures=bool(media.get("image")))
    _keep(tensors, prompt)


def _remember_text(encoder: Any, text: str, padding: Any, result: Any) -> None:
    """As :func:`_remember`, of one text without more: the usual case, for which every function here would be felt."""
    made: Any = getattr(result, "data", None)
    tensors = _tensors_in(made)
    if tensors:
        prompt = Prompt(text, weakref.ref(tokenizer_of(encoder)), pictured=False)
        _count(prompt, encoder, made, padding, has_pictures=False)
        _keep(tensors, prompt)


def _tensors_in(made: Any) -> list[Any]:
    torch = sys.modules.get("torch")
    kind = () if torch is None else torch.Tensor
    return [value for value in made.values() if isinstance(value, kind)] if isinstance(made, dict) else []


@instrumentation.guarded("remembering a rendered chat")
def _remember_rendered(result: Any, conversation: Any) -> None:
    texts = [result] if isinstance(result, str) else result
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        return
    conversations = list(conversation) if _is_batch(conversation) else [conversation]
    with _rendered_guard:
        for text, single in zip(texts, conversations, strict=False):
            _rendered[text] = _messages(single)
            _rendered.move_to_end(text)
        while len(_rendered) > _RENDERED:
            _rendered.popitem(last=False)


def _keep(tensors: Iterable[Any], prompt: Prompt) -> None:
    for tensor in tensors:
        key = id(tensor)
        _by_tensor[key] = weakref.ref(tensor, functools.partial(_by_tensor.pop, key)), prompt  # no other has this id meanwhile


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _count(prompt: Prompt, encoder: Any, made: Any, padding: Any, *, has_pictures: bool) -> None:
    """Tokens without padding, while they are still on the host: nothing here waits for a device. One prompt alone has none."""
    ids: Any = made.get("input_ids")
    mask: Any = made.get("attention_mask")
    if not getattr(ids, "is_cpu", False):  # of a tensor alone
        return
    if (ids.shape[0] > 1 or (padding and "max_length" in str(padding))) and _is_tensor(mask) and mask.shape == ids.shape:
        prompt.tokens = int(mask.sum())
    else:
        prompt.tokens = ids.numel()
    if has_pictures and isinstance(placeholder := getattr(encoder, "image_token_id", None), int):
        prompt.image_tokens = int((ids == placeholder).sum())


def _messages_of_texts(given: Any) -> list[Message]:
    """Of one text, or of a list of them; a text may be a list of words."""
    found: list[Message] = []
    for item in given[:_MESSAGES] if isinstance(given, list | tuple) else [given] if isinstance(given, str) else []:
        text = item if isinstance(item, str) else " ".join(map(str, item))
        chat = _rendered.get(text)
        found += [Message(message.role, list(message.parts)) for message in chat] if chat else [Message("user", [text])]
    return found


def _is_batch(conversation: Any) -> bool:
    return isinstance(conversation, list | tuple) and bool(conversation) and isinstance(conversation[0], list | tuple)


def _messages(conversation: Any) -> list[Message]:
    """The messages of a conversation or of a batch of them, in plain values."""
    conversation = getattr(conversation, "messages", conversation)
    if _is_batch(conversation):
        return [message for single in conversation for message in _messages(single)]
    return [_message(message) for message in conversation if isinstance(message, Mapping)]


def _message(message: Mapping[str, Any]) -> Message:
    content = message.get("content")
    parts: list[Part] = []
    for item in content if isinstance(content, list | tuple) else [content]:
        if isinstance(item, str):
            parts.append(item)
        elif isinstance(item, Mapping):
            text = item.get("text")
            parts.append(text if isinstance(text, str) else {"modality": str(item.get("type", "unknown"))})
    return Message(str(message.get("role", "user")), parts)


def _place(messages: list[Message], media: Mapping[str, list[list[Part]]]) -> None:
    """Put media where the conversation has a place for them; what has none comes first in the user's last message."""
    waiting = {modality: collections.deque(items) for modality, items in media.items()}
    for message in messages:
        placed: list[Part] = []
        for part in message.parts:
            items = waiting.get(part["modality"]) if isinstance(part, dict) else None
            placed += items.popleft() if items else [part]
        message.parts = placed
    left = [part for items in waiting.values() for item in items for part in item]
    if left:
        user = next((message for message in reversed(messages) if message.role == "user"), None)
        if user is None:
            user = Message("user", [])
            messages.append(user)
        user.parts = left + user.parts
