"""The worker: what waits for it is bounded, what it drops is counted, and nothing of the user's stays alive."""

import contextlib
import gc
import threading
import weakref

import numpy
import pytest
import torch
from PIL import Image

import lytrace
from lytrace import _active, _finisher, semconv
from lytrace.errors import SpoolError
from lytrace.testing import capture
from tests.lytrace.support import heartbeats


@pytest.fixture
def captured():
    with capture() as captured:
        yield captured


@pytest.fixture
def blocked(captured):
    """The worker waits until the test is over or sets the event."""
    event, reached = threading.Event(), threading.Event()
    captured.runtime.finisher.put_job(lambda: (reached.set(), event.wait(60)))
    assert reached.wait(20)
    yield event
    event.set()


class Held(Exception):  # noqa: N818 - what it is for the test
    """Something that can be watched."""


def dead(*references):
    gc.collect()
    return all(reference() is None for reference in references)


def test_no_reference_to_arguments_results_and_images_survives_the_call(captured, blocked):
    @lytrace.trace
    def work(argument, image, array, tensor):
        return [argument, image, array, tensor]

    def call():
        things = Held(), Image.new("RGB", (32, 32)), numpy.zeros((32, 32, 3), "uint8"), torch.zeros(3, 32, 32)
        references = [weakref.ref(thing) for thing in things]
        work(*things)
        return references

    assert dead(*call())
    assert captured.runtime.finisher.queued() > 0  # it is the queue that would have held them


def test_no_reference_to_an_exception_or_its_frames_survives(captured, blocked):
    references = []

    @lytrace.trace
    def fails():
        in_frame = Held()
        references.append(weakref.ref(in_frame))
        lytrace.attach(Image.new("RGB", (32, 32)))
        error = Held("with an argument", in_frame)
        references.append(weakref.ref(error))
        raise error

    def call():
        with contextlib.suppress(Held):
            fails()

    call()
    assert dead(*references)


def test_no_reference_survives_a_failed_image(captured, blocked):
    class Odd(numpy.ndarray):
        def copy(self, *_):
            raise Held(self)

    def call():
        array = numpy.zeros((32, 32, 3), "uint8").view(Odd)
        with lytrace.span("s"):
            lytrace.attach(array)
        return weakref.ref(array)

    assert dead(call())


def test_pixels_are_freed_once_encoded(captured):
    with lytrace.span("s"):
        lytrace.attach(numpy.zeros((32, 32, 3), "uint8"))
        record = captured.runtime.processor.record(int(lytrace.current().span_id, 16))
        (slot,) = record.images
        captured.runtime.finisher.drain(20)
        assert slot.snapshot is None
        assert captured.runtime.finisher._pixel_bytes == 0


def test_past_the_byte_limit_images_are_dropped_counted_and_said_once(caplog):
    size = 32 * 32 * 3
    with capture(queue_bytes=3 * size) as captured:
        event, reached = threading.Event(), threading.Event()
        captured.runtime.finisher.put_job(lambda: (reached.set(), event.wait(60)))
        reached.wait(20)
        with lytrace.span("s"):
            for value in range(5):
                lytrace.attach(numpy.full((32, 32, 3), value, "uint8"))
        event.set()
        span = captured.span("s")
        assert [bool(digest) for digest in span.attributes[semconv.IMAGE_HASHES]] == [True, True, True, False, False]
        assert span.attributes[semconv.IMAGES_DROPPED] == 2
        assert captured.runtime.finisher.counters.images == 2
        with lytrace.span("later"):
            lytrace.attach(numpy.full((32, 32, 3), 9, "uint8"))
        assert semconv.IMAGES_DROPPED not in captured.span("later").attributes
    assert [record.message for record in caplog.records] == [
        f"an image was not recorded: more than {3 * size} bytes of pixels wait for the worker"
    ]
    reasons = [event.get(semconv.ARTIFACT_DROPPED) for event in captured.events(semconv.EVENT_ARTIFACT)]
    assert sum(reason is not None for reason in reasons) == 2
    assert heartbeats(captured)[-1][semconv.DROPPED_IMAGES] == 2


def test_past_the_item_limit_spans_are_dropped_counted_and_said_once(caplog):
    with capture(queue_items=10) as captured:
        event, reached = threading.Event(), threading.Event()
        captured.runtime.finisher.put_job(lambda: (reached.set(), event.wait(60)))
        reached.wait(20)
        for n in range(25):
            with lytrace.span(f"s{n}"):
                pass
        event.set()
        assert len(captured.spans) == 10
        assert captured.runtime.finisher.counters.spans == 15
    assert len(caplog.records) == 1
    assert heartbeats(captured)[-1][semconv.DROPPED_SPANS] == 15


def test_an_oversize_image_keeps_its_size(captured, caplog):
    with lytrace.span("s"):
        lytrace.attach(Image.new("1", (20_000, 20_000)))
    (event,) = captured.events(semconv.EVENT_ARTIFACT)
    assert (event[semconv.ARTIFACT_WIDTH], event[semconv.ARTIFACT_HEIGHT]) == (20_000, 20_000)
    assert "over the limit" in event[semconv.ARTIFACT_DROPPED]
    assert semconv.ARTIFACT_ID not in event
    assert len(caplog.records) == 1
    assert captured.span("s").attributes[semconv.IMAGES_DROPPED] == 1


def test_corrupt_bytes_are_said_and_the_call_is_unharmed(captured, caplog):
    content = b"\x89PNG\r\n\x1a\n" + b"garbage" * 20
    assert lytrace.trace(lambda image: image)(content) is content
    span = captured.spans[0]
    assert span.attributes[semconv.IMAGES_DROPPED] == 2
    assert len(caplog.records) == 1


@pytest.mark.parametrize("error", [SpoolError("full"), OSError(28, "No space left on device")])
def test_a_spool_that_refuses_is_counted_and_said_once(captured, caplog, monkeypatch, error):
    def refuses(*_):
        raise error

    monkeypatch.setattr(captured, "write", refuses)
    monkeypatch.setattr(captured, "write_artifact", refuses)
    for _ in range(2):
        with lytrace.span("s"):
            lytrace.attach(Image.new("RGB", (32, 32)))
            lytrace.score("a", 1.0)
        captured.runtime.finisher.drain(20)
    counters = captured.runtime.finisher.counters
    assert (counters.spans, counters.images, counters.scores) == (2, 2, 2)
    assert len(caplog.records) == 2  # one sentence for images, one for spans and scores


def test_a_job_that_fails_does_not_end_the_worker(captured, swallows, caplog):
    def fails():
        raise RuntimeError("job")

    captured.runtime.finisher.put_job(fails)
    with lytrace.span("s"):
        pass
    assert captured.span("s")
    assert "a span's last details failed" in caplog.text


def test_details_that_fail_still_end_the_span(captured, swallows):
    from lytrace.instrumentation import open_generation

    def fails():
        raise RuntimeError("details")

    open_generation("generate_content m", {}).end(fails)
    assert captured.span("generate_content m").end_ns > 0


def test_a_program_that_records_nothing_has_no_thread(captured):
    names = [thread.name for thread in threading.enumerate()]
    assert "lytrace-finisher" not in names
    with lytrace.span("s"):
        pass
    assert "lytrace-finisher" in [thread.name for thread in threading.enumerate()]


def test_deferred_spans_end_at_their_true_time(captured, blocked):
    with lytrace.span("with image"):
        lytrace.attach(Image.new("RGB", (32, 32)))
    with lytrace.span("after"):
        pass
    blocked.set()
    first, second = captured.span("with image"), captured.span("after")
    assert first.end_ns <= second.start_ns


def test_many_threads(captured):
    def work(n):
        for m in range(50):
            with lytrace.span(f"outer {n}"), lytrace.span(f"inner {n} {m}"):
                if m % 10 == 0:
                    lytrace.attach(numpy.full((8, 8, 3), n, "uint8"))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(captured.spans) == 400
    outer = {span.span_id: span for span in captured.spans if span.name.startswith("outer")}
    for span in captured.spans:
        if span.name.startswith("inner"):
            assert outer[span.parent_id].name == f"outer {span.name.split()[1]}"
    assert sum(semconv.IMAGE_HASHES in span.attributes for span in captured.spans) == 20


def test_a_read_only_spool_leaves_the_program_alone(tmp_path, caplog, swallows):
    (tmp_path / "home").write_text("a file where the folder should be")
    lytrace.init(home=tmp_path / "home", instrument=[])

    @lytrace.trace
    def work():
        return Image.new("RGB", (32, 32))

    assert work().size == (32, 32)
    assert work().size == (32, 32)
    assert lytrace.flush(20) is True
    counters = _active.active().finisher.counters
    assert (counters.spans, counters.images) == (2, 2)
    messages = [record.message for record in caplog.records]
    assert len(messages) == len(set(messages)) <= 3


@pytest.mark.parametrize("awake_s", [0.0, 60.0])
def test_the_worker_comes_by_itself_asleep_or_awake(captured, monkeypatch, awake_s):
    monkeypatch.setattr(_finisher, "_AWAKE_S", awake_s)
    finisher = captured.runtime.finisher
    for _ in range(3):
        done = threading.Event()
        finisher.put_job(done.set)
        assert done.wait(20)


@pytest.mark.parametrize("awake_s", [0.0, 60.0])
def test_a_flush_does_not_wait_for_the_workers_pause(captured, monkeypatch, awake_s):
    monkeypatch.setattr(_finisher, "_AWAKE_S", awake_s)
    monkeypatch.setattr(_finisher, "_LINGER_S", 3600.0)
    for number in range(3):
        with lytrace.span(f"s{number}"):
            pass
        assert lytrace.flush(20)
    assert len(captured.spans) == 3
