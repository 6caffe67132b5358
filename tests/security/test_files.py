"""Bytes that somebody stored: shown only where they are a raster image, and never run."""

import stat
import struct
import zlib

import httpx
import pytest

from lytrace_collector.backup import back_up
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api, artifact_id_of, make_span, new_trace_id, png

SCRIPT = b"<script>alert(1)</script>"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims so many pixels, in 100 bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def webp_of(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<II", 10, 2)[:8] + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'>" + SCRIPT + b"</svg>",
        b"\xef\xbb\xbf<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'>" + SCRIPT + b"</svg>",
        b"<html>" + SCRIPT + b"</html>",
        b"%PDF-1.7 " + SCRIPT,
        b"\x1f\x8b\x08 svgz",
        b"\0asm\x01\0\0\0",
        b"\0\0\x01\0 icon",
        b"\0\0\0\x1cftypavif",
        b"GIF88a" + SCRIPT,
        b"alert(1)",
        b"",
    ],
)
def test_what_is_no_raster_image_is_a_download(shared: Api, content: bytes):
    answer = shared.http.get(f"/api/v1/artifacts/{shared.put(content)}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert_inert(answer.headers)


@pytest.mark.parametrize("start", [png(), b"GIF89a", b"BM", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"RIFF\0\0\0\0WEBP"])
def test_a_picture_that_is_a_page_as_well_is_a_picture(shared: Api, start: bytes):
    answer = shared.http.get(f"/api/v1/artifacts/{shared.put(start + SCRIPT)}", headers={"Accept": "text/html"})
    assert answer.headers["content-type"].startswith("image/")
    assert_inert(answer.headers)


def assert_inert(headers) -> None:
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_what_is_kept_is_for_its_owner_alone(tmp_path):
    """Also where the folder was there before, and open to everyone."""
    tmp_path.chmod(0o755)
    settings = CollectorSettings(home=tmp_path, port=0, token=None)
    with running(settings) as url, httpx.Client(base_url=url) as http:
        Api(http).put(png())
        Api(http).send(make_span(new_trace_id()))
        back_up(settings, tmp_path / "copy")
        for folder in (tmp_path, tmp_path / "copy"):
            kept = [path for path in folder.iterdir() if path.suffix != ".lock" and path.name != "spool"]
            assert {"lytrace.db", "artifacts"} <= {path.name for path in kept}
            for path in kept:
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("content", [png_of(100_000, 100_000), png_of(2**31 - 1, 1), png_of(9000, 9000), webp_of(16_000, 16_000)])
def test_a_picture_of_too_many_pixels_is_kept_but_never_decoded(shared: Api, content: bytes):
    artifact_id = shared.put(content)
    answer = shared.http.get(f"/api/v1/artifacts/{artifact_id}/thumbnail")
    assert answer.status_code in {413, 415}
    assert shared.http.get(f"/api/v1/artifacts/{artifact_id}").content == content


def test_a_body_that_is_not_what_its_name_says_is_refused(shared: Api):
    answer = shared.http.put(f"/api/v1/artifacts/{artifact_id_of(b'this')}", content=b"that")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "malformed")


@pytest.mark.parametrize(
    "name", ["..%2f..%2flytrace.db", "sha256:..%2f..%2ftokens.json", "sha256:" + "/" * 64, "%00", "sha256%3A" + "g" * 64]
)
def test_no_other_file_can_be_named(shared: Api, name: str):
    for path in (f"/api/v1/artifacts/{name}", f"/static/{name}", "/static/..%2f__init__.py", "/static/%2e%2e/%2e%2e/tokens.json"):
        assert shared.http.get(path).status_code in {404, 422}
