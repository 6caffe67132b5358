"""Find by image, as a person with a picture in hand: the same file, the same pixels, one that looks alike."""

import io
import os

import pytest
from PIL import Image, ImageDraw, ImageFilter

from lytrace import images, semconv
from lytrace_collector.server import running
from tests.collector.support import Api, artifact_id_of, generation, log, make_span, new_trace_id

FOUND = "/api/v1/find-image"


def picture(seed: int, size: int = 96) -> Image.Image:
    """A picture of shapes, another one for each seed."""
    image = Image.new("RGB", (size, size), (seed * 37 % 256, seed * 91 % 256, 200))
    draw = ImageDraw.Draw(image)
    for place in range(6):
        left, top = (seed * 13 + place * 29) % size, (seed * 7 + place * 41) % size
        draw.ellipse((left - 20, top - 20, left + 20, top + 20), fill=(place * 40, seed * 53 % 256, 255 - place * 40))
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def store(api: Api, image: Image.Image, *, stored: bool = True, **fields) -> tuple[bytes, bytes]:
    """A generation that made the picture. Its trace and the file."""
    content = encoded(image)
    trace_id = fields.pop("trace_id", None) or new_trace_id()
    artifact_id = api.put(content) if stored else artifact_id_of(content)
    hashes = {semconv.IMAGE_HASHES: [images.pixel_hash(image)], semconv.IMAGE_PHASHES: [images.perceptual_hash(image)]}
    api.send(generation(trace_id, [artifact_id], attributes=hashes, **fields))
    return trace_id, content


def matches(answer) -> list[tuple[str, int | None, str]]:
    return [(match["kind"], match["distance"], match["image"]["trace_id"]) for match in answer["matches"]]


def post(api: Api, content: bytes, **params):
    return api.http.post(FOUND, content=content, params=params, headers={"Content-Type": "image/png"})


def test_the_same_file_then_the_same_pixels_then_what_looks_alike(api: Api):
    image = picture(1)
    same, content = store(api, image)
    blurred, _ = store(api, image.filter(ImageFilter.GaussianBlur(1)), after_ns=1)
    other, _ = store(api, picture(5))

    found = post(api, content).json()
    assert matches(found)[0] == ("bytes", 0, same.hex())
    assert matches(found)[1][0] == "near"
    assert matches(found)[1][2] == blurred.hex()
    assert other.hex() not in [trace for _, _, trace in matches(found)]
    assert found["matches"][0]["image"]["prompt"] == "a red circle"
    assert found["matches"][0]["image"]["model"] == "shapes"
    assert found["cut"] is None

    resaved = post(api, encoded(image, "BMP")).json()
    assert matches(resaved)[0] == ("pixels", 0, same.hex())
    lossy = post(api, encoded(image, "JPEG", quality=80)).json()
    assert {kind for kind, _, _ in matches(lossy)} == {"near"}
    assert same.hex() in [trace for _, _, trace in matches(lossy)]


def test_by_hashes_and_by_a_known_artifact(api: Api):
    image = picture(2)
    trace_id, content = store(api, image)
    expected = {"artifact_id": artifact_id_of(content), "pixel_hash": images.pixel_hash(image)}
    assert matches(api.get(FOUND, pixel_hash=expected["pixel_hash"])) == [("pixels", None, trace_id.hex())]
    assert matches(api.get(FOUND, phash=images.perceptual_hash(image))) == [("near", 0, trace_id.hex())]
    found = api.get(FOUND, artifact_id=expected["artifact_id"])
    assert matches(found) == [("bytes", 0, trace_id.hex())]
    assert found["asked"] == {**expected, "phash": images.perceptual_hash(image)}


def test_a_stored_artifact_whose_hashes_nobody_sent_is_looked_at(api: Api):
    image = picture(3)
    known, _ = store(api, image)
    content = encoded(image, "BMP")
    artifact_id = api.put(content)
    assert matches(api.get(FOUND, artifact_id=artifact_id)) == [("pixels", 0, known.hex())]


def test_inputs_are_found_with_their_role(api: Api):
    image = picture(4)
    content, trace_id = encoded(image), new_trace_id()
    span = make_span(trace_id, "edit", attributes={semconv.GEN_AI_REQUEST_MODEL: "editor"})
    api.send(span)
    attributes = {
        semconv.ARTIFACT_ID: api.put(content),
        semconv.ARTIFACT_ROLE: semconv.ROLE_MASK,
        semconv.ARTIFACT_PHASH: images.perceptual_hash(image),
    }
    api.send_logs(log(semconv.EVENT_ARTIFACT, attributes, trace_id=trace_id, span_id=span.span_id))
    found = post(api, content).json()
    assert matches(found) == [("bytes", 0, trace_id.hex())]
    assert (found["matches"][0]["image"]["role"], found["matches"][0]["image"]["model"]) == ("mask", "editor")


def test_a_function_that_hands_an_image_on_is_no_match_of_its_own(api: Api):
    image, trace_id = picture(6), new_trace_id()
    _, content = store(api, image, trace_id=trace_id)
    returns = {semconv.SPAN_KIND: semconv.KIND_FUNCTION, semconv.ARTIFACT_IDS: [artifact_id_of(content)]}
    api.send(make_span(trace_id, attributes=returns))
    assert len(matches(post(api, content).json())) == 1


def test_what_is_deleted_is_found_no_more_and_what_comes_is(api: Api):
    image = picture(7)
    first, content = store(api, image)
    assert len(matches(post(api, content).json())) == 1
    api.http.delete(f"/api/v1/traces/{first.hex()}").raise_for_status()
    assert matches(post(api, content).json()) == []
    second, _ = store(api, image)
    assert matches(post(api, content).json()) == [("bytes", 0, second.hex())]


def test_a_hash_that_comes_later_than_its_picture(api: Api):
    image, trace_id = picture(8), new_trace_id()
    artifact_id = api.put(encoded(image))
    span = generation(trace_id, [artifact_id])
    api.send(span)
    phash = images.perceptual_hash(image)
    assert matches(api.get(FOUND, phash=phash)) == []
    api.send_logs(
        log(
            semconv.EVENT_ARTIFACT,
            {semconv.ARTIFACT_ID: artifact_id, semconv.ARTIFACT_PHASH: phash},
            trace_id=trace_id,
            span_id=span.span_id,
        )
    )
    assert matches(api.get(FOUND, phash=phash)) == [("near", 0, trace_id.hex())]


def test_limit_and_near(api: Api):
    for place in range(4):
        store(api, picture(9), after_ns=place, stored=False)
    phash = images.perceptual_hash(picture(9))
    found = api.get(FOUND, phash=phash, limit=3)
    assert len(found["matches"]) == 3
    assert "limit" in found["cut"]
    starts = [match["image"]["start_time_unix_nano"] for match in found["matches"]]
    assert starts == sorted(starts, reverse=True)
    far = f"{int(phash, 16) ^ 0b1111:016x}"
    assert api.get(FOUND, phash=far, near=3)["matches"] == []
    assert [match["distance"] for match in api.get(FOUND, phash=far, near=4)["matches"]] == [4] * 4


def test_it_finds_what_was_stored_before_it_started(settings):
    image = picture(10)
    import httpx

    with running(settings) as url, httpx.Client(base_url=url) as http:
        trace_id, content = store(Api(http), image)
    with running(settings) as url, httpx.Client(base_url=url) as http:
        assert matches(post(Api(http), content).json()) == [("bytes", 0, trace_id.hex())]


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 415, "unsupported"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported"),
        (os.urandom(500), 415, "unsupported"),
        (encoded(picture(1))[:100], 422, "malformed"),
    ],
)
def test_bytes_that_are_no_picture(api: Api, content, status, code):
    answer = post(api, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_picture_past_the_limits(settings, tmp_path):
    import httpx

    small = settings.model_copy(update={"max_image_pixels": 1000, "max_artifact_bytes": 2000})
    with running(small) as url, httpx.Client(base_url=url) as http:
        assert post(Api(http), encoded(Image.new("RGB", (100, 100)))).status_code == 413
        assert post(Api(http), os.urandom(3000)).status_code == 413


@pytest.mark.parametrize(
    "params", [{}, {"phash": "zz"}, {"pixel_hash": "px1:1"}, {"artifact_id": "sha256:1"}, {"phash": "0" * 16, "near": 33}]
)
def test_bad_questions(api: Api, params):
    assert api.http.get(FOUND, params=params).status_code == 422


def test_an_artifact_that_nobody_knows(api: Api):
    assert api.http.get(FOUND, params={"artifact_id": "sha256:" + "0" * 64}).status_code == 404


@pytest.mark.parametrize("phash", ["zz", "f" * 15, "g" * 16, "-1" * 8, "-" + "1" * 15, "é" * 16, "f" * 400])
def test_hashes_that_senders_make_up_harm_nobody(api: Api, phash):
    trace_id = new_trace_id()
    attributes = {semconv.IMAGE_PHASHES: [phash], semconv.IMAGE_HASHES: [phash]}
    api.send(generation(trace_id, [artifact_id_of(phash.encode())], attributes=attributes))
    assert api.get(FOUND, phash="0" * 16, near=0)["matches"] == []


def test_many_ask_while_pictures_come(api: Api):
    """The hashes in memory grow past their first room while four readers look through them."""
    from concurrent.futures import ThreadPoolExecutor

    def hashed(number: int) -> str:
        return f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"

    def send(start: int) -> None:
        for first in range(start, start + 1500, 100):
            api.send(
                *(
                    generation(new_trace_id(), [f"sha256:{number:064x}"], attributes={semconv.IMAGE_PHASHES: [hashed(number)]})
                    for number in range(first, first + 100)
                )
            )

    def ask(number: int) -> None:
        for _ in range(20):
            found = api.get(FOUND, phash=hashed(number), near=0)["matches"]
            assert {match["image"]["phash"] for match in found} <= {hashed(number)}

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(send, 0), pool.submit(send, 1500), *(pool.submit(ask, number) for number in range(4))]:
            done.result()
    for number in (0, 1023, 1024, 2999):
        assert [match["image"]["artifact_id"] for match in api.get(FOUND, phash=hashed(number), near=0)["matches"]] == [
            f"sha256:{number:064x}"
        ]
