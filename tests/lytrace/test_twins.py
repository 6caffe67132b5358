"""One picture of a trace is one artifact, be it an API's file or the copy of it that the program decoded."""

import io

from PIL import Image

import lytrace
from lytrace import semconv
from lytrace.testing import capture
from tests.lytrace.collectors import serving


def file(colour="red"):
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "PNG", compress_level=0)
    return out.getvalue()


@lytrace.trace
def draw(content):
    lytrace.attach(content, role="output")
    return Image.open(io.BytesIO(content))


def artifact_ids(span):
    return span.attributes[semconv.ARTIFACT_IDS]


def test_a_decoded_copy_is_the_file():
    with capture() as captured:
        draw(file())
        (first, second) = artifact_ids(captured.span("draw"))
        assert first == second
        assert list(captured.artifacts.values()) == [file()]
        sizes = {event[semconv.ARTIFACT_SIZE] for event in captured.events(semconv.EVENT_ARTIFACT)}
        kinds = {event[semconv.ARTIFACT_MIME_TYPE] for event in captured.events(semconv.EVENT_ARTIFACT)}
    assert (sizes, kinds) == ({len(file())}, {"image/png"})


def test_the_file_is_sent_whatever_becomes_of_its_twins(tmp_path):
    with serving() as recorder:
        lytrace.init("twins", collector=recorder.url, home=tmp_path, instrument=[])
        for number in range(12):
            content = file(f"#{number:02x}2030")
            with lytrace.span("all"):
                draw(content)
                draw(content)
        assert lytrace.flush(30)
        lytrace.shutdown()
    sent = [path.rpartition(":")[2] for method, path, _ in recorder.requests if method == "PUT"]
    assert len(set(sent)) == 12
    assert not list(tmp_path.rglob("artifacts/*"))


def test_other_pixels_and_other_traces_are_their_own():
    with capture() as captured:
        draw(file("red"))
        lytrace.trace(lambda: Image.new("RGB", (40, 30), "red"))()
        lytrace.trace(lambda: Image.new("RGB", (40, 30), "blue"))()
        assert len({tuple(artifact_ids(span)) for span in captured.spans}) == 3
        assert len(captured.artifacts) == 3


def test_two_files_of_the_same_pixels_are_both_kept():
    with capture() as captured:

        @lytrace.trace
        def both():
            lytrace.attach(file(), role="output")
            out = io.BytesIO()
            Image.new("RGB", (40, 30), "red").save(out, "BMP")
            lytrace.attach(out.getvalue(), role="output")

        both()
        assert captured.spans
        assert len(captured.artifacts) == 2


def test_what_a_hook_makes_of_each_is_kept_apart():
    with capture(capture=lambda name, value: value.resize((8, 8)) if name == "image" else value) as captured:
        draw(file())
        assert captured.spans
        assert [Image.open(io.BytesIO(content)).size for content in captured.artifacts.values()] == [(8, 8)]


def test_only_the_latest_are_remembered(monkeypatch):
    from lytrace import _twins

    monkeypatch.setattr(_twins, "_KEPT", 1)
    with capture() as captured:

        @lytrace.trace
        def several():
            for colour in ("red", "blue"):
                lytrace.attach(file(colour), role="output")
            lytrace.attach(Image.new("RGB", (40, 30), "red"), role="output")

        several()
        assert captured.spans
        assert len(captured.artifacts) == 3
