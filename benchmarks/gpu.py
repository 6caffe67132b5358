"""What recording costs a GPU, and whether what it says is true. Needs CUDA; prints one table and writes one JSON file.

    python -m benchmarks.gpu

- slowdown: a 50-step loop of 5, 10 and 30 ms steps, recorded and not, in turn: below 0.5 %, with statistics of latents below 1 %;
- what the host pays for a boundary, for a step's statistics (40 µs at most), and for a call's times;
- step by step against torch.profiler: within 2 %;
- synchronising calls added, counted by the profiler: 0;
- memory of each step against ``torch.cuda.memory_allocated``, exact peaks against peaks that this script resets itself: equal to
  the byte; and the user's own peak as if nothing had been reset;
- energy against NVML's counter read here, before and after: within 10 %;
- a CUDA graph captured around a call: it works, and replays to the same values;
- ``output_type="latent"``: the call returns early, and its span ends with the GPU's times at the next one;
- the GPU's last time against the host's when it was done.

Self-contained: the model is a matrix product sized to the step's time, in a real DiffusionPipeline.
"""

import datetime
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import lytrace
from benchmarks._gpu_loop import LATENT, STEPS, Loop, loop, microseconds, seconds, wait
from benchmarks._report import RESULTS
from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations._device import CallClock, device_of, exact
from lytrace_integrations.diffusers import DiffusersInstrumentor
from lytrace_integrations.diffusers._latent_reader import LatentReader

PLACE = "cuda"
ROUNDS = 15
MIB = 1024 * 1024
SYNCHRONISING = {
    "cudaStreamSynchronize",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cudaMemcpy",
    "cudaMemcpyToSymbol",
    "cuStreamSynchronize",
    "cuCtxSynchronize",
    "cuEventSynchronize",
}
Result = dict[str, Any]


def within(value: float, budget: float | None, **more: Any) -> Result:
    """A measured value, what it may be at most (None: whatever it is), and what else was seen."""
    return {"value": value, "budget": budget, "holds": budget is None or bool(abs(value) <= budget), **more}


def failure(error: Exception) -> Result:
    """What could not be measured."""
    return {"value": None, "budget": None, "holds": False, "failed": f"{type(error).__name__}: {error}"}


def told(captured: Any, kind: str) -> list[Any]:
    """The spans of this kind by their start."""
    return sorted((span for span in captured.spans if span.kind == kind), key=lambda span: span.start_ns)


def slowdown(pipe: Loop, *, latents: bool) -> Result:
    """Recorded against not, in turn; the patches are taken off for every other run. In percent."""
    instrumentor, ratios = DiffusersInstrumentor(), []
    with capture(latents=latents):
        for number in range(ROUNDS):
            found = {}
            for on in (True, False) if number % 2 else (False, True):
                if on:
                    instrumentor.instrument()
                    pipe(num_inference_steps=2)
                lytrace.flush()
                found[on] = seconds(pipe)
                instrumentor.uninstrument()
            ratios.append((found[True] / found[False] - 1) * 100)
    low, middle, high = statistics.quantiles(ratios, n=4)
    return within(middle, 1.0 if latents else 0.5, quartile_low=low, quartile_high=high)


def host_costs() -> dict[str, Result]:
    """Microseconds of the host's time."""
    device = device_of(torch.device(PLACE))

    def statistics_of(latent: torch.Tensor, output: torch.Tensor) -> float:
        reader = LatentReader(device.capturing)
        found = 0.0
        with torch.no_grad():
            for _ in range(2):  # the second time there is pinned memory to use again
                found = microseconds(lambda: reader.observe(0, latent, output))
                reader.read()
        return found

    def boundary(asked: Any) -> Callable[[], None]:
        def call() -> None:
            device.recycle([asked.moment().mark])

        return call

    def resolve() -> float:
        moments = [device.moment() for _ in range(2 * STEPS + 4)]
        wait()
        clock, start = CallClock(device, moments), time.perf_counter()
        assert clock.resolve()
        return (time.perf_counter() - start) * 1e6

    latent, output = (torch.randn(LATENT, device=PLACE) for _ in range(2))
    return {
        "a boundary: event and memory (µs)": within(microseconds(boundary(device)), None),
        "a boundary with exact peaks (µs)": within(microseconds(boundary(exact(device))), None),
        "statistics of a latent, bfloat16 (µs)": within(statistics_of(latent.bfloat16(), output.bfloat16()), 40),
        "statistics of a latent, float32 (µs)": within(statistics_of(latent, output), 40),
        "a call's times at its end (µs)": within(statistics.median(resolve() for _ in range(20)), None),
    }


def agreement(pipe: Loop) -> Result:
    """Each step on our clock against its kernels in the profiler, of the same run; the largest difference in percent."""
    activities = [torch.profiler.ProfilerActivity.CUDA, torch.profiler.ProfilerActivity.CPU]
    with capture(instrument=["diffusers"], latents=False) as captured:
        pipe()
        with torch.profiler.profile(activities=activities) as profile:
            pipe()
            wait()
        steps = told(captured, semconv.KIND_STEP)[-STEPS:]
    kernels = [event for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    spent: dict[str, float] = {}
    for kernel in kernels:
        spent[kernel.name] = spent.get(kernel.name, 0) + kernel.time_range.elapsed_us()
    product = max(spent, key=lambda name: spent[name])
    products = sorted((kernel for kernel in kernels if kernel.name == product), key=lambda kernel: kernel.time_range.start)
    per_step = len(products) // STEPS
    groups = [products[number * per_step : (number + 1) * per_step] for number in range(STEPS)]
    theirs = [group[-1].time_range.end - group[0].time_range.start for group in groups]
    ours = [(step.end_ns - step.start_ns) / 1e3 for step in steps]
    differences = [(mine / their - 1) * 100 for mine, their in zip(ours, theirs, strict=True)]
    worst = max(differences[1:], key=abs)  # the first step begins while the host is still behind
    on_device = {step.attributes[semconv.CLOCK] for step in steps} == {"device"}
    found = within(worst, 2.0, median=statistics.median(differences), kernels_a_step=per_step, on_device_clock=on_device)
    return found | {"holds": found["holds"] and on_device and len(products) == per_step * STEPS}


def synchronising_calls(pipe: Loop) -> Result:
    """Calls that wait for the device, recorded with statistics of latents minus not."""
    activities = [torch.profiler.ProfilerActivity.CUDA, torch.profiler.ProfilerActivity.CPU]

    def count() -> dict[str, int]:
        with torch.profiler.profile(activities=activities) as profile:
            pipe()
        return {event.key: event.count for event in profile.key_averages() if event.key in SYNCHRONISING}

    count()
    plain = count()
    with capture(instrument=["diffusers"]):
        pipe()
        lytrace.flush()
        traced = count()
    return within(sum(traced.values()) - sum(plain.values()), 0, plain=plain, traced=traced)


def memory_of_steps(pipe: Loop) -> Result:
    """Bytes by which any step's figures differ from torch's own at the same boundaries. Each step keeps 8 MiB."""
    begun: list[int] = []
    ended: list[int] = []
    pipe.unet.keeps_bytes, pipe.unet.scratch_bytes = 8 * MIB, 64 * MIB
    pipe.unet.on_begin = lambda: begun.append(torch.cuda.memory_allocated())
    pipe.scheduler.on_end = lambda: ended.append(torch.cuda.memory_allocated())
    with capture(instrument=["diffusers"], latents=False) as captured:
        pipe()
        steps = [span.attributes for span in told(captured, semconv.KIND_STEP)]
    reset(pipe)
    wrong = [abs(step[semconv.GPU_MEMORY_ALLOCATED] - after) for step, after in zip(steps, ended, strict=True)]
    wrong += [
        abs(step[semconv.GPU_MEMORY_DELTA] - (after - before)) for step, before, after in zip(steps, begun, ended, strict=True)
    ]
    least = min(step[semconv.GPU_MEMORY_ALLOCATED_TOTAL] for step in steps)
    found = within(max(wrong), 0, allocated_in_a_step=least, kept_a_step=steps[1][semconv.GPU_MEMORY_DELTA])
    return found | {"holds": found["holds"] and least >= 72 * MIB}


def exact_peaks(pipe: Loop) -> Result:
    """Bytes by which the peak of any step differs from that of a run in which this script resets the peaks itself."""
    peaks: list[int] = []
    pipe.unet.scratch_bytes = 64 * MIB
    pipe.unet.on_begin = torch.cuda.reset_peak_memory_stats
    pipe.scheduler.on_end = lambda: peaks.append(torch.cuda.max_memory_allocated())
    pipe()
    reset(pipe)
    pipe.unet.scratch_bytes = 64 * MIB
    with capture(instrument=["diffusers"], latents=False, exact_peak=True) as captured:
        torch.cuda.reset_peak_memory_stats()
        torch.empty(512 * MIB, dtype=torch.uint8, device=PLACE)
        users = torch.cuda.max_memory_allocated()
        pipe()
        seen = torch.cuda.max_memory_allocated()
        steps = [span.attributes for span in told(captured, semconv.KIND_STEP)]
    reset(pipe)
    wrong = [abs(step[semconv.GPU_MEMORY_PEAK] - peak) for step, peak in zip(steps, peaks, strict=True)]
    all_exact = all(step[semconv.GPU_MEMORY_PEAK_EXACT] for step in steps)
    found = within(max(wrong), 0, all_exact=all_exact, users_peak_before=users, users_peak_after=seen)
    return found | {"holds": found["holds"] and all_exact and seen == users}


def reset(pipe: Loop) -> None:
    """The pipeline as it was made."""
    pipe.unet.keeps_bytes = pipe.unet.scratch_bytes = 0
    pipe.unet.kept.clear()
    pipe.unet.on_begin = pipe.scheduler.on_end = lambda: None
    torch.cuda.empty_cache()


def energy(pipe: Loop) -> Result:
    """Joules of a call of some seconds against NVML's counter around it, in percent."""
    import pynvml

    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(device_of(torch.device(PLACE)).identity)
    counters = []

    def call() -> None:
        for _ in range(3):
            pipe()

    with capture(instrument=["diffusers"]) as captured:
        pipe(num_inference_steps=2)
        wait()
        time.sleep(0.3)  # the counter moves every 20 to 100 ms
        counters.append(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        call()
        counters.append(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        calls = [span.attributes for span in told(captured, semconv.KIND_GENERATION)][-3:]
        resource = captured.spans[-1].resource
    ours, theirs = sum(span[semconv.GPU_ENERGY] for span in calls), (counters[1] - counters[0]) / 1e3
    return within(
        (ours / theirs - 1) * 100,
        10.0,
        joules=ours,
        utilization=calls[-1][semconv.GPU_UTILIZATION],
        driver=resource.get(semconv.HW_DRIVER_VERSION),
    )


def graph_capture(pipe: Loop) -> Result:
    """A CUDA graph captured around a recorded call, in the mode that other threads can break; the replay's difference."""
    side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    with capture(instrument=["diffusers"]) as captured:
        expected = pipe(output_type="latent")[0].clone()
        with torch.cuda.stream(side):
            pipe(output_type="latent")
        wait()
        with torch.cuda.graph(graph, capture_error_mode="global"):
            made = pipe(output_type="latent")[0]
        graph.replay()
        wait()
        lytrace.flush()
        last = told(captured, semconv.KIND_GENERATION)[-1].attributes
    difference = float((made - expected).abs().max())
    said = last[semconv.CLOCK], last.get(semconv.CLOCK_REASON)
    found = within(difference, 0, clock=said[0], reason=said[1])
    return found | {"holds": found["holds"] and said == ("host", "capturing")}


def deferred(pipe: Loop) -> Result:
    """A call that answers latents: when it returned, and that its span ends with the GPU's times at the next call. In percent."""
    with capture(instrument=["diffusers"]) as captured:
        pipe()
        whole = seconds(lambda: pipe(output_type="latent"))
        lytrace.flush()
        before = len(told(captured, semconv.KIND_GENERATION))
        start = time.perf_counter()
        pipe(output_type="latent")
        returned = time.perf_counter() - start
        ended_at_once = len(told(captured, semconv.KIND_GENERATION)) > before
        wait()
        pipe(num_inference_steps=1)
        spans = told(captured, semconv.KIND_GENERATION)
        late = spans[before]
        steps = [span for span in told(captured, semconv.KIND_STEP) if span.trace_id == late.trace_id]
    ours = (late.end_ns - late.start_ns) / 1e9
    has_statistics = all(semconv.DIFFUSION_LATENT_MEAN in step.attributes for step in steps)
    found = within(
        (ours / whole - 1) * 100,
        2.0,
        returned_after_ms=returned * 1e3,
        lasted_ms=ours * 1e3,
        ended_at_once=ended_at_once,
        clock=late.attributes[semconv.CLOCK],
        statistics_of_latents=has_statistics,
    )
    return found | {"holds": found["holds"] and found["clock"] == "device" and has_statistics and not ended_at_once}


def anchoring(pipe: Loop) -> Result:
    """Microseconds between the GPU's last boundary on our clock and the host's time when it was seen to be done."""
    with capture(instrument=["diffusers"]) as captured:
        pipe()
        differences = []
        for _ in range(5):
            pipe(output_type="latent")
            wait()
            done_ns = time.time_ns()
            lytrace.flush()
            differences.append((done_ns - told(captured, semconv.KIND_GENERATION)[-1].end_ns) / 1e3)
    return within(statistics.median(differences), 200.0, largest=max(differences, key=abs))


def measure() -> dict[str, Result]:
    """Everything, in the order of the table. What fails to run says why."""
    found: dict[str, Result] = {}

    def add(title: str, call: Callable[[], Result]) -> None:
        try:
            found[title] = call()
        except Exception as error:
            found[title] = failure(error)

    for step_ms in (5, 10, 30):
        pipe = loop(step_ms)
        add(f"slowdown at {step_ms} ms a step (%)", lambda pipe=pipe: slowdown(pipe, latents=False))
        add(f"slowdown at {step_ms} ms a step, with latents (%)", lambda pipe=pipe: slowdown(pipe, latents=True))
    pipe = loop(10)
    try:
        found |= host_costs()
    except Exception as error:
        found["host costs"] = failure(error)
    add("step times against torch.profiler (%)", lambda: agreement(pipe))
    add("synchronising calls added", lambda: synchronising_calls(pipe))
    add("memory of a step against torch's (bytes)", lambda: memory_of_steps(pipe))
    add("exact peak of a step against torch's (bytes)", lambda: exact_peaks(pipe))
    add("energy against NVML's counter (%)", lambda: energy(loop(30)))
    add("a captured graph's result", lambda: graph_capture(pipe))
    add('output_type="latent": the span against the run (%)', lambda: deferred(pipe))
    add("the GPU's end against the host's (µs)", lambda: anchoring(pipe))
    return found


def show(found: dict[str, Result]) -> None:
    table = Table("measured", "value", "budget", "holds", "beside it", box=None, header_style="bold")
    for title, result in found.items():
        more = {name: value for name, value in result.items() if name not in {"value", "budget", "holds"}}
        beside = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in more.items()
        )
        value = "" if result["value"] is None else f"{result['value']:.4g}"
        budget = "" if result["budget"] is None else f"≤ {result['budget']:g}"
        table.add_row(title, value, budget, "yes" if result["holds"] else "NO", beside)
    Console(width=200).print(table)


def main() -> int:
    if not torch.cuda.is_available():
        print("benchmarks.gpu needs a CUDA device; there is none here.", file=sys.stderr)
        return 1
    found = measure()
    show(found)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    device = {
        "name": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"date": today, "device": device, "found": found}, indent=2, default=str)
    (RESULTS / f"gpu-{today}.json").write_text(text + "\n")
    return 0 if all(result["holds"] for result in found.values()) else 2


if __name__ == "__main__":
    sys.exit(main())
