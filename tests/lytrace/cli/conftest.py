"""A real collector with three traces in it, for the tests of a module."""

import os
from dataclasses import dataclass

import httpx
import pytest

from lytrace import semconv
from tests.collector.support import Api, generation, make_span, new_trace_id, png


@dataclass
class Filled:
    """A collector's address and the ids of its traces."""

    url: str
    api: Api
    poster: str
    failed: str
    plain: str


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """``poster``: two images in one generation with steps; ``failed``: an error; ``plain``: no generation at all."""
    server = pytest.importorskip("lytrace_collector.server", reason="the collector's parts are not installed")
    settings = pytest.importorskip("lytrace_collector.settings").CollectorSettings
    with (
        server.running(settings(home=tmp_path_factory.mktemp("filled"), port=0, token=None, grpc=False)) as url,
        httpx.Client(base_url=url) as http,
    ):
        api = Api(http)
        yield Filled(url, api, poster(api), failed(api), plain(api))


def poster(api):
    trace_id = bytes.fromhex("ab" + os.urandom(15).hex())
    artifacts = [api.put(png(32, 24, "red")), api.put(png(32, 24, "blue"))]
    root = make_span(trace_id, "poster", lasts_ns=2_000_000_000)
    made = generation(
        trace_id,
        artifacts,
        parent_span_id=root.span_id,
        after_ns=100_000_000,
        lasts_ns=1_800_000_000,
        attributes={semconv.DIFFUSION_SEEDS: [7, 8], semconv.DIFFUSION_SCHEDULER_CLASS: "DDIMScheduler"},
    )
    denoise = make_span(
        trace_id,
        "denoise",
        parent_span_id=made.span_id,
        after_ns=200_000_000,
        lasts_ns=1_500_000_000,
        attributes={semconv.SPAN_KIND: semconv.KIND_STAGE},
    )
    steps = [
        make_span(
            trace_id,
            "denoise_step",
            parent_span_id=denoise.span_id,
            after_ns=200_000_000 + number * 300_000_000,
            lasts_ns=300_000_000,
            attributes={semconv.SPAN_KIND: semconv.KIND_STEP},
        )
        for number in range(5)
    ]
    api.send(root, made, denoise, *steps)
    return trace_id.hex()


def failed(api):
    trace_id = new_trace_id()
    span = make_span(trace_id, "upscale [bold]", after_ns=10**9, lasts_ns=12_400_000)
    span.status.code, span.status.message = 2, "out of memory"
    api.send(span)
    return trace_id.hex()


def plain(api):
    trace_id = new_trace_id()
    api.send(make_span(trace_id, "plain", after_ns=2 * 10**9, lasts_ns=840_000))
    return trace_id.hex()
