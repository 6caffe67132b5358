"""Small random stores, and filters over the words that are in them."""

import random
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from lytrace import models, semconv
from lytrace.scores import score_id
from lytrace_collector.otlp.present import Shown, span_json
from lytrace_collector.store import Page, TraceFilter
from lytrace_collector.store.sqlite import SqliteStore
from tests.collector.query.plain import Row
from tests.collector.support import (
    START_NS,
    decode_message,
    generation,
    make_span,
    messages,
    new_span_id,
    pending_of,
    traces_request,
)

WORDS = ("red", "reddish", "bicycle", "Réd", "circle", "a", "flux")
MODELS = ("FLUX.1-dev", "black-forest/FLUX.1-schnell", "sdxl", "shapes")
NAMES = ("poster", "generate_content FLUX.1-dev", "100%_sure", "Poster B")
_KINDS = (
    {"x.number": 7.5},
    {"x.number": 7},
    {"x.number": "7.5"},
    {"x.text": "Wide_open"},
    {"x.text": "a%"},
    {"x.flag": True},
    {"x.list": [1, 2]},
    {},
)
SEARCHED = 10**18


def fill(folder: Path, seed: int, traces: int = 40) -> SqliteStore:
    """A store of random traces: with and without images, scores, tags, notes, failed, running and lost."""
    draw = random.Random(seed)
    store = SqliteStore(folder / "lytrace.db")
    store.open()
    for number in range(traces):
        _add(store, draw, number)
    return store


def _add(store: SqliteStore, draw: random.Random, number: int) -> None:
    trace_id = bytes([number]) + draw.randbytes(15)
    common: dict[str, Any] = {}
    for key, choices in ((semconv.SESSION_ID, ("s-1", "S-1", "s-2")), (semconv.USER_ID, ("u", "v"))):
        if draw.random() < 0.7:
            common[key] = draw.choice(choices)
    if draw.random() < 0.6:
        common[semconv.TAGS_PREFIX + "project"] = draw.choice(("poster", "a.b", 'q"uote'))
    after_ns = draw.randrange(5) * 10**9
    root = make_span(
        trace_id,
        draw.choice(NAMES),
        after_ns=after_ns,
        lasts_ns=draw.choice((10**9, 2 * 10**9, 3 * 10**9)),
        attributes=common | draw.choice(_KINDS),
    )
    if draw.random() < 0.2:
        root.status.code = 2
    spans = [pending_of(root) if draw.random() < 0.15 else root]
    artifacts = []
    for turn in range(draw.choice((0, 1, 1, 2))):
        made = [f"sha256:{draw.randbytes(32).hex()}" for _ in range(draw.choice((0, 1, 2)))]
        artifacts += made
        spans.append(
            generation(trace_id, made, after_ns=after_ns + turn, parent_span_id=root.span_id, attributes=_generation(draw))
        )
    resource = {"hw.name": draw.choice(("H100", "A100")), semconv.SERVICE_NAME: draw.choice(("one", "two"))}
    store.ingest(decode_message(traces_request(*spans, resource=resource)), received_ns=None).result()
    _scores(store, draw, trace_id, [span.span_id for span in spans])
    for artifact_id in artifacts:
        if draw.random() < 0.5:
            size = draw.choice((64, 1024))
            store.add_artifact(
                models.StoredArtifact(artifact_id=artifact_id, mime_type="image/png", size_bytes=9, width=size, height=512)
            ).result()
    if draw.random() < 0.3:
        patch = models.TracePatch(
            starred=draw.random() < 0.7, note=draw.choice(("", "Retouch 100%")), tags=draw.choice(({}, {"project": "Other"}))
        )
        store.patch_trace(trace_id.hex(), patch).result()


def _generation(draw: random.Random) -> dict[str, Any]:
    plain: dict[str, Any] = {
        semconv.GEN_AI_REQUEST_MODEL: draw.choice(MODELS),
        semconv.GEN_AI_PROVIDER_NAME: draw.choice(("openai", "diffusers")),
        semconv.GEN_AI_INPUT_MESSAGES: messages(" ".join(draw.choices(WORDS, k=3))),
        semconv.DIFFUSION_SCHEDULER_CLASS: draw.choice(("EulerDiscreteScheduler", "DDIMScheduler")),
        semconv.DIFFUSION_NUM_INFERENCE_STEPS: draw.choice((20, 30)),
        semconv.DIFFUSION_SEEDS: [draw.choice((1, 42, 2**40))],
        semconv.GPU_MEMORY_PEAK: draw.choice((10**9, 2 * 10**9)),
        **draw.choice(_KINDS),
    }
    if draw.random() < 0.5:
        plain[semconv.COST_USD] = draw.choice((0.01, 0.25))
    if draw.random() < 0.5:
        plain[semconv.DIFFUSION_NEGATIVE_PROMPT] = "Blurry"
    return plain


def _scores(store: SqliteStore, draw: random.Random, trace_id: bytes, span_ids: list[bytes]) -> None:
    scores = {}
    for _ in range(draw.choice((0, 1, 2, 3))):
        span_id = draw.choice(("", draw.choice(span_ids).hex(), new_span_id().hex()))
        target = (trace_id.hex(), span_id, draw.choice((None, 0, 1)) if span_id else None, draw.choice(("aesthetic", "safe")))
        value, label = draw.choice(((0.25, None), (0.75, None), (1.0, "Good"), (None, "bad")))
        scores[score_id(*target)] = models.Score(
            id=score_id(*target), trace_id=target[0], span_id=span_id, image_index=target[2], name=target[3],
            value=value, label=label, scope="trace", time_unix_nano=START_NS,
        )  # fmt: skip
    store.add_scores([*scores.values()]).result()


def rows(store: SqliteStore) -> tuple[list[Row], list[Row]]:
    """All traces, and all images, newest first, as the API shows them."""
    images = [image.model_dump(mode="json") for image in store.images(TraceFilter(), Page(500)).images]
    of_traces = []
    for trace in store.traces(TraceFilter(), Page(500)).traces:
        detail = store.trace_detail(trace.trace_id, Page(500))
        assert detail is not None
        plain = {
            "trace": detail.trace.model_dump(mode="json"),
            "spans": orjson.loads(orjson.dumps([span_json(span, Shown()) for span in detail.spans.spans])),
            "scores": [score.model_dump(mode="json") for score in detail.scores],
        }
        of_traces.append(Row(plain, [image for image in images if image["trace_id"] == trace.trace_id]))
    by_trace = {row.trace["trace_id"]: row for row in of_traces}
    return of_traces, [Row(by_trace[image["trace_id"]].detail, [], image) for image in images]


TERMS = (
    "red", "re*", "bicycle", '"red bicycle"', '"circle a"', "FLUX.1", "b*c*e", "r?d", "pos*", "*", "%", "Réd", "1", '"100%"',
    "prompt:red", 'prompt:"red circle"', "prompt:*ddi*", "prompt:*", "negative_prompt:lurr", "negative_prompt:*",
    "name:poster", "name:poster*", "name:100%_*", "name:*_*", 'name:"poster b"', "model:flux*", "model:FLUX.1-dev",
    "model:sdxl", "model:*x*", "model:black-forest*", "provider:OpenAI", "provider:*", "service:one", "session:s-1",
    "session:s*", "session:*", "user:(u OR v)", "user:?", "status:error", "status:ok", "status:running", "state:lost",
    "status:*", "duration:>1s", "duration:[1s TO 2s}", "duration:2s", "duration:<=1000ms", "start:2023",
    "start:2023-11-14T22:13:21", "start:>2023-11-14T22:13:22", "start:<now-2h",
    "start:[2023-11-14T22:13:20 TO 2023-11-14T22:13:22}", "steps:30", "steps:*", "images:0", "images:>1", "spans:>=2",
    "errors:>0", "cost:>$0.02", "cost:*", "gpu.peak:>1GB", "gpu.peak:*", "gpu.peak:<=2GB", "seed:42", "seed:>1000", "seed:*",
    "scheduler:euler*", "width:1024", "width:*", "height:<600", "starred:true", "starred:no", "note:100%", "note:*",
    "score.aesthetic:<0.5", "score.aesthetic:1", "score.aesthetic:*", "score.safe:good", "score.safe:b*", "score.none:*",
    "score.safe:[0 TO 0.8]", "tag.project:poster", "tag.project:O*", "tag.project:*", "tag.none:*", "trace:0*", "trace:1f*",
    "trace_id:*", "x.number:7.5", "x.number:>7", "x.number:*", "x.number:7*", 'x.number:"7.5"', "x.text:wide_open",
    "attr.x.text:a%", "x.text:*_*", "x.flag:true", "x.list:2", "x.list:[2 TO 9]", "hw.name:h100", "x.none:*",
    "x.number:(7 OR 7.5)",
)  # fmt: skip

FILTERS = st.recursive(
    st.sampled_from(TERMS),
    lambda inner: st.one_of(
        inner.map(lambda text: f"NOT ({text})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) AND ({pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) OR ({pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) -({pair[1]})"),
    ),
    max_leaves=6,
)
"""Filters that can be read."""

SCRAPS = st.lists(
    st.one_of(
        st.sampled_from(TERMS),
        st.sampled_from(
            (
                "AND",
                "OR",
                "NOT",
                "TO",
                "(",
                ")",
                "[",
                "]",
                "{",
                "}",
                '"',
                "'",
                "\\",
                ":",
                "*",
                "?",
                "~",
                "^",
                "/",
                "-",
                "+",
                "<",
                ">=",
                ";--",
                "%27",
            )
        ),
        st.text(st.characters(max_codepoint=0xFF), max_size=6),
    ),
    max_size=8,
).map(" ".join)
"""Anything, with what the language is made of."""
