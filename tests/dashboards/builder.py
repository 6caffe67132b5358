"""Builds a trace span by span from the API's own models, with pictures, hashes and scores."""

import hashlib
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any

from PIL import Image as Picture

from lytrace.models import Artifact, Event, Scope, Score, Span, Status, Trace
from lytrace.scores import score_id
from tests.dashboards.drawings import landscape, png

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


@dataclass
class Sample:
    """A trace with everything that a program would send of it; `progress` has steps done and asked for by span."""

    trace: Trace
    spans: list[Span] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    progress: dict[str, tuple[int, int]] = field(default_factory=dict)


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
                trace_id=self.trace_id,
                name=name,
                state=state,
                start_time_unix_nano=self.start,
                duration_ns=0,
                service_name=self.resource["service.name"],
            )
        )

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
            "gen_ai.input.messages": messages_json(prompt),
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
        self._describe(span, prompt, model, steps)
        if pending:
            self.sample.progress[span.span_id] = (ran or 0, steps)
            return span
        self._stage(span, 0, "text_encode", 38 if gpu else 61, "text_encoder", "CLIPTextModel", gpu)
        denoise = self._stage(span, 1, "denoise", 0, "unet", "UNet2DConditionModel", gpu)
        self._steps(denoise, ran if ran is not None else steps, step_ms, gpu, broken_from, step_spans=step_spans)
        denoise.duration_ns = self.now - denoise.start_time_unix_nano
        if gpu:
            denoise.attributes["lytrace.gpu.time"] = denoise.duration_ns * 0.99 / 1e9
        if failed:
            span.status, span.events = Status(code="ERROR", message=str(failed.attributes["exception.message"])), [failed]
            denoise.status = span.status
        else:
            self._stage(span, 2, "vae_decode", 148 if gpu else 190, "vae", "AutoencoderKL", gpu)
            self._stage(span, 3, "postprocess", 21, "image_processor", "VaeImageProcessor", gpu)
            self.outputs(span, pictures or [landscape(seed, size // 2, size // 2) for seed in seeds])
        span.duration_ns = self.now - begin
        if gpu:
            peak = int(9.4 * GIB) + len(seeds) * (GIB >> 2)
            attributes |= {
                "lytrace.gpu.memory.peak": peak,
                "lytrace.gpu.time": span.duration_ns * 0.97 / 1e9,
                "lytrace.clock": "device",
            }
        return span

    def _describe(self, span: Span, prompt: str, model: str, steps: int) -> None:
        trace = self.sample.trace
        trace.prompt, trace.model = trace.prompt or prompt, model

    def _stage(self, parent: Span, index: int, name: str, ms: float, component: str, cls: str, gpu: bool) -> Span:
        duration = int(ms * MS * self.rng.uniform(0.9, 1.1))
        attributes = {
            "lytrace.span.kind": "stage",
            "lytrace.stage.name": name,
            "lytrace.stage.index": index,
            "diffusion.component.name": component,
            "diffusion.component.class": cls,
            "lytrace.clock": "device" if gpu else "host",
        }
        if gpu:
            attributes |= {
                "lytrace.gpu.memory.allocated": int(6.9 * GIB),
                "lytrace.gpu.memory.peak": int((7 + index) * GIB),
                "lytrace.gpu.memory.delta": int(0.31 * GIB),
                "lytrace.gpu.memory.peak_exact": name == "vae_decode",
                "lytrace.gpu.time": duration * 0.98 / 1e9,
            }
        span = self.span(name, parent, self.now, duration, attributes=attributes)
        self.now += duration + int(0.4 * MS)
        return span

    def _steps(self, denoise: Span, count: int, ms: float, gpu: bool, broken_from: int | None, *, step_spans: bool) -> None:
        durations = []
        for index in range(count):
            slow = 2.4 if index == 0 else 1.6 if index == 11 else 1
            duration = int(ms * MS * slow * self.rng.uniform(0.94, 1.07))
            durations.append(duration / 1e9)
            timestep = 981 - index * (980 // max(1, count))
            attributes = {
                "lytrace.span.kind": "step",
                "diffusion.step.index": index,
                "diffusion.step.timestep": timestep,
                "diffusion.step.sigma": round(14.6 * (1 - index / max(1, count)) ** 2.1 + 0.03, 4),
                "diffusion.latent.mean": self.rng.uniform(-0.1, 0.1),
                "diffusion.latent.std": 1 + 12 * (1 - index / count) ** 2,
                "diffusion.latent.nonfinite_count": 16384 if broken_from is not None and index >= broken_from else 0,
                "diffusion.component.name": "unet",
                "lytrace.clock": "device" if gpu else "host",
            }
            if gpu:
                attributes |= {"lytrace.gpu.memory.allocated": int(6.9 * GIB), "lytrace.gpu.time": duration * 0.99 / 1e9}
            if step_spans:
                self.span("denoise_step", denoise, self.now, duration, attributes=attributes)
            self.now += duration
        if not step_spans:
            denoise.attributes |= {"diffusion.step.durations": durations, "diffusion.step.count": count}

    def outputs(self, span: Span, pictures: list[Picture.Image], role: str = "output", *, stored: bool = True) -> None:
        """Attach pictures to a span, with their hashes where they are outputs."""
        for index, picture in enumerate(pictures):
            data = png(picture)
            artifact_id = f"sha256:{hashlib.sha256(data).hexdigest()}"
            if stored:
                self.sample.files[artifact_id] = data
            self.sample.artifacts.append(
                Artifact(
                    artifact_id=artifact_id,
                    trace_id=self.trace_id,
                    span_id=span.span_id,
                    role=role,
                    index=index,
                    mime_type="image/png",
                    size_bytes=len(data),
                    width=picture.width,
                    height=picture.height,
                    stored=stored,
                    pixel_hash=f"px1:{hashlib.sha256(picture.tobytes()).hexdigest()}",
                    phash=f"{random.Random(artifact_id).getrandbits(64):016x}",
                )
            )
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
                id=score_id(self.trace_id, span_id, image, name, more.get("evaluator", "")),
                trace_id=self.trace_id,
                span_id=span_id,
                image_index=image,
                name=name,
                annotator_kind=kind,
                scope="trace" if not span_id else "span" if image is None else "image",
                time_unix_nano=self.now + SECOND,
                **more,
            )
        )

    def done(self, root: Span | None = None) -> Sample:
        """Close the root."""
        if root and not root.pending:
            root.duration_ns = self.now - self.start
        return self.sample


def messages_json(prompt: str) -> str:
    """``gen_ai.input.messages`` of one prompt."""
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}])
