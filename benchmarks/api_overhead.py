"""What recording a call of an API costs the caller, what a chunk of a stream costs, and whether the first chunk comes later.

    python -m benchmarks.api_overhead

The real openai SDK against a real server on 127.0.0.1, which is a process of its own. Both halves of a pair are the same calls:
the instrumentor on, with a real spool, and off. The caller's own CPU time is measured (``time.thread_time``), since the network's
noise is a hundred times what is looked for; the first chunk is measured by the clock on the wall. CPU time leaves out how long
the caller waits for the interpreter while the worker has it, so a call is measured by the clock, too, noise included.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import openai

import lytrace
from benchmarks._caller import server, switched
from benchmarks._report import pairs, report, summary
from lytrace import instrumentation
from lytrace_integrations.openai import OpenAIInstrumentor

CALLS = 60
CHUNKS = 2000
BUDGETS = {
    "added to a call": 60.0,
    "added to an asynchronous call": 60.0,
    "added to a chunk": 3.0,
    "added to a watched chunk": 3.0,
}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a red circle"}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}
QUESTION: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "what is this?"}]}


def serve(connection: Any) -> None:
    """A minimal HTTP server: a chat completion, or a stream of chunks one write each, with a pause before the first."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.split("content-length:")[1].split("\r\n")[0]) if "content-length:" in head else 0
                wanted = json.loads(await reader.readexactly(length))
                await (send_stream(writer) if wanted.get("stream") else send_answer(writer))

    async def send_answer(writer: asyncio.StreamWriter) -> None:
        body = json.dumps(ANSWER).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async def send_stream(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        choice = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
        shared = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        event = b"data: " + json.dumps({**shared, "choices": [choice]}).encode() + b"\n\n"
        await asyncio.sleep(0.002)
        for _ in range(CHUNKS):
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


def calls(client: openai.OpenAI, clock: Callable[[], int] = time.thread_time_ns) -> float:
    """Microseconds a call, the median of many; of this thread's own time, unless another clock is given."""
    found = []
    for _ in range(CALLS):
        start = clock()
        client.chat.completions.create(**QUESTION)
        found.append(clock() - start)
    return statistics.median(found) / 1000


def async_calls(client: openai.AsyncOpenAI, loop: asyncio.AbstractEventLoop) -> float:
    async def run() -> list[int]:
        found = []
        for _ in range(CALLS):
            start = time.thread_time_ns()
            await client.chat.completions.create(**QUESTION)
            found.append(time.thread_time_ns() - start)
        return found

    return statistics.median(loop.run_until_complete(run())) / 1000


def chunks(client: openai.OpenAI) -> float:
    """CPU microseconds of this thread a chunk, after the first."""
    stream = client.chat.completions.create(**QUESTION, stream=True)
    next(stream)
    start = time.thread_time_ns()
    count = sum(1 for _ in stream)
    return (time.thread_time_ns() - start) / count / 1000


def first_chunk(client: openai.OpenAI) -> float:
    """Microseconds by the clock from the call to the first chunk."""
    start = time.perf_counter_ns()
    stream = client.chat.completions.create(**QUESTION, stream=True)
    next(stream)
    elapsed = (time.perf_counter_ns() - start) / 1000
    for _ in stream:
        pass
    return elapsed


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


def added(measured: list[tuple[float, float]]) -> dict[str, Any]:
    """A summary with the difference pair by pair, which is what the budget is about."""
    differences = sorted(ours - baseline for ours, baseline in measured)
    quartiles = statistics.quantiles(differences, n=4)
    return summary(measured) | {"added_median": statistics.median(differences), "added_quartiles": [quartiles[0], quartiles[2]]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    rows: dict[str, Any] = {}
    instrumentor, loop = OpenAIInstrumentor(), asyncio.new_event_loop()
    with tempfile.TemporaryDirectory() as home, server(serve) as url:
        lytrace.init("api-overhead", home=home, collector="", instrument=[])
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
        async_client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
        measures: dict[str, Callable[[], float]] = {
            "added to a call": lambda: calls(client),
            "added to an asynchronous call": lambda: async_calls(async_client, loop),
            "a call by the clock": lambda: calls(client, time.perf_counter_ns),
            "added to a chunk": lambda: chunks(client),
            "time to the first chunk": lambda: first_chunk(client),
        }
        for title, measure in measures.items():
            ours = switched(instrumentor, measure)
            ours(), measure()
            rows[title] = added(pairs(ours, measure, rounds))
        rows["added to a watched chunk"] = added(
            pairs(lambda: watched_chunks(watch=True), lambda: watched_chunks(watch=False), rounds)
        )
        loop.run_until_complete(async_client.close())
        client.close()
        lytrace.shutdown()
    report("api-overhead", rows, units="µs", budgets=BUDGETS)
    print()
    for title, row in rows.items():
        low, high = row["added_quartiles"]
        print(f"{title}: {row['added_median']:+.1f} µs (quartiles {low:+.1f} to {high:+.1f})")


if __name__ == "__main__":
    main()
