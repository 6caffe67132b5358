"""What the transformers instrumentor adds on the caller's thread: a token, a call, the tokenizer, the first chunk of a stream.

    OMP_NUM_THREADS=1 python -m benchmarks.transformers_overhead

All figures are CPU time of the calling thread, so that neighbours on the machine count little. Two null models, whose loops do
nothing but call their logits processors, run in pairs: one is recorded, the other and its tokenizer are called by what they
were before the instrumentor came. A token is the slope between a short and a long answer: reading the ids and decoding the
text, at the end, is in it. A call is one of twenty in a row, after a first one that is not counted since it comes when the
worker has been at work, with one new token and a prompt tokenized before; "with its tokenizer" tokenizes it in the call, which
is recorded, too. "In situ" is a tiny Llama, whose own work varies by more than we add, and leaves nothing of ours in the
processor's caches. There a token is the recorder's method, timed by itself against one that does nothing; a call is the time
around the model's ``generate()`` less that inside it: all we do before and after. The time to the first chunk is wall time, up
to the first text that a streamer in this thread is given. For those two the instrumentor is switched on and off. A bare
OpenTelemetry span with as many attributes as ours begins with, measured in the same run, says how fast the machine is at that
hour, in a row and in situ: a call is one such span and what we read.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from opentelemetry.sdk.trace import TracerProvider
from rich.console import Console
from rich.table import Table
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel
from transformers.generation import LogitsProcessorList
from transformers.generation.streamers import TextStreamer

import lytrace
from benchmarks._caller import Nothing, Switch, cpu_us, keep_plain, stopwatch
from benchmarks._report import added, pairs, report
from lytrace_integrations.transformers import TransformersInstrumentor, _call
from tests.integrations.transformers import tiny

SHORT, LONG, CALLS = 10, 410, 20
OF_A_TOKEN = [(_call.GenerateCall, "tick")]
BUDGETS = {
    "a token, null model": 2.0,
    "a token, in situ": 2.0,
    "a call, null model": 60.0,
    "a call with its tokenizer, null model": 60.0,
    "a call, in situ": 60.0,
}


class NullModel(PreTrainedModel):
    """Chooses tokens without thinking."""

    config_class = LlamaConfig

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.answers: dict[int, Any] = {}
        self.processors = LogitsProcessorList()
        self.scores = torch.zeros(1, 8)

    def generate(self, input_ids: Any, attention_mask: Any = None, max_new_tokens: int = 20) -> Any:
        for _ in range(max_new_tokens):
            self.processors(input_ids, self.scores)
        if max_new_tokens not in self.answers:
            new = torch.randint(30, tiny.VOCABULARY, (1, max_new_tokens))
            self.answers[max_new_tokens] = torch.cat([input_ids, new], dim=1)
        return self.answers[max_new_tokens]


def in_a_row(call: Callable[[], Any]) -> float:
    """Microseconds of one of twenty calls, after one that is not counted: it finds the worker's work in the caches."""
    lytrace.flush()
    call()
    start = time.thread_time_ns()
    for _ in range(CALLS):
        call()
    return (time.thread_time_ns() - start) / 1e3 / CALLS


@dataclass
class Side:
    """A null model, and what makes its inputs of a text: recorded, or as they were before."""

    model: NullModel
    encode: Callable[..., Any]

    def inputs(self) -> Any:
        return self.encode("a red circle", return_tensors="pt")

    def answer(self, tokens: int) -> Callable[[], Any]:
        made = self.inputs()
        return lambda: self.model.generate(**made, max_new_tokens=tokens)

    def slope(self) -> float:
        return (cpu_us(self.answer(LONG)) - cpu_us(self.answer(SHORT))) / (LONG - SHORT)

    def twenty(self) -> float:
        return in_a_row(self.answer(1))

    def twenty_tokenized(self) -> float:
        return in_a_row(lambda: self.model.generate(**self.inputs(), max_new_tokens=1))


def both_sides(tokenizer: Any) -> tuple[Side, Side]:
    """One that an instrumentor which comes later records, and one that it does not."""
    recorded, plain = NullModel(tiny.text_config()), NullModel(tiny.text_config())
    keep_plain(plain, "generate")
    as_it_was = {"__call__": LogitsProcessorList.__call__}
    plain.processors = type("PlainProcessors", (LogitsProcessorList,), as_it_was)()
    return Side(recorded, tokenizer), Side(plain, type(tokenizer).__call__.__get__(tokenizer))


class TimedLlama(LlamaForCausalLM):
    """Says how long its own ``generate()`` took: what a call takes beyond that is around it."""

    took_ns = 0

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        start = time.thread_time_ns()
        try:
            return super().generate(*args, **kwargs)
        finally:
            self.took_ns = time.thread_time_ns() - start


def around_us(model: TimedLlama, inputs: Any, span: Callable[[], contextlib.AbstractContextManager[Any]]) -> float:
    """Microseconds of this thread around one call's own work: those of what is recorded, and of the reading of the clock."""
    lytrace.flush()
    start = time.thread_time_ns()
    with span():
        model.generate(**inputs, max_new_tokens=2)
    return (time.thread_time_ns() - start - model.took_ns) / 1e3


def in_situ(generate: Callable[[], Any], methods: list[tuple[Any, str]], per: int) -> tuple[float, float]:
    """Microseconds in the methods by their medians, and in as many that do nothing, while a real model runs."""
    spent: dict[str, list[int]] = {}
    lytrace.flush()
    with stopwatch(methods, spent):
        generate()
    idle: dict[str, list[int]] = {}
    with stopwatch([(Nothing, "method")], idle):
        for _ in range(200):
            Nothing().method()
    calls = sum(len(found) for found in spent.values())
    ours = sum(statistics.median(found) * len(found) for found in spent.values() if found)
    return ours / per / 1e3, statistics.median(idle["method"]) * calls / per / 1e3


def bare_span() -> Callable[[], contextlib.AbstractContextManager[Any]]:
    """What opens an OpenTelemetry span that goes nowhere."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("baseline")
    attributes = {f"attribute.{number}": "text" for number in range(5)}
    return lambda: tracer.start_as_current_span("chat", attributes=attributes)


def opened(span: Callable[[], contextlib.AbstractContextManager[Any]]) -> None:
    """Open it, and close it at once."""
    with span():
        pass


class FirstText(TextStreamer):
    """Notes when the first new text came."""

    came_ns = 0

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's signature
        if not self.came_ns and text:
            self.came_ns = time.perf_counter_ns()


def show(rows: dict[str, dict[str, Any]]) -> None:
    table = Table("added on the caller's thread", "µs", "quartiles", "budget", box=None, header_style="bold")
    for title, found in rows.items():
        low, high = found["added_quartiles"]
        table.add_row(
            title, f"{found['added_median']:.2f}", f"{low:.2f} to {high:.2f}", f"≤ {BUDGETS[title]:g}" if title in BUDGETS else ""
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    llama, tokenizer = TimedLlama(tiny.text_config()).eval(), tiny.tokenizer()
    ours, plain = both_sides(tokenizer)
    switch = Switch(TransformersInstrumentor())

    def first_text() -> float:
        streamer, made = FirstText(tokenizer, skip_prompt=True), ours.inputs()
        start = time.perf_counter_ns()
        llama.generate(**made, max_new_tokens=3, streamer=streamer)
        return (streamer.came_ns - start) / 1e3

    def llama_call(tokens: int) -> Callable[[], Any]:
        return lambda: llama.generate(**ours.inputs(), max_new_tokens=tokens)

    bare = bare_span()

    def situated(span: Callable[[], Any] = contextlib.nullcontext) -> float:
        return statistics.median(around_us(llama, ours.inputs(), span) for _ in range(CALLS))

    def twenty_bare() -> float:
        return in_a_row(lambda: opened(bare))

    def twenty_empty() -> float:
        return in_a_row(lambda: None)

    with tempfile.TemporaryDirectory() as home:
        lytrace.init("overhead", home=home, collector="", instrument=[])
        switch.instrumentor.instrument()
        rows = {
            "a token, null model": pairs(ours.slope, plain.slope, rounds),
            "a call, null model": pairs(ours.twenty, plain.twenty, rounds),
            "a call with its tokenizer, null model": pairs(ours.twenty_tokenized, plain.twenty_tokenized, rounds),
            "a bare OpenTelemetry span": [(twenty_bare(), twenty_empty()) for _ in range(rounds)],
            "a call, in situ": switch.measured(situated, rounds),
            "time to the first chunk": switch.measured(first_text, rounds),
        }
        switch.instrumentor.uninstrument()
        rows["a bare OpenTelemetry span, in situ"] = [(situated(bare), situated()) for _ in range(rounds)]
        switch.instrumentor.instrument()
        llama_call(2)()
        rows["a token, in situ"] = [in_situ(llama_call(20), OF_A_TOKEN, 20) for _ in range(rounds)]
        lytrace.shutdown()
    found = {title: added(measured) for title, measured in rows.items()}
    for title, budget in BUDGETS.items():
        found[title]["added_budget"] = budget
    report("transformers-overhead", found, units="µs", budgets={})
    show(found)


if __name__ == "__main__":
    main()
