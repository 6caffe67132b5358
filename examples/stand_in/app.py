"""The stand-in's routes."""

import asyncio
import html
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.stand_in import gemini, imagen, interactions, openai_chat, openai_images, openai_responses
from examples.stand_in.faults import FAULTS, HEADER, BadFaultError
from examples.stand_in.google_errors import google_error
from examples.stand_in.policy import BLOCKED_WORDS
from examples.stand_in.wire import ApiError, Call, State, call_of

MODELS = ("stand-in-gpt-image", "stand-in-chat", "stand-in-gemini-image", "stand-in-gemini", "stand-in-imagen")
"""Names for the stand-in's models; any other name is taken as well, a real one among them."""

_METHODS: dict[str, Callable[[Call], Awaitable[Response]]] = {
    "generateContent": gemini.generate_content,
    "streamGenerateContent": gemini.stream_generate_content,
    "countTokens": gemini.count_tokens,
    "predict": imagen.predict,
}


def create_app() -> Starlette:
    """The application; its ``state.stand_in`` says which requests came."""
    openai = {
        "images/generations": openai_images.generations,
        "images/edits": openai_images.edits,
        "images/variations": openai_images.variations,
        "chat/completions": openai_chat.completions,
        "responses": openai_responses.responses,
    }
    prefixes = ("/v1", "/openai/v1", "/openai", "/openai/deployments/{deployment}")  # the last three are Azure's
    routes = [
        Route(f"{prefix}/{path}", _counted(handler), methods=["POST"]) for prefix in prefixes for path, handler in openai.items()
    ]
    routes += [
        Route("/", _page),
        Route("/v1/models", _models),
        Route("/files/{name}", _file),
        Route("/files/{way}/{name}", _file),
        Route("/{version}/interactions", _counted(_interactions), methods=["POST"]),
        Route("/{version}/{path:path}", _counted(_google), methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    app.state.stand_in = State()
    return app


def _counted(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        request.app.state.stand_in.paths.append(request.url.path)
        return await handler(request)

    return endpoint


async def _google(request: Request) -> Response:
    """``…/models/{model}:{method}``, with whatever Vertex AI puts before ``models``."""
    _, _, name = request.path_params["path"].rpartition("models/")
    model, _, method = name.rpartition(":")
    handler = _METHODS.get(method)
    if handler is None:
        return google_error(ApiError(404, "NOT_FOUND", f"The stand-in has no {method or request.url.path!r}."))
    return await _worded(request, handler, model)


async def _interactions(request: Request) -> Response:
    return await _worded(request, interactions.create, None)


async def _worded(request: Request, handler: Callable[[Call], Awaitable[Response]], model: str | None) -> Response:
    """The handler's answer, its errors worded as Google does."""
    try:
        call = await call_of(request, model=model)
        if model is not None:
            call.body = gemini.camel_case(call.body)
        return await handler(call)
    except ApiError as error:
        return google_error(error)
    except BadFaultError as error:
        return google_error(ApiError(400, "INVALID_ARGUMENT", str(error)))


async def _file(request: Request) -> Response:
    """A picture that was offered by URL, or the way there that a fault asked for."""
    name, way = request.path_params["name"], request.path_params.get("way")
    if way == "hang":
        await asyncio.sleep(600)
    if way == "redirect":
        return RedirectResponse(f"http://127.0.0.1:{request.url.port}/files/{name}")
    if way == "text":
        return PlainTextResponse("this is no image, as you asked")
    data = request.app.state.stand_in.files.get(name)
    if data is None or way == "gone":
        return PlainTextResponse("This link has expired.", 403)
    return Response(data, media_type=f"image/{name.rpartition('.')[2]}")


async def _models(_: Request) -> Response:
    listed = [{"id": name, "object": "model", "created": 0, "owned_by": "lytrace-stand-in"} for name in MODELS]
    return JSONResponse({"object": "list", "data": listed})


async def _page(_: Request) -> Response:
    faults = "".join(f"<tr><td><code>{name}</code></td><td>{html.escape(what)}</td></tr>" for name, what in FAULTS.items())
    return HTMLResponse(
        "<!doctype html><title>lytrace stand-in</title><body style='font: 16px/1.5 system-ui; max-width: 46em; margin: 3em auto'>"
        "<h1>This is a stand-in, not a model</h1><p>It speaks the wire formats of the OpenAI image, chat and responses "
        "endpoints and of Gemini, and draws shapes by parsing the prompt.</p>"
        "<p>It exists so that the real SDKs can be tried without a key.</p>"
        f"<p>It refuses prompts with one of these words: {', '.join(BLOCKED_WORDS)}.</p>"
        f"<p>Trouble on demand, in the header <code>{HEADER}: name=value, …</code> or in the model's name "
        f"(<code>stand-in~name=value~…</code>):</p><table>{faults}</table>"
    )
