"""What recording a call of an API costs the caller, what a chunk of a stream costs, and whether a chunk comes later.

    python -m benchmarks.api_overhead

The real openai SDK against a real server on 127.0.0.1, which is a process of its own. Both halves of a pair are the same calls:
the instrumentor on, with a real spool, and off. The caller's own CPU time is measured (``time.thread_time``), since the network's
noise is a hundred times what is looked for. CPU time leaves out how long the caller waits for the interpreter while the worker
has it, so a call, the first chunk and the lateness of each are measured by the clock, too, noise included. A pair is over in some
tens of milliseconds and there are many: what else the machine does comes and goes more slowly.

Where it says "in place", it is the time of our wrappers less that of what they wrap, next to a bare span of OpenTelemetry in the
same place: what any code takes there depends on how much of the processor's caches the SDK has used up before.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import openai
from openai import _base_client

import lytrace
from benchmarks._caller import call_us, in_place_us, keep_plain, server
from benchmarks._report import added, pairs, report_added, summary
from benchmarks._streaming import CHUNKS, PACE_S, PAUSE_BEFORE_S, BareSpans, stream_rows
from lytrace import instrumentation
from lytrace_integrations.openai import OpenAIInstrumentor

BUDGETS = {
    "added to a call": 60.0,
    "added to an asynchronous call": 60.0,
    "a call in place": 60.0,
    "added to a chunk": 3.0,
    "added to a watched chunk": 3.0,
}
CALL = [(_base_client.SyncAPIClient, "request"), (_base_client.SyncAPIClient, "_process_response")]
"""Everything of the SDK that is patched on the way of a call."""
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a red circle"}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}
MESSAGES: Any = [{"role": "user", "content": "what is this?"}]


def serve(connection: Any) -> None:
    """A minimal HTTP server: a chat completion, or a stream of chunks one write each, with a pause before the first."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length:")[1].split("\r\n")[0]) if "content-length:" in head else 0
                wanted = json.loads(await reader.readexactly(length))
                await (send_stream(writer, wanted["model"]) if wanted.get("stream") else send_answer(writer))

    async def send_answer(writer: asyncio.StreamWriter) -> None:
        body = json.dumps(ANSWER).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async def send_stream(writer: asyncio.StreamWriter, model: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        await asyncio.sleep(PAUSE_BEFORE_S)
        for _ in range(CHUNKS[model]):
            if model == "paced":
                await asyncio.sleep(PACE_S)
            event = b"data: " + json.dumps(chunk_with(str(time.monotonic_ns()))).encode() + b"\n\n"
            writer.write(b"%x\r\n" % len(event) + event + b"\r\n")
            await writer.drain()
        end = b"data: [DONE]\n\n"
        writer.write(b"%x\r\n" % len(end) + end + b"\r\n0\r\n\r\n")
        await writer.drain()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        connection.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def chunk_with(text: str) -> dict[str, Any]:
    """One chunk of a chat completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def sent(chunk: Any) -> str:
    """The text of a chunk."""
    text: str = chunk.choices[0].delta.content
    return text


def watched_chunks(*, watch: bool) -> float:
    """Microseconds a chunk of a generator that gives objects, as an SDK's stream does."""
    items = [object()] * 20_000
    stream: Any = (item for item in items)
    if watch:
        call = instrumentation.open_model_call("chat", provider="benchmark", model="m")
        stream = instrumentation.watch(stream, call, lambda _: None)
    start = time.thread_time_ns()
    for _ in stream:
        pass
    return (time.thread_time_ns() - start) / len(items) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    rows: dict[str, Any] = {}
    instrumentor, loop = OpenAIInstrumentor(), asyncio.new_event_loop()
    with tempfile.TemporaryDirectory() as home, server(serve) as url:
        lytrace.init("api-overhead", home=home, collector="", instrument=[])
        options: dict[str, Any] = {"base_url": f"{url}/v1", "api_key": "k", "max_retries": 0}
        plain, recorded = openai.OpenAI(**options), openai.OpenAI(**options)
        plain_async, recorded_async = openai.AsyncOpenAI(**options), openai.AsyncOpenAI(**options)
        for one in (plain, plain_async):
            keep_plain(one, "request", "_process_response")
        instrumentor.instrument()

        def ask(client: Any) -> None:
            client.chat.completions.create(model="m", messages=MESSAGES)

        def ask_async(client: Any) -> None:
            loop.run_until_complete(client.chat.completions.create(model="m", messages=MESSAGES))

        def stream(client: Any, model: str) -> Iterator[Any]:
            return iter(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))

        by_clock = functools.partial(call_us, clock=time.perf_counter_ns)
        for title, measure, call, ours, baseline in (
            ("added to a call", call_us, ask, recorded, plain),
            ("added to an asynchronous call", call_us, ask_async, recorded_async, plain_async),
            ("a call by the clock", by_clock, ask, recorded, plain),
        ):
            both = [functools.partial(measure, functools.partial(call, one)) for one in (ours, baseline)]
            rows[title] = added(pairs(*both, rounds))
        rows |= stream_rows(functools.partial(stream, recorded), functools.partial(stream, plain), sent, rounds)
        instrumentor.uninstrument()
        ask_recorded = functools.partial(ask, recorded)
        in_place = [functools.partial(in_place_us, ask_recorded, one, CALL) for one in (instrumentor, BareSpans(*CALL[0]))]
        rows["a call in place"] = summary(pairs(*in_place, rounds))
        rows["added to a watched chunk"] = added(
            pairs(lambda: watched_chunks(watch=True), lambda: watched_chunks(watch=False), rounds)
        )
        for one_async in (plain_async, recorded_async):
            loop.run_until_complete(one_async.close())
        lytrace.shutdown()
    report_added("api-overhead", rows, budgets=BUDGETS)


if __name__ == "__main__":
    main()
