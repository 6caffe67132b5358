"""Traces of every kind and state, built from the API's own models. Times count back from the moment of building."""

import hashlib
import random
import time
from dataclasses import dataclass, field
from typing import Any

from PIL import Image as Picture

from lytrace.models import Artifact, Event, Link, Scope, Score, Span, Status, Trace
from lytrace.scores import score_id
from tests.dashboards.drawings import landscape, noised, png, shapes

MS = 1_000_000
SECOND = 1000 * MS
GIB = 1 << 30

RESOURCE = {
    "service.name": "studio",
    "process.pid": 4711,
    "process.runtime.version": "3.12.4",
    "host.name": "gpu-03",
    "hw.name": "NVIDIA H200",
    "lytrace.version": "0.1.0",
    "lytrace.lib.torch.version": "2.13.0",
    "lytrace.lib.diffusers.version": "0.42.1",
    "lytrace.lib.transformers.version": "5.23.0",
}
HOSTILE = [
    "<img src=x onerror=\"window.pwned='prompt'\">",
    "javascript:window.pwned='link'",
    "</script><script>window.pwned='script'</script>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "\u202egnp.exe\u0000 \U0001f600 '\"`${window.pwned=2}`",
]


@dataclass
class Sample:
    """A trace as the fake collector holds it."""

    trace: Trace
    spans: list[Span] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


class Builder:
    """Builds one trace span by span."""

    def __init__(self, name: str, number: int, *, ago_s: float, state: str = "ok", resource: dict[str, Any] | None = None):
        self.rng = random.Random(number)
        self.trace_id = hashlib.sha256(f"trace {number}".encode()).hexdigest()[:32]
        self.start = time.time_ns() - int(ago_s * SECOND)
        self.now = self.start
        self.resource = RESOURCE | (resource or {})
        self.sample = Sample(
            Trace(
                trace_id=self.trace_id, name=name, state=state, start_time_unix_nano=self.start, duration_ns=0,
                service_name=self.resource["service.name"],
            )
        )  # fmt: skip

    def span(self, name: str, parent: Span | None, start: int, duration: int, **more: Any) -> Span:
        """One span; `more` are fields of the model."""
        span = Span(
            trace_id=self.trace_id,
            span_id=f"{self.rng.getrandbits(64):016x}",
            parent_span_id=parent.span_id if parent else "",
            name=name,
            start_time_unix_nano=start,
            duration_ns=duration,
            resource=self.resource,
            scope=Scope(name="lytrace", version="0.1.0"),
            **more,
        )
        self.sample.spans.append(span)
        return span

    def function(self, name: str, duration: int, **more: Any) -> Span:
        """The `@trace` function at the root."""
        attributes = {"lytrace.span.kind": "function", "code.function.name": name} | more.pop("attributes", {})
        return self.span(name, None, self.start, duration, attributes=attributes, **more)

    def generation(
        self,
        parent: Span | None,
        prompt: str,
        *,
        seeds: list[int],
        model: str = "stabilityai/stable-diffusion-xl-base-1.0",
        steps: int = 30,
        ran: int | None = None,
        step_ms: float = 62,
        scheduler: str = "EulerDiscreteScheduler",
        size: int = 1024,
        device: str = "cuda",
        negative: str = "",
        broken_from: int | None = None,
        pictures: list[Picture.Image] | None = None,
        pending: bool = False,
        failed: Event | None = None,
        step_spans: bool = True,
    ) -> Span:
        """A diffusion call with stages and steps, its pictures and hashes."""
        gpu = device != "cpu"
        begin = self.now
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": "diffusers",
            "gen_ai.request.model": model,
            "gen_ai.request.seed": seeds[0],
            "gen_ai.output.type": "image",
            "gen_ai.input.messages": _messages(prompt),
            "diffusion.pipeline.class": "StableDiffusionXLPipeline" if gpu else "StableDiffusionPipeline",
            "diffusion.scheduler.class": scheduler,
            "diffusion.num_inference_steps": steps,
            "diffusion.guidance_scale": 7.5,
            "diffusion.width": size,
            "diffusion.height": size,
            "diffusion.dtype": "float16" if gpu else "float32",
            "diffusion.device": "cuda:0" if gpu else "cpu",
            "diffusion.seeds": seeds,
            "diffusion.generator.fresh": True,
            "lytrace.span.kind": "generation",
        }
        if negative:
            attributes["diffusion.negative_prompt"] = negative
        span = self.span(f"generate_content {model}", parent, begin, 0, attributes=attributes, pending=pending)
        self._stage(span, 0, "text_encode", 38 if gpu else 61, "text_encoder", "CLIPTextModel", gpu)
        denoise = self._stage(span, 1, "denoise", 0, "unet", "UNet2DConditionModel", gpu, pending=pending)
        self._steps(denoise, ran if ran is not None else steps, step_ms, gpu, broken_from, step_spans=step_spans)
        denoise.duration_ns = 0 if pending else self.now - denoise.start_time_unix_nano
        if gpu:
            denoise.attributes["lytrace.gpu.time"] = denoise.duration_ns * 0.99 / 1e9
        if failed:
            span.status, span.events = Status(code="ERROR", message=str(failed.attributes["exception.message"])), [failed]
            denoise.status = span.status
        elif not pending:
            self._stage(span, 2, "vae_decode", 148 if gpu else 190, "vae", "AutoencoderKL", gpu)
            self._stage(span, 3, "postprocess", 21, "image_processor", "VaeImageProcessor", gpu)
            self.outputs(span, pictures or [landscape(seed, size // 2, size // 2) for seed in seeds])
        span.duration_ns = 0 if pending else self.now - begin
        if gpu and not pending:
            peak = int(9.4 * GIB) + len(seeds) * (GIB >> 2)
            attributes |= {"lytrace.gpu.memory.peak": peak, "lytrace.gpu.time": span.duration_ns * 0.97 / 1e9, "lytrace.clock": "device"}
            self.sample.trace.gpu_peak_bytes = peak
        self._describe(span, prompt, model, ran if ran is not None else steps, steps)
        return span

    def _describe(self, span: Span, prompt: str, model: str, ran: int, steps: int) -> None:
        trace = self.sample.trace
        trace.prompt, trace.model, trace.provider = trace.prompt or prompt, model, "diffusers"
        trace.steps, trace.steps_total = (trace.steps or 0) + ran, (trace.steps_total or 0) + steps

    def _stage(
        self, parent: Span, index: int, name: str, ms: float, component: str, cls: str, gpu: bool, *, pending: bool = False
    ) -> Span:
        duration = int(ms * MS * self.rng.uniform(0.9, 1.1))
        attributes = {
            "lytrace.span.kind": "stage", "lytrace.stage.name": name, "lytrace.stage.index": index,
            "diffusion.component.name": component, "diffusion.component.class": cls,
            "lytrace.clock": "device" if gpu else "host",
        }  # fmt: skip
        if gpu:
            attributes |= {
                "lytrace.gpu.memory.allocated": int(6.9 * GIB), "lytrace.gpu.memory.peak": int((7 + index) * GIB),
                "lytrace.gpu.memory.delta": int(0.31 * GIB), "lytrace.gpu.memory.peak_exact": name == "vae_decode",
                "lytrace.gpu.time": duration * 0.98 / 1e9,
            }  # fmt: skip
        span = self.span(name, parent, self.now, duration, attributes=attributes, pending=pending)
        self.now += duration + (0 if pending else int(0.4 * MS))
        return span

    def _steps(self, denoise: Span, count: int, ms: float, gpu: bool, broken_from: int | None, *, step_spans: bool) -> None:
        durations = []
        for index in range(count):
            slow = 2.4 if index == 0 else 1.6 if index == 11 else 1
            duration = int(ms * MS * slow * self.rng.uniform(0.94, 1.07))
            durations.append(duration / 1e9)
            timestep = 981 - index * (980 // max(1, count))
            attributes = {
                "lytrace.span.kind": "step", "diffusion.step.index": index, "diffusion.step.timestep": timestep,
                "diffusion.step.sigma": round(14.6 * (1 - index / max(1, count)) ** 2.1 + 0.03, 4),
                "diffusion.latent.mean": self.rng.uniform(-0.1, 0.1), "diffusion.latent.std": 1 + 12 * (1 - index / count) ** 2,
                "diffusion.latent.nonfinite_count": 16384 if broken_from is not None and index >= broken_from else 0,
                "diffusion.component.name": "unet", "lytrace.clock": "device" if gpu else "host",
            }  # fmt: skip
            if gpu:
                attributes |= {"lytrace.gpu.memory.allocated": int(6.9 * GIB), "lytrace.gpu.time": duration * 0.99 / 1e9}
            if step_spans:
                self.span("denoise_step", denoise, self.now, duration, attributes=attributes)
            self.now += duration
        if not step_spans:
            denoise.attributes["diffusion.step.durations"] = durations

    def outputs(self, span: Span, pictures: list[Picture.Image], role: str = "output", *, stored: bool = True) -> None:
        """Attach pictures to a span, with their hashes where they are outputs."""
        for index, picture in enumerate(pictures):
            data = png(picture)
            artifact_id = f"sha256:{hashlib.sha256(data).hexdigest()}"
            if stored:
                self.sample.files[artifact_id] = data
            self.sample.artifacts.append(
                Artifact(
                    artifact_id=artifact_id, trace_id=self.trace_id, span_id=span.span_id, role=role, index=index,
                    mime_type="image/png", size_bytes=len(data), width=picture.width, height=picture.height, stored=stored,
                    pixel_hash=f"px1:{hashlib.sha256(picture.tobytes()).hexdigest()}",
                    phash=f"{random.Random(artifact_id).getrandbits(64):016x}",
                )
            )  # fmt: skip
        if role == "output":
            mine = [one for one in self.sample.artifacts if one.span_id == span.span_id and one.role == role]
            span.attributes["lytrace.artifact.ids"] = [one.artifact_id for one in mine]
            span.attributes["lytrace.image.hashes"] = [one.pixel_hash for one in mine]

    def score(self, name: str, span: Span | None = None, image: int | None = None, **more: Any) -> None:
        """Add a score."""
        span_id = span.span_id if span else ""
        kind = more.pop("kind", "code")
        self.sample.scores.append(
            Score(
                id=score_id(self.trace_id, span_id, image, name, more.get("evaluator", "")), trace_id=self.trace_id,
                span_id=span_id, image_index=image, name=name, annotator_kind=kind,
                scope="trace" if not span_id else "span" if image is None else "image",
                time_unix_nano=self.now + SECOND, **more,
            )
        )  # fmt: skip

    def done(self, root: Span | None = None) -> Sample:
        """Close the root and fill in what lists show."""
        sample, trace = self.sample, self.sample.trace
        if root and not root.pending:
            root.duration_ns = self.now - self.start
        trace.duration_ns = self.now - self.start if trace.state != "running" else 0
        trace.span_count = len(sample.spans)
        trace.error_count = sum(span.status.code == "ERROR" for span in sample.spans)
        return sample


def _messages(prompt: str) -> str:
    import json

    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}])


def _exception(when: int) -> Event:
    stack = (
        "Traceback (most recent call last):\n"
        '  File "/app/studio/render.py", line 88, in render_poster\n    result = pipeline(prompt, num_inference_steps=30)\n'
        '  File "/app/.venv/lib/python3.12/site-packages/diffusers/pipelines/stable_diffusion_xl/pipeline_stable_diffusion_xl.py", '
        "line 1217, in __call__\n    noise_pred = self.unet(\n"
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 139.80 GiB of "
        "which 1.94 GiB is free.\n"
    )
    message = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 139.80 GiB of which 1.94 GiB is free."
    return Event(
        name="exception",
        time_unix_nano=when,
        attributes={"exception.type": "torch.OutOfMemoryError", "exception.message": message, "exception.stacktrace": stack},
    )


def campaign() -> Sample:
    """Four images of one prompt, scored by people, code and a model."""
    b = Builder("render_campaign", 1, ago_s=95)
    root = b.function("render_campaign", 0, attributes={
        "lytrace.input": '{"args": ["a quiet fjord at first light, oil on canvas"], "kwargs": {"images": 4, "style": {"medium": "oil", '
        '"palette": ["ochre", "teal", "umber"]}}}', "lytrace.output": '{"images": 4, "path": "out/fjord"}', "session.id": "spring-campaign"})  # fmt: skip
    b.now += 4 * MS
    plan = b.span("expand_prompt", root, b.now, 31 * MS, attributes={"lytrace.span.kind": "function"})
    b.now += 33 * MS
    made = b.generation(root, "a quiet fjord at first light, oil on canvas, thick impasto, muted teal and ochre",
                        seeds=[101, 102, 103, 104], negative="people, boats, text, watermark, frame")  # fmt: skip
    made.links = [Link(trace_id=b.trace_id, span_id=plan.span_id, attributes={"why": "prompt came from here"})]
    b.span("log_step", made, made.start_time_unix_nano + 400 * MS, 3 * MS, attributes={"lytrace.enclosing.stage": "denoise", "lytrace.enclosing.step": 5})
    b.span("save", root, b.now, 56 * MS, attributes={"lytrace.span.kind": "function", "file.format": "png"}, events=[
        Event(name="file written", time_unix_nano=b.now + 20 * MS, attributes={"bytes": 1_482_113})])  # fmt: skip
    b.now += 58 * MS
    for index, value in enumerate((0.83, 0.71, 0.9, 0.64)):
        b.score("aesthetic", made, index, value=value, min=0, max=1, evaluator="laion-aesthetic 2.5")
        b.score("prompt_match", made, index, label="pass" if index != 3 else "fail", kind="llm", evaluator="vision judge",
                explanation="The canvas texture is there, and no boats are." if index != 3 else "A boat is in the lower left, which the negative prompt forbids.")  # fmt: skip
    b.score("campaign_ready", value=1, label="good", kind="human", identifier="mara", explanation="Image 3 is the one.")
    sample = b.done(root)
    sample.trace.session_id, sample.trace.tags = "spring-campaign", {"team": "brand", "experiment": "impasto"}
    sample.trace.note, sample.trace.starred = "Use image 3 for the cover. Image 4 shows a boat although the negative prompt forbids it.", True
    return sample


def shapes_runs() -> list[Sample]:
    """Small pictures from the shapes model: few pixels, several schedulers, scores of an oracle."""
    samples = []
    wishes = [("circle", "red"), ("square", "royalblue"), ("triangle", "seagreen"), ("circle", "goldenrod")]
    for number, (shape, colour) in enumerate(wishes):
        scheduler = ["DDIMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler", "PNDMScheduler"][number]
        b = Builder("demo.draw", 100 + number, ago_s=300 + 40 * number, resource={"service.name": "shapes-demo", "hw.name": "AMD EPYC (2 cores)"})
        root = b.function("demo.draw", 0)
        seeds = [7 + number, 8 + number, 9 + number]
        made = b.generation(root, f"a {colour} {shape} on a white background", seeds=seeds, model="shapes", steps=20, step_ms=41, size=64,
                            scheduler=scheduler, device="cpu", pictures=[shapes(shape, colour, seed) for seed in seeds])  # fmt: skip
        for index in range(3):
            right = (number + index) % 4 != 3
            b.score("oracle", made, index, value=float(right), label="correct" if right else "wrong", evaluator="shapes oracle")
        samples.append(b.done(root))
    return samples


def running() -> Sample:
    """17 of 30 steps done."""
    b = Builder("render_poster", 2, ago_s=1.2, state="running")
    root = b.function("render_poster", 0, pending=True)
    b.generation(root, "a lighthouse in a storm, long exposure", seeds=[77], steps=30, ran=17, pending=True)
    return b.done(root)


def failing() -> Sample:
    """Out of memory at step 12."""
    b = Builder("render_poster", 3, ago_s=620, state="error")
    root = b.function("render_poster", 0)
    event = _exception(b.now + 800 * MS)
    b.generation(root, "a city of glass towers at night, ultra wide, 8k", seeds=[5150], ran=12, size=2048, failed=event)
    root.status, root.events = Status(code="ERROR", message=event.attributes["exception.message"]), [event]
    b.sample.trace.status_message = event.attributes["exception.message"]
    return b.done(root)


def lost() -> Sample:
    """The program was killed."""
    b = Builder("nightly_batch", 4, ago_s=5400, state="lost")
    root = b.function("nightly_batch", 0, pending=True)
    b.generation(root, "botanical plate of a foxglove, 1890s lithograph", seeds=[12], pending=False)
    b.generation(root, "botanical plate of a hellebore, 1890s lithograph", seeds=[13], ran=9, pending=True)
    sample = b.done(root)
    sample.trace.incomplete = {"images": 2, "attributes": 1}
    return sample


def long_batch() -> Sample:
    """600 spans: ten generations in one trace."""
    b = Builder("sweep_guidance", 5, ago_s=2400)
    root = b.function("sweep_guidance", 0)
    for index in range(10):
        made = b.generation(root, "a heron over a flooded field, woodblock print", seeds=[900 + index], steps=54, step_ms=58, size=768)
        b.score("aesthetic", made, 0, value=0.42 + 0.05 * index, min=0, max=1, evaluator="laion-aesthetic 2.5")
    return b.done(root)


def hostile() -> Sample:
    """Strings that would like to run, in every field that has text."""
    b = Builder(HOSTILE[0], 6, ago_s=3000, state="error", resource={"service.name": HOSTILE[2]})
    root = b.function(HOSTILE[0], 0, attributes={
        HOSTILE[0]: HOSTILE[1], "url": HOSTILE[1], "href": "data:text/html,<script>window.pwned=3</script>",
        "lytrace.input": '{"<img src=x onerror=window.pwned=4>": "javascript:window.pwned=5"}', "lytrace.output": HOSTILE[2]})  # fmt: skip
    made = b.generation(root, HOSTILE[0], seeds=[1], model=HOSTILE[1], scheduler=HOSTILE[2], negative=HOSTILE[3], device="cpu", steps=4)
    made.attributes["diffusion.pipeline.class"] = 'X(); import os; os.system("true") #'
    root.events = [Event(name="exception", time_unix_nano=b.now, attributes={
        "exception.type": HOSTILE[0], "exception.message": HOSTILE[2], "exception.stacktrace": HOSTILE[2] + HOSTILE[1]}),
        Event(name=HOSTILE[0], time_unix_nano=b.now, attributes={HOSTILE[1]: HOSTILE[0]})]  # fmt: skip
    root.status = Status(code="ERROR", message=HOSTILE[2])
    b.score(HOSTILE[0], made, 0, label=HOSTILE[1], explanation=HOSTILE[2], kind="human", identifier=HOSTILE[0])
    sample = b.done(root)
    sample.trace.note, sample.trace.tags = HOSTILE[0] + HOSTILE[1], {HOSTILE[0]: HOSTILE[1]}
    sample.trace.status_message, sample.trace.session_id = HOSTILE[2], HOSTILE[3]
    sample.artifacts[0].mime_type = "image/png"
    return sample


def remote() -> Sample:
    """A hosted model: no stages, a price."""
    b = Builder("compare_models", 7, ago_s=4000)
    root = b.function("compare_models", 0)
    b.now += 2 * MS
    prompt = "a bowl of lemons, but no knife on the table"
    made = b.span("generate_content gpt-image-1", root, b.now, 11_840 * MS, kind="CLIENT", attributes={
        "gen_ai.operation.name": "generate_content", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-image-1",
        "gen_ai.output.type": "image", "gen_ai.input.messages": _messages(prompt), "gen_ai.usage.input_tokens": 21,
        "gen_ai.usage.output_tokens": 4160, "server.address": "api.openai.com", "server.port": 443, "lytrace.cost.usd": 0.167})  # fmt: skip
    b.now += 11_845 * MS
    b.outputs(made, [landscape(4, 512, 384)])
    b.span("chat gpt-4o", root, b.now, 1_930 * MS, kind="CLIENT", attributes={
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "lytrace.role": "judge",
        "gen_ai.usage.input_tokens": 912, "gen_ai.usage.output_tokens": 48})  # fmt: skip
    b.now += 1_935 * MS
    b.score("negation_leak", made, 0, value=0, label="pass", kind="llm", evaluator="gpt-4o judge", explanation="No knife is visible.")
    sample = b.done(root)
    sample.trace.model, sample.trace.prompt, sample.trace.provider, sample.trace.cost_usd = "gpt-image-1", prompt, "openai", 0.1712
    return sample


def edit() -> Sample:
    """Image to image: input, mask, previews."""
    b = Builder("inpaint_sky", 8, ago_s=9000)
    root = b.function("inpaint_sky", 0)
    made = b.generation(root, "replace the sky with a heavy thunderstorm", seeds=[31], steps=24, size=768)
    made.attributes["diffusion.strength"] = 0.75
    source = landscape(9, 384, 384)
    b.outputs(root, [source], "input")
    b.outputs(root, [Picture.new("L", (384, 384), 0).convert("RGB")], "mask")
    b.outputs(made, [noised(landscape(31, 192, 192), share, 1) for share in (0.9, 0.7, 0.5, 0.3, 0.12)], "preview")
    return b.done(root)


def black() -> Sample:
    """Latents stop being finite at step 9."""
    b = Builder("generate_tiles", 9, ago_s=14_000)
    root = b.function("generate_tiles", 0)
    made = b.generation(root, "seamless marble texture, grey veins", seeds=[64], steps=25, broken_from=9, pictures=[Picture.new("RGB", (512, 512))])
    b.score("usable", made, 0, label="bad", value=0, kind="human", identifier="jonas", explanation="All black.")
    return b.done(root)


def variety() -> Sample:
    """Twelve seeds of one prompt; the last picture's bytes have not arrived."""
    b = Builder("seed_variety", 10, ago_s=20_000)
    root = b.function("seed_variety", 0)
    seeds = [3, 8, 14, 19, 25, 36, 41, 47, 58, 62, 70, 81]
    b.generation(root, "desert road seen from above, gouache", seeds=seeds, steps=28)
    last = b.sample.artifacts[-1]
    last.stored = False
    del b.sample.files[last.artifact_id]
    return b.done(root)


def summary_only() -> Sample:
    """A thousand steps, kept as arrays on the denoise span."""
    b = Builder("train_preview", 11, ago_s=86_400 * 2)
    root = b.function("train_preview", 0)
    b.generation(root, "a red square above a blue circle", seeds=[1], model="shapes", steps=1000, step_ms=9, size=64, device="cpu",
                 scheduler="DDPMScheduler", pictures=[shapes("square", "crimson", 1)], step_spans=False)  # fmt: skip
    return b.done(root)


def older(count: int) -> list[Sample]:
    """More traces, so that lists have a second page."""
    prompts = ["a paper boat on a puddle", "an orchard under snow", "a harbour crane, risograph", "night train, linocut"]
    samples = []
    for number in range(count):
        b = Builder("api.generate", 200 + number, ago_s=86_400 * 3 + 900 * number, resource={"service.name": "api"})
        b.generation(None, prompts[number % 4], seeds=[400 + number], steps=8, size=512, model="black-forest-labs/FLUX.1-schnell",
                     scheduler="FlowMatchEulerDiscreteScheduler")  # fmt: skip
        samples.append(b.done(b.sample.spans[0]))
    return samples


def everything() -> list[Sample]:
    """All samples, newest first."""
    samples = [running(), campaign(), *shapes_runs(), failing(), long_batch(), hostile(), remote(), lost(), edit(), black(), variety()]
    return [*samples, summary_only(), *older(48)]


def huge(span_count: int) -> Sample:
    """One trace of `span_count` spans, for the tree's window."""
    b = Builder("huge", 999, ago_s=60)
    root = b.function("huge", 0)
    parent = root
    for number in range(span_count - 1):
        if number % 100 == 0:
            parent = b.span(f"batch {number // 100}", root, b.now, 100 * MS, attributes={"lytrace.span.kind": "function"})
        else:
            b.span(f"item {number}", parent, b.now, MS)
            b.now += MS
    return b.done(root)
