"""OTLP bodies as lytrace's SDK sends them: traces of image generations with stages, steps, device times and statistics.

Everything is drawn from a seeded generator, so that two runs send the same bytes.
"""

import hashlib
import json
import random
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, Status, TracesData

from lytrace import semconv

STEPS = 20
SPANS_A_TRACE = STEPS + 6
_SUBJECTS = (
    "bicycle",
    "lighthouse",
    "fox",
    "teapot",
    "astronaut",
    "violin",
    "harbour",
    "tram",
    "owl",
    "orchard",
    "robot",
    "canal",
)
_STYLES = ("oil painting", "photograph", "line drawing", "watercolour", "isometric render", "poster", "macro shot", "linocut")
_COLOURS = ("red", "blue", "green", "golden", "black and white", "pastel", "violet", "orange", "silver")
_PLACES = ("by the sea", "in the snow", "at night", "in a library", "under a bridge", "on Mars", "in the fog", "at noon")
MODELS = ("stable-diffusion-xl-base-1.0", "FLUX.1-dev", "stable-diffusion-3.5-medium", "shapes-64")
_RESOURCE = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.42.0",
    semconv.SERVICE_NAME: "poster",
    "process.pid": 4711,
    "process.runtime.name": "cpython",
    "process.runtime.version": "3.11.7",
    "process.executable.name": "python",
    "host.name": "render-7",
    "host.arch": "x86_64",
    semconv.VERSION: "0.1.0",
    semconv.PROCESS_UUID: "145b9435b4a44f538cf6857f65600de1",
    semconv.LIB_VERSION.format(library="torch"): "2.9.0",
    semconv.LIB_VERSION.format(library="diffusers"): "0.42.0",
    semconv.HW_NAME: "NVIDIA H100 80GB HBM3",
}


class Traffic:
    """Makes traces, one after another, ``spacing_ns`` apart from ``start_ns`` on, with so many ``images`` each, in turn."""

    def __init__(
        self,
        seed: int = 1,
        *,
        start_ns: int = 1_790_000_000_000_000_000,
        spacing_ns: int = 50_000_000,
        images: Sequence[int] = (1,),
    ) -> None:
        self._random = random.Random(seed)
        self._images = images
        self._start_ns = start_ns
        self._spacing_ns = spacing_ns
        self._count = 0

    def bodies(self, traces_a_body: int = 20) -> Iterator[tuple[bytes, list[bytes]]]:
        """Request bodies without end, each with the ids of its traces."""
        while True:
            spans: list[Span] = []
            ids = []
            for _ in range(traces_a_body):
                trace = self.trace()
                ids.append(trace[0].trace_id)
                spans += trace
            yield body_of(spans), ids

    def trace(self, steps: int = STEPS) -> list[Span]:
        """One trace of ``steps + 6`` spans, in the order in which they end."""
        draw = self._random
        trace_id = draw.randbytes(16)
        began = self._start_ns + self._count * self._spacing_ns
        self._count += 1
        common = {
            semconv.SESSION_ID: f"s-{self._count // 40}",
            semconv.USER_ID: f"user-{draw.randrange(50)}",
            semconv.TAGS_PREFIX + "project": "poster",
        }
        prompt = f"a {draw.choice(_COLOURS)} {draw.choice(_SUBJECTS)} {draw.choice(_PLACES)}, {draw.choice(_STYLES)}"
        root, generation, denoise = (draw.randbytes(8) for _ in range(3))
        step_ns = draw.randrange(40_000_000, 60_000_000)
        at = began + 90_000_000
        spans = []
        for index in range(steps):
            spans.append(
                _span(trace_id, denoise, semconv.SPAN_DENOISE_STEP, at, step_ns, self._step(index, steps) | common, draw)
            )
            at += step_ns + draw.randrange(200_000)
        denoise_ns = at - began - 80_000_000
        stages = (
            (semconv.STAGE_TEXT_ENCODE, "text_encoder", "CLIPTextModel", began + 5_000_000, 60_000_000, draw.randbytes(8)),
            (semconv.STAGE_DENOISE, "unet", "UNet2DConditionModel", began + 80_000_000, denoise_ns, denoise),
            (semconv.STAGE_VAE_DECODE, "vae", "AutoencoderKL", at, 120_000_000, draw.randbytes(8)),
            (semconv.STAGE_POSTPROCESS, "image_processor", "VaeImageProcessor", at + 121_000_000, 9_000_000, draw.randbytes(8)),
        )
        for index, (name, component, kind, start, lasts, span_id) in enumerate(stages):
            spans.append(
                _span(trace_id, generation, name, start, lasts, self._stage(index, name, component, kind) | common, draw, span_id)
            )
        lasts = at + 132_000_000 - began
        model = draw.choice(MODELS)
        made = self._generation(prompt, model, steps) | common
        spans.append(
            _span(trace_id, root, f"generate_content {model}", began + 1_000_000, lasts - 2_000_000, made, draw, generation)
        )
        function = {
            semconv.SPAN_KIND: semconv.KIND_FUNCTION,
            semconv.CODE_FUNCTION_NAME: "studio.poster",
            semconv.INPUT: json.dumps({"prompt": prompt, "seed": draw.randrange(10_000)}),
            semconv.OUTPUT: json.dumps({"type": "PIL.Image.Image", "size": [1024, 1024]}),
            **common,
        }
        spans.append(_span(trace_id, b"", "poster", began, lasts, function, draw, root))
        return spans

    def _step(self, index: int, steps: int) -> dict[str, Any]:
        draw = self._random
        return {
            semconv.SPAN_KIND: semconv.KIND_STEP,
            semconv.DIFFUSION_STEP_INDEX: index,
            semconv.DIFFUSION_STEP_TIMESTEP: float(999 - index * 1000 // steps),
            semconv.DIFFUSION_COMPONENT_NAME: "unet",
            semconv.CLOCK: semconv.CLOCK_DEVICE,
            semconv.DIFFUSION_LATENT_MEAN: single(draw.gauss(0, 0.05)),
            semconv.DIFFUSION_LATENT_STD: single(draw.gauss(1, 0.03)),
            semconv.DIFFUSION_LATENT_MIN: single(draw.gauss(-3.5, 0.3)),
            semconv.DIFFUSION_LATENT_MAX: single(draw.gauss(3.5, 0.3)),
            semconv.DIFFUSION_LATENT_NONFINITE_COUNT: 0,
            **self._device(),
        }

    def _device(self) -> dict[str, Any]:
        draw = self._random
        return {
            semconv.GPU_TIME: single(draw.uniform(0.04, 0.06)),
            semconv.GPU_MEMORY_ALLOCATED: 6_979_321_856 + 512 * draw.randrange(4),
            semconv.GPU_MEMORY_RESERVED: 9_126_805_504,
            semconv.GPU_MEMORY_PEAK: 8_153_726_976 + 512 * draw.randrange(64),
            semconv.GPU_MEMORY_DELTA: 512 * draw.randrange(4),
            semconv.GPU_MEMORY_PEAK_EXACT: True,
        }

    def _stage(self, index: int, name: str, component: str, kind: str) -> dict[str, Any]:
        return {
            semconv.CLOCK: semconv.CLOCK_DEVICE,
            semconv.DIFFUSION_COMPONENT_NAME: component,
            semconv.DIFFUSION_COMPONENT_CLASS: kind,
            semconv.SPAN_KIND: semconv.KIND_STAGE,
            semconv.STAGE_NAME: name,
            semconv.STAGE_INDEX: index,
            **self._device(),
        }

    def _generation(self, prompt: str, model: str, steps: int) -> dict[str, Any]:
        draw = self._random
        count = self._images[self._count % len(self._images)]
        digests = [hashlib.sha256(draw.randbytes(16)).hexdigest() for _ in range(count)]
        return {
            semconv.SPAN_KIND: semconv.KIND_GENERATION,
            semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_GENERATE_CONTENT,
            semconv.GEN_AI_PROVIDER_NAME: "diffusers",
            semconv.GEN_AI_REQUEST_MODEL: model,
            semconv.GEN_AI_OUTPUT_TYPE: semconv.OUTPUT_TYPE_IMAGE,
            semconv.GEN_AI_REQUEST_SEED: draw.randrange(2**32),
            semconv.DIFFUSION_PIPELINE_CLASS: "StableDiffusionXLPipeline",
            semconv.DIFFUSION_SCHEDULER_CLASS: draw.choice(("EulerDiscreteScheduler", "DDIMScheduler")),
            semconv.DIFFUSION_NUM_INFERENCE_STEPS: steps,
            semconv.DIFFUSION_STEP_COUNT: steps,
            semconv.DIFFUSION_GUIDANCE_SCALE: 7.5,
            semconv.DIFFUSION_WIDTH: 1024,
            semconv.DIFFUSION_HEIGHT: 1024,
            semconv.DIFFUSION_DTYPE: "float16",
            semconv.DIFFUSION_DEVICE: "cuda:0",
            semconv.DIFFUSION_SEEDS: [draw.randrange(2**32)],
            semconv.DIFFUSION_GENERATOR_FRESH: True,
            semconv.GEN_AI_INPUT_MESSAGES: json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}]),
            semconv.ARTIFACT_IDS: [f"sha256:{digest}" for digest in digests],
            semconv.IMAGE_HASHES: [f"px1:{digest[::-1]}" for digest in digests],
            semconv.IMAGE_PHASHES: [f"{zlib.crc32(digest.encode()):08x}{digest[8:16]}" for digest in digests],
            **self._device(),
        }


def body_of(spans: list[Span]) -> bytes:
    """An ``ExportTraceServiceRequest`` of one resource and one scope."""
    group = ResourceSpans()
    group.resource.attributes.extend(key_values(_RESOURCE))
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "lytrace", "0.1.0"
    scope.spans.extend(spans)
    return TracesData(resource_spans=[group]).SerializeToString()


def single(number: float) -> float:
    """As a tensor of single precision gives it."""
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def key_values(plain: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in plain.items()]


def _span(
    trace_id: bytes,
    parent: bytes,
    name: str,
    start: int,
    lasts: int,
    attributes: dict[str, Any],
    draw: random.Random,
    span_id: bytes = b"",
) -> Span:
    return Span(
        trace_id=trace_id,
        span_id=span_id or draw.randbytes(8),
        parent_span_id=parent,
        name=name,
        kind=Span.SPAN_KIND_INTERNAL,
        flags=257,
        start_time_unix_nano=start,
        end_time_unix_nano=start + lasts,
        attributes=key_values(attributes),
        status=Status(),
    )


def _value(plain: Any) -> AnyValue:
    if isinstance(plain, bool):
        return AnyValue(bool_value=plain)
    if isinstance(plain, int):
        return AnyValue(int_value=plain)
    if isinstance(plain, float):
        return AnyValue(double_value=plain)
    if isinstance(plain, list):
        return AnyValue(array_value=ArrayValue(values=[_value(item) for item in plain]))
    return AnyValue(string_value=plain)
