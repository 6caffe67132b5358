# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""Pictures found by their hashes, with the places in traces where they stand."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from lytrace import models, semconv
from lytrace_collector.store import ImageQuestion
from lytrace_collector.store.sqlite.compile import Where
from lytrace_collector.store.sqlite.hashes import HashIndex
from lytrace_collector.store.sqlite.read import Reader, artifact_fields
from lytrace_collector.store.sqlite.statements import chunks, marks

_LOOKED_AT: Final = 200
"""Candidates whose places are read at once."""

_NAMED: Final = "SELECT id, artifact_id FROM image_hashes WHERE id IN ({})"
_HASHES: Final = """SELECT max(pixel_hash) AS pixel_hash, max(phash) AS phash FROM artifact_refs WHERE artifact_id = ?"""
_SAME_PIXELS: Final = "SELECT DISTINCT artifact_id FROM artifact_refs WHERE artifact_id IN ({}) AND pixel_hash = ?"
_NEWEST: Final = "row_number() OVER (PARTITION BY refs.artifact_id ORDER BY {}.start_ns DESC) AS place"
_GALLERY: Final = f"""images.id IN (SELECT id FROM (SELECT images.id, {_NEWEST.format("images")}
    FROM artifact_refs AS refs JOIN traces USING (trace_id) JOIN images ON images.trace = traces.id
        AND images.artifact_id = refs.artifact_id AND images.span_id = refs.span_id AND images.idx = refs.idx
    WHERE refs.role = '{semconv.ROLE_OUTPUT}' AND images.shown = 1 AND refs.artifact_id IN ({{}})) WHERE place <= ?)"""
_OTHERS: Final = f"""SELECT * FROM (SELECT refs.*, stored.artifact_id IS NOT NULL AS is_stored,
    stored.mime_type AS stored_mime_type, stored.size_bytes AS stored_size_bytes, stored.width AS stored_width,
    stored.height AS stored_height, traces.prompt, traces.model, traces.name AS trace_name, traces.start_ns,
    traces.duration_ns, {_NEWEST.format("traces")}
    FROM artifact_refs AS refs JOIN traces USING (trace_id) LEFT JOIN artifacts AS stored USING (artifact_id)
    WHERE refs.role <> '{semconv.ROLE_OUTPUT}' AND refs.artifact_id IN ({{}})) WHERE place <= ?"""


class _Candidate(NamedTuple):
    kind: models.MatchKind
    distance: int | None
    artifact_id: str


class ImageFinder(Reader):
    """Answers questions for pictures in one snapshot; made for one question."""

    def find(self, asked: ImageQuestion, hashes: HashIndex) -> models.FoundImages:
        """See :meth:`lytrace_collector.store.Store.find_images`."""
        looked_for = self._completed(asked)
        matches: list[models.ImageMatch] = []
        candidates = self._candidates(looked_for, asked.near, hashes)
        while len(matches) <= asked.limit and (group := list(islice(candidates, _LOOKED_AT))):
            matches += self._places(group, asked.limit + 1)
        cut = f"only the first {asked.limit} are shown: raise limit, or lower near" if len(matches) > asked.limit else None
        return models.FoundImages(asked=looked_for, matches=matches[: asked.limit], cut=cut)

    def _completed(self, asked: ImageQuestion) -> models.AskedImage:
        """What else is known of the picture that is asked for by its file."""
        pixel_hash, phash = asked.pixel_hash, asked.phash
        if asked.artifact_id and not (pixel_hash and phash):
            row = self._rows(_HASHES, [asked.artifact_id])[0]
            pixel_hash, phash = pixel_hash or row["pixel_hash"], phash or row["phash"]
        return models.AskedImage(artifact_id=asked.artifact_id, pixel_hash=pixel_hash, phash=phash)

    def _candidates(self, asked: models.AskedImage, near: int, hashes: HashIndex) -> Iterator[_Candidate]:
        """Artifacts, each once, the surest first."""
        seen: set[str] = set()
        for candidate in self._all_candidates(asked, near, hashes):
            if candidate.artifact_id not in seen:
                seen.add(candidate.artifact_id)
                yield candidate

    def _all_candidates(self, asked: models.AskedImage, near: int, hashes: HashIndex) -> Iterator[_Candidate]:
        if asked.artifact_id:
            yield _Candidate("bytes", 0 if asked.phash else None, asked.artifact_id)
        if asked.pixel_hash:
            named = [artifact_id for _, artifact_id in self._named(hashes.same_pixels(self._connection, asked.pixel_hash))]
            for chunk in chunks(named):
                same = self._rows(_SAME_PIXELS.format(marks(chunk)), [*chunk, asked.pixel_hash])
                yield from (_Candidate("pixels", 0 if asked.phash else None, row[0]) for row in same)
        if asked.phash:
            found = hashes.near(self._connection, asked.phash, near)
            distances = {row_id: distance for distance, row_id in found}
            for row_id, artifact_id in self._named([row_id for _, row_id in found]):
                yield _Candidate("near", distances[row_id], artifact_id)

    def _named(self, row_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
        """The artifacts that the rows stand for, in the same order; rows that were swept are left out."""
        remaining = iter(row_ids)
        while chunk := list(islice(remaining, _LOOKED_AT)):
            named = dict(map(tuple, self._rows(_NAMED.format(marks(chunk)), chunk)))
            yield from ((row_id, named[row_id]) for row_id in chunk if row_id in named)

    def _places(self, candidates: Sequence[_Candidate], limit: int) -> list[models.ImageMatch]:
        """Where these artifacts were put out or taken in, in their order, of each the newest."""
        bound = [*(candidate.artifact_id for candidate in candidates), limit]
        signs = marks(candidates)
        places: dict[str, list[models.Image]] = {}
        for image in self._images(Where([_GALLERY.format(signs)], bound)).values():
            places.setdefault(image.artifact_id, []).append(image)
        for row in self._rows(_OTHERS.format(signs), bound):
            places.setdefault(row["artifact_id"], []).append(_taken_in(row))
        return [
            models.ImageMatch(kind=candidate.kind, distance=candidate.distance, image=image)
            for candidate in candidates
            for image in sorted(places.get(candidate.artifact_id, ()), key=lambda image: -image.start_time_unix_nano)
        ]


def _taken_in(row: sqlite3.Row) -> models.Image:
    """A picture that a span took in, or showed on its way."""
    return models.Image(
        **artifact_fields(row),
        prompt=row["prompt"],
        model=row["model"],
        start_time_unix_nano=row["start_ns"],
        duration_ns=row["duration_ns"],
        trace_name=row["trace_name"],
    )
