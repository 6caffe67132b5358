"""Traces of every kind and state. Times count back from the moment of building."""

from PIL import Image as Picture

from lytrace.models import Event, Link, Status
from tests.dashboards.builder import MS, Builder, Sample, messages_json
from tests.dashboards.drawings import landscape, noised, shapes

HOSTILE = [
    "<img src=x onerror=\"window.pwned='prompt'\">",
    "javascript:window.pwned='link'",
    "</script><script>window.pwned='script'</script>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "\u202egnp.exe\u0000 \U0001f600 '\"`${window.pwned=2}`",
]


def _exception(when: int) -> Event:
    stack = (
        "Traceback (most recent call last):\n"
        '  File "/app/studio/render.py", line 88, in render_poster\n    result = pipeline(prompt, num_inference_steps=30)\n'
        '  File "/app/.venv/lib/python3.12/site-packages/diffusers/pipelines/stable_diffusion_xl/'
        'pipeline_stable_diffusion_xl.py", line 1217, in __call__\n    noise_pred = self.unet(\n'
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 139.80 GiB of "
        "which 1.94 GiB is free.\n"
    )
    message = (
        "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 139.80 GiB of which 1.94 GiB is free."
    )
    return Event(
        name="exception",
        time_unix_nano=when,
        attributes={"exception.type": "torch.OutOfMemoryError", "exception.message": message, "exception.stacktrace": stack},
    )


OBSERVED = ("A boat is in the lower left, which the negative prompt forbids.", "The canvas texture is there, and no boats are.")


def campaign() -> Sample:
    """Four images of one prompt, scored by people, code and a model."""
    b = Builder("render_campaign", 1, ago_s=95)
    root = b.function(
        "render_campaign",
        0,
        attributes={
            "lytrace.input": '{"args": ["a quiet fjord at first light, oil on canvas"], "kwargs": {"images": 4, '
            '"style": {"medium": "oil", "palette": ["ochre", "teal", "umber"]}}}',
            "lytrace.output": '{"images": 4, "path": "out/fjord"}',
            "session.id": "spring-campaign",
        },
    )
    b.now += 4 * MS
    plan = b.span("expand_prompt", root, b.now, 31 * MS, attributes={"lytrace.span.kind": "function"})
    b.now += 33 * MS
    made = b.generation(
        root,
        "a quiet fjord at first light, oil on canvas, thick impasto, muted teal and ochre",
        seeds=[101, 102, 103, 104],
        negative="people, boats, text, watermark, frame",
    )
    made.links = [Link(trace_id=b.trace_id, span_id=plan.span_id, attributes={"why": "prompt came from here"})]
    b.span(
        "log_step",
        made,
        made.start_time_unix_nano + 400 * MS,
        3 * MS,
        attributes={"lytrace.enclosing.stage": "denoise", "lytrace.enclosing.step": 5},
    )
    b.span(
        "save",
        root,
        b.now,
        56 * MS,
        attributes={"lytrace.span.kind": "function", "file.format": "png"},
        events=[Event(name="file written", time_unix_nano=b.now + 20 * MS, attributes={"bytes": 1_482_113})],
    )
    b.now += 58 * MS
    for index, value in enumerate((0.83, 0.71, 0.9, 0.64)):
        b.score("aesthetic", made, index, value=value, min=0, max=1, evaluator="laion-aesthetic 2.5")
        b.score(
            "prompt_match",
            made,
            index,
            label="pass" if index != 3 else "fail",
            kind="llm",
            evaluator="vision judge",
            explanation=OBSERVED[index != 3],
        )
    b.score("campaign_ready", value=1, label="good", kind="human", identifier="mara", explanation="Image 3 is the one.")
    sample = b.done(root)
    sample.trace.tags = {"team": "brand", "experiment": "impasto"}
    sample.trace.note, sample.trace.starred = (
        "Use image 3 for the cover. Image 4 shows a boat although the negative prompt forbids it.",
        True,
    )
    return sample


def shapes_runs() -> list[Sample]:
    """Small pictures from the shapes model: few pixels, several schedulers, scores of an oracle."""
    samples = []
    wishes = [("circle", "red"), ("square", "royalblue"), ("triangle", "seagreen"), ("circle", "goldenrod")]
    for number, (shape, colour) in enumerate(wishes):
        scheduler = ["DDIMScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler", "PNDMScheduler"][number]
        b = Builder(
            "demo.draw",
            100 + number,
            ago_s=300 + 40 * number,
            resource={"service.name": "shapes-demo", "hw.name": "AMD EPYC (2 cores)"},
        )
        root = b.function("demo.draw", 0)
        seeds = [7 + number, 8 + number, 9 + number]
        made = b.generation(
            root,
            f"a {colour} {shape} on a white background",
            seeds=seeds,
            model="shapes",
            steps=20,
            step_ms=41,
            size=64,
            scheduler=scheduler,
            device="cpu",
            pictures=[shapes(shape, colour, seed) for seed in seeds],
        )
        for index in range(3):
            right = (number + index) % 4 != 3
            b.score("oracle", made, index, value=float(right), label="correct" if right else "wrong", evaluator="shapes oracle")
        samples.append(b.done(root))
    return samples


def running(*, finished: bool = False) -> Sample:
    """17 of 30 steps done; or the same trace once it has ended."""
    b = Builder("render_poster", 2, ago_s=1.2, state="ok" if finished else "running")
    root = b.function("render_poster", 0, pending=not finished)
    b.generation(
        root, "a lighthouse in a storm, long exposure", seeds=[77], steps=30, ran=30 if finished else 17, pending=not finished
    )
    return b.done(root)


def failing() -> Sample:
    """Out of memory at step 12."""
    b = Builder("render_poster", 3, ago_s=620, state="error")
    root = b.function("render_poster", 0)
    event = _exception(b.now + 800 * MS)
    b.generation(root, "a city of glass towers at night, ultra wide, 8k", seeds=[5150], ran=12, size=2048, failed=event)
    root.status, root.events = Status(code="ERROR", message=event.attributes["exception.message"]), [event]
    return b.done(root)


def recovered() -> Sample:
    """A generation failed, the program tried again, and the trace ended well."""
    b = Builder("draw_with_retry", 31, ago_s=90)
    root = b.function("draw_with_retry", 0)
    event = _exception(b.now + 400 * MS)
    b.generation(root, "a lantern in fog, gouache", seeds=[7], ran=3, size=2048, failed=event)
    b.generation(root, "a lantern in fog, gouache", seeds=[7], size=1024)
    return b.done(root)


def lost() -> Sample:
    """The program was killed."""
    b = Builder("nightly_batch", 4, ago_s=5400, state="lost")
    root = b.function("nightly_batch", 0, pending=True)
    b.generation(root, "botanical plate of a foxglove, 1890s lithograph", seeds=[12], pending=False)
    b.generation(root, "botanical plate of a hellebore, 1890s lithograph", seeds=[13], ran=9, pending=True)
    b.sample.spans[1].attributes["lytrace.images.dropped"] = 2
    return b.done(root)


def long_batch() -> Sample:
    """600 spans: ten generations in one trace."""
    b = Builder("sweep_guidance", 5, ago_s=2400)
    root = b.function("sweep_guidance", 0)
    for index in range(10):
        made = b.generation(
            root, "a heron over a flooded field, woodblock print", seeds=[900 + index], steps=54, step_ms=58, size=768
        )
        b.score("aesthetic", made, 0, value=0.42 + 0.05 * index, min=0, max=1, evaluator="laion-aesthetic 2.5")
    return b.done(root)


def hostile() -> Sample:
    """Strings that would like to run, in every field that has text."""
    b = Builder(HOSTILE[0], 6, ago_s=3000, state="error", resource={"service.name": HOSTILE[2]})
    root = b.function(
        HOSTILE[0],
        0,
        attributes={
            HOSTILE[0]: HOSTILE[1],
            "url": HOSTILE[1],
            "href": "data:text/html,<script>window.pwned=3</script>",
            "lytrace.input": '{"<img src=x onerror=window.pwned=4>": "javascript:window.pwned=5"}',
            "lytrace.output": HOSTILE[2],
            "session.id": HOSTILE[3],
        },
    )
    made = b.generation(
        root, HOSTILE[0], seeds=[1], model=HOSTILE[1], scheduler=HOSTILE[2], negative=HOSTILE[3], device="cpu", steps=4
    )
    made.attributes["diffusion.pipeline.class"] = 'X(); import os; os.system("true") #'
    root.events = [
        Event(
            name="exception",
            time_unix_nano=b.now,
            attributes={
                "exception.type": HOSTILE[0],
                "exception.message": HOSTILE[2],
                "exception.stacktrace": HOSTILE[2] + HOSTILE[1],
            },
        ),
        Event(name=HOSTILE[0], time_unix_nano=b.now, attributes={HOSTILE[1]: HOSTILE[0]}),
    ]
    root.status = Status(code="ERROR", message=HOSTILE[2])
    b.score(HOSTILE[0], made, 0, label=HOSTILE[1], explanation=HOSTILE[2], kind="human", identifier=HOSTILE[0])
    sample = b.done(root)
    sample.trace.note, sample.trace.tags = HOSTILE[0] + HOSTILE[1], {HOSTILE[0]: HOSTILE[1]}
    return sample


def odd() -> Sample:
    """Attributes of the right names and the wrong types."""
    b = Builder("odd_types", 12, ago_s=3100)
    made = b.generation(None, "a prompt", seeds=[5], device="cpu", steps=4)
    made.attributes |= {
        "diffusion.seeds": "not a list",
        "diffusion.num_inference_steps": "twenty",
        "diffusion.guidance_scale": True,
        "diffusion.width": [1, 2],
        "diffusion.lora.names": 7,
        "diffusion.negative_prompt": ["no fog", "no rain"],
        "gen_ai.input.messages": '[null, 3, {"role": "user", "parts": [null, "plain", {"type": "text"}]}]',
        "gen_ai.output.messages": '{"role": 1',
        "lytrace.gpu.time": "fast",
        "lytrace.span.kind": "generation",
    }
    for span in b.sample.spans:
        if span.name == "denoise_step":
            span.attributes |= {"diffusion.step.index": "first", "diffusion.step.sigma": "NaN", "diffusion.latent.std": [1.0]}
        if span.name == "denoise":
            span.attributes |= {"lytrace.gpu.memory.peak": "much", "diffusion.step.durations": "none"}
    return b.done(b.sample.spans[0])


def remote() -> Sample:
    """A hosted model: no stages, a price."""
    b = Builder("compare_models", 7, ago_s=4000)
    root = b.function("compare_models", 0)
    b.now += 2 * MS
    prompt = "a bowl of lemons, but no knife on the table"
    made = b.span(
        "generate_content gpt-image-1",
        root,
        b.now,
        11_840 * MS,
        kind="CLIENT",
        attributes={
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-image-1",
            "gen_ai.output.type": "image",
            "gen_ai.input.messages": messages_json(prompt),
            "gen_ai.usage.input_tokens": 21,
            "gen_ai.usage.output_tokens": 4160,
            "server.address": "api.openai.com",
            "server.port": 443,
            "lytrace.cost.usd": 0.167,
            "lytrace.span.kind": "generation",
        },
    )
    b.now += 11_845 * MS
    b.outputs(made, [landscape(4, 512, 384)])
    b.span(
        "chat gpt-4o",
        root,
        b.now,
        1_930 * MS,
        kind="CLIENT",
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "lytrace.role": "judge",
            "gen_ai.usage.input_tokens": 912,
            "gen_ai.usage.output_tokens": 48,
        },
    )
    b.now += 1_935 * MS
    b.score(
        "negation_leak", made, 0, value=0, label="pass", kind="llm", evaluator="gpt-4o judge", explanation="No knife is visible."
    )
    return b.done(root)


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
    made = b.generation(
        root,
        "seamless marble texture, grey veins",
        seeds=[64],
        steps=25,
        broken_from=9,
        pictures=[Picture.new("RGB", (512, 512))],
    )
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
    b.generation(
        root,
        "a red square above a blue circle",
        seeds=[1],
        model="shapes",
        steps=1000,
        step_ms=9,
        size=64,
        device="cpu",
        scheduler="DDPMScheduler",
        pictures=[shapes("square", "crimson", 1)],
        step_spans=False,
    )
    return b.done(root)


def older(count: int) -> list[Sample]:
    """More traces, so that lists have a second page."""
    prompts = ["a paper boat on a puddle", "an orchard under snow", "a harbour crane, risograph", "night train, linocut"]
    samples = []
    for number in range(count):
        b = Builder("api.generate", 200 + number, ago_s=86_400 * 3 + 900 * number, resource={"service.name": "api"})
        b.generation(
            None,
            prompts[number % 4],
            seeds=[400 + number],
            steps=8,
            size=512,
            model="black-forest-labs/FLUX.1-schnell",
            scheduler="FlowMatchEulerDiscreteScheduler",
        )
        samples.append(b.done(b.sample.spans[0]))
    return samples


def everything() -> list[Sample]:
    """All samples, newest first."""
    samples = [
        running(),
        campaign(),
        *shapes_runs(),
        failing(),
        long_batch(),
        hostile(),
        remote(),
        lost(),
        edit(),
        black(),
        variety(),
    ]
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
