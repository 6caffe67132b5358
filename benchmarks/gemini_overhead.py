"""What recording a call of Gemini costs the caller, what a chunk of a stream costs, and whether the first chunk comes later.

    python -m benchmarks.gemini_overhead

The real google-genai SDK against a real server on 127.0.0.1, which is a process of its own. Both halves of a pair are the same
calls: the instrumentor on, with a real spool, and off. The caller's own CPU time is measured (``time.thread_time``), since the
network's noise is a hundred times what is looked for; the first chunk is measured by the clock on the wall.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # google-genai's own
    from google import genai

import lytrace
from benchmarks._caller import server, switched
from benchmarks._report import pairs, report, summary
from lytrace_integrations.google_genai import GoogleGenAIInstrumentor

CALLS = 60
CHUNKS = 1000
BUDGETS = {"added to a call": 60.0, "added to an interaction": 60.0, "added to a chunk": 3.0}
QUESTION: dict[str, Any] = {"model": "gemini-x", "contents": "what is this?"}
PART = {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "word "}]}}], "modelVersion": "x"}
USAGE = {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}
ANSWER = PART | {"candidates": [PART["candidates"][0] | {"finishReason": "STOP"}], "usageMetadata": USAGE}
STEP = {"type": "model_output", "content": [{"type": "text", "text": "word"}]}
INTERACTION = {"id": "i", "status": "completed", "model": "x", "steps": [STEP], "usage": {"total_input_tokens": 9}}


def serve(connection: Any) -> None:
    """A minimal HTTP server: one answer, or a stream of chunks one write each, with a pause before the first."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
                if "streamgeneratecontent" in head:
                    await send_stream(writer)
                else:
                    body = json.dumps(INTERACTION if "/interactions" in head else ANSWER).encode()
                    writer.write(
                        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
                    )
                    await writer.drain()

    async def send_stream(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        await asyncio.sleep(0.002)
        for number in range(CHUNKS):
            event = b"data: " + json.dumps(PART if number < CHUNKS - 1 else ANSWER).encode() + b"\r\n\r\n"
            writer.write(b"%x\r\n" % len(event) + event + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        connection.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def calls(call: Callable[[], Any]) -> float:
    """CPU microseconds of this thread a call, the median of many."""
    found = []
    for _ in range(CALLS):
        start = time.thread_time_ns()
        call()
        found.append(time.thread_time_ns() - start)
    return statistics.median(found) / 1000


def chunks(client: genai.Client) -> float:
    """CPU microseconds of this thread a chunk, after the first."""
    stream = client.models.generate_content_stream(**QUESTION)
    next(stream)
    start = time.thread_time_ns()
    count = sum(1 for _ in stream)
    return (time.thread_time_ns() - start) / count / 1000


def first_chunk(client: genai.Client) -> float:
    """Microseconds by the clock from the call to the first chunk."""
    start = time.perf_counter_ns()
    stream = client.models.generate_content_stream(**QUESTION)
    next(stream)
    elapsed = (time.perf_counter_ns() - start) / 1000
    for _ in stream:
        pass
    return elapsed


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
    instrumentor = GoogleGenAIInstrumentor()
    with tempfile.TemporaryDirectory() as home, server(serve) as url:
        lytrace.init("gemini-overhead", home=home, collector="", instrument=[])
        client = genai.Client(api_key="k", http_options={"base_url": url})
        measures: dict[str, Callable[[], float]] = {
            "added to a call": lambda: calls(lambda: client.models.generate_content(**QUESTION)),
            "added to an interaction": lambda: calls(lambda: client.interactions.create(model="gemini-x", input="what is this?")),
            "added to a chunk": lambda: chunks(client),
            "time to the first chunk": lambda: first_chunk(client),
        }
        for title, measure in measures.items():
            ours = switched(instrumentor, measure)
            ours(), measure()
            rows[title] = added(pairs(ours, measure, rounds))
        client.close()
        lytrace.shutdown()
    report("gemini-overhead", rows, units="µs", budgets=BUDGETS)
    print()
    for title, row in rows.items():
        low, high = row["added_quartiles"]
        print(f"{title}: {row['added_median']:+.1f} µs (quartiles {low:+.1f} to {high:+.1f})")


if __name__ == "__main__":
    main()
