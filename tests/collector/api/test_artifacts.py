"""Artifacts over HTTP."""

import io

import pytest
from PIL import Image

from tests.collector.support import Api, artifact_id_of, generation, new_trace_id, png

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def test_put_is_idempotent_and_get_gives_the_bytes(api: Api):
    content = png(40, 30)
    path = f"/api/v1/artifacts/{artifact_id_of(content)}"
    first, second = api.http.put(path, content=content), api.http.put(path, content=content)
    assert (first.status_code, second.status_code) == (201, 200)
    expected = {
        "artifact_id": artifact_id_of(content),
        "mime_type": "image/png",
        "size_bytes": len(content),
        "width": 40,
        "height": 30,
    }
    assert first.json() == second.json() == expected
    response = api.http.get(path)
    assert response.content == content
    assert response.headers["content-type"] == "image/png"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "immutable" in response.headers["cache-control"]
    assert "content-disposition" not in response.headers
    known = api.http.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert api.http.head(path).headers["content-length"] == str(len(content))


def test_a_body_that_does_not_hash_to_its_name_is_refused(api: Api):
    path = f"/api/v1/artifacts/{artifact_id_of(b'this')}"
    response = api.http.put(path, content=b"that")
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "malformed"
    assert api.http.get(path).status_code == 404
    assert api.get("/api/v1/stats")["artifact_bytes"] == 0


@pytest.mark.parametrize("name", ["sha256:" + "A" * 64, "md5:" + "a" * 32, "sha256:" + "a" * 63, "sha256:..%2f..%2fetc%2fpasswd"])
def test_names_that_are_no_hash(shared: Api, name: str):
    for response in (shared.http.put(f"/api/v1/artifacts/{name}", content=b""), shared.http.get(f"/api/v1/artifacts/{name}")):
        assert response.status_code in {404, 422}
        assert response.json()["error"]["message"]


def test_svg_and_html_are_downloads_that_no_browser_interprets(api: Api):
    for content in (SVG, b"<html><script>alert(1)</script></html>"):
        response = api.http.get(f"/api/v1/artifacts/{api.put(content)}")
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["content-disposition"].startswith("attachment")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in response.headers["content-security-policy"]


def test_thumbnails(api: Api):
    artifact_id = api.put(png(400, 200))
    for _ in range(2):
        response = api.http.get(f"/api/v1/artifacts/{artifact_id}/thumbnail", params={"size": 100})
        assert response.headers["content-type"] == "image/webp"
        with Image.open(io.BytesIO(response.content)) as small:
            assert small.size == (128, 64)
    known = api.http.get(
        f"/api/v1/artifacts/{artifact_id}/thumbnail?size=128", headers={"If-None-Match": response.headers["etag"]}
    )
    assert known.status_code == 304


def test_thumbnails_that_cannot_be(shared: Api):
    refused = shared.http.get(f"/api/v1/artifacts/{shared.put(SVG)}/thumbnail")
    assert (refused.status_code, refused.json()["error"]["code"]) == (415, "unsupported")
    assert shared.http.get(f"/api/v1/artifacts/{artifact_id_of(b'nothing')}/thumbnail").status_code == 404
    assert shared.http.get(f"/api/v1/artifacts/{shared.put(png())}/thumbnail?size=100000").status_code == 422


def test_what_the_bytes_say_goes_before_what_the_sender_said(api: Api):
    content = png(40, 30)
    api.send(generation(new_trace_id(), [artifact_id_of(content)]))
    (image,) = api.images()
    assert (image["stored"], image["width"], image["mime_type"]) == (False, None, "")
    api.put(content)
    (image,) = api.images()
    assert (image["stored"], image["width"], image["height"], image["mime_type"]) == (True, 40, 30, "image/png")
    assert image["size_bytes"] == len(content)
