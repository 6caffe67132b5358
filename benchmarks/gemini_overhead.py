"""What recording a call of Gemini costs the caller, what a chunk of a stream costs, and whether a chunk comes later.

    python -m benchmarks.gemini_overhead

The real google-genai SDK against a real server on 127.0.0.1, which is a process of its own; measured as in
``benchmarks/api_overhead.py``. An interaction takes the SDK itself 11 ms, whose noise hides what is looked for: hence in place.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import tempfile
import time
import warnings
from collections.abc import Iterator
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # google-genai's own
    from google import genai
    from google.genai import _api_client
    from google.genai._gaos import basesdk, interactions
    from google.genai._gaos._hooks import sdkhooks

import lytrace
from benchmarks._caller import call_us, in_place_us, keep_plain, server
from benchmarks._report import added, pairs, report_added, summary
from benchmarks._streaming import CHUNKS, PACE_S, PAUSE_BEFORE_S, BareSpans, stream_rows
from lytrace_integrations.google_genai import GoogleGenAIInstrumentor

BUDGETS = {"added to a call": 60.0, "a call in place": 60.0, "an interaction in place": 60.0, "added to a chunk": 3.0}
CALL = [(_api_client.BaseApiClient, "request"), (_api_client.BaseApiClient, "_request_once")]
INTERACTION = [(interactions.Interactions, "create"), (basesdk.BaseSDK, "do_request"), (sdkhooks.SDKHooks, "before_request")]
"""Everything of the SDK that is patched on the way of a call."""
STEP = {"type": "model_output", "content": [{"type": "text", "text": "word"}]}
INTERACTION_ANSWER = {"id": "i", "status": "completed", "model": "x", "steps": [STEP], "usage": {"total_input_tokens": 9}}


def serve(connection: Any) -> None:
    """A minimal HTTP server: one answer, or a stream of chunks one write each, with a pause before the first."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
                if ":streamgeneratecontent" in head:
                    await send_stream(writer, head.partition(":streamgeneratecontent")[0].rpartition("/")[2])
                else:
                    body = json.dumps(
                        INTERACTION_ANSWER if "/interactions" in head else answer_with("a red circle", last=True)
                    ).encode()
                    writer.write(
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
                    )
                    await writer.drain()

    async def send_stream(writer: asyncio.StreamWriter, model: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        await asyncio.sleep(PAUSE_BEFORE_S)
        for number in range(CHUNKS[model]):
            if model == "paced":
                await asyncio.sleep(PACE_S)
            chunk = answer_with(str(time.monotonic_ns()), last=number == CHUNKS[model] - 1)
            event = b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n"
            writer.write(b"%x\r\n" % len(event) + event + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        connection.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def answer_with(text: str, *, last: bool) -> dict[str, Any]:
    """A whole answer, or a chunk of one."""
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}
    if not last:
        return {"candidates": [candidate], "modelVersion": "x"}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
    return {"candidates": [candidate | {"finishReason": "STOP"}], "modelVersion": "x", "usageMetadata": usage}


def sent(chunk: Any) -> str:
    """The text of a chunk."""
    text: str = chunk.candidates[0].content.parts[0].text
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    rows: dict[str, Any] = {}
    instrumentor = GoogleGenAIInstrumentor()
    with tempfile.TemporaryDirectory() as home, server(serve) as url:
        lytrace.init("gemini-overhead", home=home, collector="", instrument=[])
        plain, recorded = (genai.Client(api_key="k", http_options={"base_url": url}) for _ in range(2))
        keep_plain(plain._api_client, "request", "_request_once", "request_streamed")  # noqa: SLF001  what is patched
        instrumentor.instrument()

        def ask(client: genai.Client) -> None:
            client.models.generate_content(model="m", contents="what is this?")

        def interact(client: genai.Client) -> None:
            client.interactions.create(model="m", input="what is this?")

        def stream(client: genai.Client, model: str) -> Iterator[Any]:
            return client.models.generate_content_stream(model=model, contents="what is this?")

        both = [functools.partial(call_us, functools.partial(ask, one)) for one in (recorded, plain)]
        rows["added to a call"] = added(pairs(*both, rounds))
        rows |= stream_rows(functools.partial(stream, recorded), functools.partial(stream, plain), sent, rounds)
        instrumentor.uninstrument()
        for title, call, methods in (("a call", ask, CALL), ("an interaction", interact, INTERACTION)):
            places = (instrumentor, BareSpans(*methods[0]))
            in_place = [functools.partial(in_place_us, functools.partial(call, recorded), one, methods) for one in places]
            rows[f"{title} in place"] = summary(pairs(*in_place, rounds))
        plain.close()
        recorded.close()
        lytrace.shutdown()
    report_added("gemini-overhead", rows, budgets=BUDGETS)


if __name__ == "__main__":
    main()
