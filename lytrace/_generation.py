"""``lytrace.generation``: one model call of an SDK that lytrace does not know, as a block or a decorated function."""

import functools
import inspect
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from lytrace import _active, _log, semconv
from lytrace._capture import Capture, bound_arguments

F = TypeVar("F", bound=Callable[..., Any])
_PROMPT: Final = "prompt"
_LINKS: Final = ("http://", "https://", "data:image/")


class generation:  # noqa: N801 - used like a function: ``with lytrace.generation(model=...) as g:``
    """One call of a model, as a block: ``with lytrace.generation(model="flux", provider="bfl", prompt=p) as g: g.output(image)``.

    As a decorator the prompt is the function's ``prompt`` argument and the output what it returns, as far as it is an image, a
    list of images, or a link to one: ``@lytrace.generation(model="flux-pro", provider="bfl")``. Also ``async with`` and
    asynchronous functions. Inside another call over an API nothing is recorded: one call is one span.

    Args:
        model: the model's name.
        provider: who serves it: ``gen_ai.provider.name``.
        prompt: what it is asked.
        operation: ``generate_content``, or ``chat`` for text.
        remote: whether another machine does the work.
        **attributes: more attributes of the span.
    """

    def __init__(
        self,
        *,
        model: str,
        provider: str,
        prompt: str | None = None,
        operation: str = semconv.OPERATION_GENERATE_CONTENT,
        remote: bool = True,
        **attributes: Any,
    ) -> None:
        self._opening: dict[str, Any] = {"model": model, "provider": provider, "operation": operation, "remote": remote}
        self._prompt = prompt
        self._attributes = attributes
        self._inputs: list[Any] = []
        self._call: Any = None

    def __call__(self, function: F) -> F:
        """Record each call of ``function``.

        Raises:
            TypeError: it is a generator: use the block inside it.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("@lytrace.generation takes no generators; inside one use `with lytrace.generation(...)`")
        made: Any = _async_wrapper(self, function) if inspect.iscoroutinefunction(function) else _wrapper(self, function)
        return functools.wraps(function)(made)  # type: ignore[return-value]  # same signature as the function

    def __enter__(self) -> Self:
        self._open()
        if self._call is not None:
            self._call.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.__exit__(kind, error, traceback)
            call.end()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def input(self, image: Any, role: str = semconv.ROLE_INPUT) -> Self:
        """An image that the model is given; the same kinds as :meth:`output`."""
        for one in image if isinstance(image, list | tuple) else (image,):
            slot = self._call.image(one, role) if self._call is not None else None
            self._inputs += [] if slot is None else [slot]
        self._tell_input()
        return self

    def output(self, image: Any, role: str = semconv.ROLE_OUTPUT) -> Self:
        """An image that came back.

        Args:
            image: PIL image, array, CPU tensor, encoded bytes, path, base64 or ``data:`` URL, ``https`` URL (fetched at once), or
                a list of them.
            role: ``output``, or ``preview`` for one on the way.
        """
        if self._call is not None:
            for one in image if isinstance(image, list | tuple) else (image,):
                self._call.image(one, role)
        return self

    def text(self, text: str) -> Self:
        """A text that came back."""
        if self._call is not None:
            from lytrace._messages import Message, text_part

            self._call.output([Message("assistant", [text_part(text)])])
        return self

    def usage(self, **counts: int | None) -> Self:
        """Tokens by kind: see :meth:`lytrace.instrumentation.ModelCall.usage`. The cost follows, where the model has a price."""
        if self._call is not None:
            self._call.usage(**counts)
        return self

    def response(
        self,
        *,
        model: str | None = None,
        id: str | None = None,  # noqa: A002 - the field's name
        finish_reasons: Sequence[str] | None = None,
    ) -> Self:
        """What the answer says of itself."""
        if self._call is not None:
            self._call.set(
                {
                    semconv.GEN_AI_RESPONSE_MODEL: model,
                    semconv.GEN_AI_RESPONSE_ID: id,
                    semconv.GEN_AI_RESPONSE_FINISH_REASONS: list(finish_reasons) if finish_reasons else None,
                }
            )
        return self

    def set(self, name: str, value: Any) -> Self:
        """Set an attribute; a value that OpenTelemetry has no type for becomes JSON."""
        runtime = _active.active()
        if self._call is not None and runtime is not None:
            self._call.set({name: runtime.attribute_value(value)})
        return self

    @_log.guarded("starting a generation")
    def _open(self) -> None:
        runtime = _active.active()
        if runtime is None:
            return
        from lytrace._model_call import open_model_call

        attributes = {name: runtime.attribute_value(value) for name, value in self._attributes.items()}
        makes_images = self._opening["operation"] == semconv.OPERATION_GENERATE_CONTENT
        self._call = open_model_call(
            **self._opening, attributes=attributes, output_type=semconv.OUTPUT_TYPE_IMAGE if makes_images else None
        )
        self._tell_input()

    def _tell_input(self) -> None:
        if self._call is not None and (self._prompt is not None or self._inputs):
            from lytrace._messages import Message, text_part

            parts = [] if self._prompt is None else [text_part(self._prompt)]
            self._call.input([Message("user", [*parts, *self._inputs])])

    def _of_call(self, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "generation":
        """A generation for one call of the decorated function, with that call's prompt."""
        prompt = self._prompt
        if prompt is None:
            first = next(iter(signature.parameters), "")
            given = bound_arguments(signature, args, kwargs, skip_first=first in {"self", "cls"}).get(_PROMPT)
            prompt = given if isinstance(given, str) else None
        return generation(**self._opening, prompt=prompt, **self._attributes)

    @_log.guarded("recording a generation's result")
    def _take_result(self, result: Any) -> None:
        call = self._call
        if call is None:
            return
        if isinstance(result, str) and not result.startswith(_LINKS):
            self.text(result)
            return

        def sink(image: Any) -> int:
            slot = call.image(image)
            return -1 if slot is None else int(slot.index)

        for one in result if isinstance(result, list | tuple) else (result,):
            if isinstance(one, str):
                if one.startswith(_LINKS):
                    sink(one)
            else:
                Capture(4096, sink).to_json(one)


def _wrapper(template: generation, function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with template._of_call(signature, args, kwargs) as made:  # noqa: SLF001 - one idea in one file
            result = function(*args, **kwargs)
            made._take_result(result)  # noqa: SLF001
            return result

    return wrapper


def _async_wrapper(template: generation, function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        with template._of_call(signature, args, kwargs) as made:  # noqa: SLF001
            result = await function(*args, **kwargs)
            made._take_result(result)  # noqa: SLF001
            return result

    return wrapper
