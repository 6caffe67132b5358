"""What ``@trace`` costs the caller, against a bare OpenTelemetry span with the same attributes; and what the import costs.

    python -m benchmarks.overhead

Baseline: the SDK with a BatchSpanProcessor and OTLP encoding into a null sink. Ours writes a real spool. "Busy" means that
our worker hashes and encodes images all the while, in both halves of a pair, since a busy thread slows whatever runs
beside it.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import lytrace
from benchmarks._report import pairs, report, summary
from lytrace import semconv

CALLS = 400
BUDGETS = {"@trace, worker idle": 1.5, "@trace, worker busy": 1.5, "import": 1.3}


class NullSink(SpanExporter):
    """Encodes as the OTLP exporter does and throws the bytes away."""

    def export(self, spans):
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


@lytrace.trace
def empty() -> None:
    """The traced function."""


def bare_span() -> Callable[[], None]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(NullSink()))
    tracer = provider.get_tracer("baseline")
    attributes = {
        semconv.SPAN_KIND: semconv.KIND_FUNCTION,
        semconv.CODE_FUNCTION_NAME: "benchmarks.overhead.empty",
        semconv.INPUT: "{}",
        semconv.OUTPUT: "null",
    }

    def call() -> None:
        with tracer.start_as_current_span("empty", attributes=attributes):
            pass

    return call


def microseconds_a_call(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    elapsed = (time.perf_counter() - start) / CALLS * 1e6
    time.sleep(0.1)  # both workers empty their queues before the other half is measured
    return elapsed


@contextlib.contextmanager
def busy_worker() -> Iterator[None]:
    """Keeps our worker hashing and encoding 512² images until the block ends."""
    from PIL import Image

    picture = Image.effect_noise((512, 512), 64).convert("RGB")
    stop = threading.Event()

    def feed() -> None:
        while not stop.wait(0.1):
            with lytrace.span("feed"):
                lytrace.attach([picture, picture])

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        yield
    finally:
        stop.set()
        feeder.join()
        lytrace.flush()


def import_seconds(module: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


def init_seconds() -> float:
    code = (
        "import time, lytrace; t = time.perf_counter(); lytrace.init(collector='', instrument=[]); print(time.perf_counter() - t)"
    )
    with tempfile.TemporaryDirectory() as home:
        answer = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"LYTRACE_HOME": home}
        )
    return float(answer.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    rows = {}
    with tempfile.TemporaryDirectory() as home:
        lytrace.init("overhead", home=home, collector="", instrument=[])
        baseline = bare_span()
        for call in (empty, baseline):
            microseconds_a_call(call)
        measured = pairs(lambda: microseconds_a_call(empty), lambda: microseconds_a_call(baseline), rounds)
        rows["@trace, worker idle"] = summary(measured)
        with busy_worker():
            measured = pairs(lambda: microseconds_a_call(empty), lambda: microseconds_a_call(baseline), rounds)
        rows["@trace, worker busy"] = summary(measured)
        lytrace.shutdown()
    imports = pairs(
        lambda: import_seconds("lytrace") * 1e6, lambda: import_seconds("opentelemetry.sdk.trace") * 1e6, max(rounds // 2, 4)
    )
    rows["import"] = summary(imports)
    report("overhead", rows, units="µs", budgets=BUDGETS)
    times = sorted(init_seconds() for _ in range(5))
    print(f"\ninit(): {times[2] * 1e3:.0f} ms (median of 5, {times[0] * 1e3:.0f} to {times[-1] * 1e3:.0f})")


if __name__ == "__main__":
    main()
