"""A stand-in for the collector, for states that the real one cannot easily be brought into.

It serves the bundled dashboard and the routes of the HTTP API from memory, with the samples of :mod:`tests.dashboards.samples`:
running, lost and failed traces, processes that dropped data, a token, an API that is down. Whatever the real collector can
be made to hold by sending it spans is tested against the real one.

``python -m tests.dashboards.fake_collector`` serves it on port 4399, to look at.
"""

import io
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from lytrace_dashboards import STATIC_DIR
from PIL import Image as Picture

from lytrace.models import Image, Info, ProcessStats, Score, ScoreBrief, ScoreIn, StoreStats, TracePatch
from lytrace.scores import score_id
from tests.dashboards.samples import Sample, everything

CSP = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; script-src 'self'"


class FakeCollector:
    """The samples, and switches for what a test wants to see."""

    def __init__(self, samples: list[Sample], processes: list[ProcessStats] | None = None, token: str | None = None):
        self.samples = samples
        self.processes = processes or []
        self.token = token
        self.down = False
        self.app = _build(self)

    def find(self, trace_id: str) -> Sample:
        """The sample of a trace, or 404."""
        for sample in self.samples:
            if sample.trace.trace_id == trace_id:
                return sample
        raise HTTPException(404, "no such trace")

    def with_lists(self, sample: Sample) -> Sample:
        """Fill in what the trace shows of its artifacts and scores."""
        outputs = [artifact for artifact in sample.artifacts if artifact.role == "output"]
        sample.trace.images, sample.trace.image_count = outputs[:4], len(outputs)
        sample.trace.scores = [_brief(score) for score in sample.scores if score.scope == "trace"][:4] or [
            _brief(score) for score in sample.scores[:4]
        ]
        return sample

    def images(self) -> list[Image]:
        """Rows of the gallery, newest first."""
        return [row for sample in self.samples for row in _rows(sample)]

    def file(self, artifact_id: str) -> bytes:
        """The bytes of an artifact, or 404."""
        for sample in self.samples:
            if artifact_id in sample.files:
                return sample.files[artifact_id]
        raise HTTPException(404, "no such artifact")


def _brief(score: Score) -> ScoreBrief:
    return ScoreBrief.model_validate(score.model_dump())


def _rows(sample: Sample) -> Iterator[Image]:
    spans = {span.span_id: span for span in sample.spans}
    for artifact in sample.artifacts:
        if artifact.role != "output":
            continue
        span = spans[artifact.span_id]
        a = span.attributes
        seeds = a.get("diffusion.seeds", [])
        yield Image(
            **artifact.model_dump(), prompt=sample.trace.prompt, negative_prompt=a.get("diffusion.negative_prompt"),
            seed=seeds[artifact.index] if seeds else None, model=a.get("gen_ai.request.model"),
            scheduler=a.get("diffusion.scheduler.class"), steps=a.get("diffusion.num_inference_steps"),
            start_time_unix_nano=span.start_time_unix_nano, duration_ns=span.duration_ns, trace_name=sample.trace.name,
            scores=[_brief(s) for s in sample.scores if s.span_id == span.span_id and s.image_index == artifact.index],
        )  # fmt: skip


def _page(rows: list[Any], key: str, limit: int, cursor: str | None) -> dict[str, Any]:
    first = int(cursor or 0)
    following = first + limit
    shown = [row.model_dump(mode="json") for row in rows[first:following]]
    return {key: shown, "next_cursor": str(following) if following < len(rows) else None}


def _matches(q: str, *texts: object) -> bool:
    return all(word in " ".join(str(text) for text in texts).lower() for word in q.lower().split())


def _build(fake: FakeCollector) -> FastAPI:
    app = FastAPI()

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        api = request.url.path.startswith("/api/")
        if api and fake.down:
            return JSONResponse({"error": {"code": "unavailable", "message": "down for the test"}}, 503)
        if api and fake.token and request.headers.get("authorization") != f"Bearer {fake.token}":
            return JSONResponse({"error": {"code": "unauthorized", "message": "a token is needed"}}, 401)
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = CSP
        return response

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": {"code": "not_found", "message": error.detail}}, error.status_code)

    _add_reading(app, fake)
    _add_writing(app, fake)
    app.mount("/static", StaticFiles(directory=STATIC_DIR))
    app.get("/")(lambda: FileResponse(STATIC_DIR / "index.html"))
    return app


def _add_reading(app: FastAPI, fake: FakeCollector) -> None:
    @app.get("/api/v1/info")
    def info() -> Info:
        return Info(instance=str(uuid.uuid4()), version="0.1.0")

    @app.get("/api/v1/stats")
    def stats() -> StoreStats:
        return StoreStats(traces=len(fake.samples), spans=0, images=0, scores=0, store_bytes=0, artifact_bytes=0, processes=fake.processes)

    @app.get("/api/v1/images")
    def images(q: str = "", limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
        rows = [row for row in fake.images() if _matches(q, row.prompt, row.model, row.seed)]
        return _page(rows, "images", limit, cursor)

    @app.get("/api/v1/traces")
    def traces(q: str = "", state: str = "", limit: int = 50, cursor: str | None = None) -> dict[str, Any]:
        rows = [fake.with_lists(sample).trace for sample in fake.samples]
        rows = [row for row in rows if _matches(q, row.prompt, row.name, row.model) and state in {"", row.state}]
        return _page(rows, "traces", limit, cursor)

    @app.get("/api/v1/traces/{trace_id}")
    def trace(trace_id: str) -> dict[str, Any]:
        sample = fake.with_lists(fake.find(trace_id))
        parts = {"spans": sample.spans, "scores": sample.scores, "artifacts": sample.artifacts}
        shown = {name: [one.model_dump(mode="json") for one in members] for name, members in parts.items()}
        return {"trace": sample.trace.model_dump(mode="json"), **shown}

    @app.get("/api/v1/artifacts/{artifact_id}")
    def artifact(artifact_id: str) -> Response:
        return Response(fake.file(artifact_id), media_type="image/png")

    @app.get("/api/v1/artifacts/{artifact_id}/thumbnail")
    def thumbnail(artifact_id: str, size: int = 256) -> Response:
        picture = Picture.open(io.BytesIO(fake.file(artifact_id)))
        picture.thumbnail((size, size))
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", lossless=picture.width <= 64)
        return Response(buffer.getvalue(), media_type="image/webp", headers={"Cache-Control": "max-age=3600"})

    @app.get("/api/v1/scores")
    def scores(limit: int = 50) -> dict[str, Any]:
        return _page([score for sample in fake.samples for score in sample.scores], "scores", limit, None)


def _add_writing(app: FastAPI, fake: FakeCollector) -> None:
    @app.patch("/api/v1/traces/{trace_id}")
    def patch(trace_id: str, change: TracePatch) -> dict[str, Any]:
        trace = fake.find(trace_id).trace
        for name, value in change.model_dump(exclude_unset=True).items():
            setattr(trace, name, value)
        return trace.model_dump(mode="json")

    @app.delete("/api/v1/traces/{trace_id}", status_code=204)
    def delete(trace_id: str) -> None:
        fake.samples.remove(fake.find(trace_id))

    @app.post("/api/v1/scores")
    def add(body: list[ScoreIn]) -> dict[str, Any]:
        stored = []
        for given in body:
            scope = "trace" if not given.span_id else "span" if given.image_index is None else "image"
            same = (given.trace_id, given.span_id, given.image_index, given.name, given.evaluator, given.identifier)
            fields = given.model_dump() | {"id": score_id(*same), "scope": scope, "time_unix_nano": time.time_ns()}
            stored.append(Score(**fields))
            kept = fake.find(given.trace_id).scores
            kept[:] = [stored[-1], *(one for one in kept if one.id != stored[-1].id)]
        return {"scores": [score.model_dump(mode="json") for score in stored]}

    @app.delete("/api/v1/scores/{score}", status_code=204)
    def remove(score: str) -> None:
        for sample in fake.samples:
            sample.scores[:] = [one for one in sample.scores if one.id != score]


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    """Serve an ASGI app from a thread; gives its URL."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


def lossy_processes() -> list[ProcessStats]:
    """Two programs that could not record everything."""
    now = time.time_ns()
    return [
        ProcessStats(process_uuid="a", service_name="studio", pid=4711, last_seen_unix_nano=now - 4_000_000_000, dropped_images=3, dropped_spans=41),
        ProcessStats(process_uuid="b", service_name="api", pid=88, last_seen_unix_nano=now - 7_200_000_000_000, ended=True, unsampled_spans=12_840),
        ProcessStats(process_uuid="c", service_name="fine", last_seen_unix_nano=now),
    ]


if __name__ == "__main__":
    with serving(FakeCollector(everything(), lossy_processes()).app, 4399) as url:
        print(url)  # noqa: T201
        threading.Event().wait()
