"""Spans that wait for something to be known, such as a device's clock."""

import os
import threading

import pytest

import lytrace
from lytrace import _active, semconv
from lytrace._waiting import Waiting
from lytrace.instrumentation import Details, open_generation, settle_waiting
from lytrace.testing import capture


class Call:
    """A generation whose device is done when ``passed`` says so."""

    def __init__(self, live=None, passed=False):
        self.passed = passed
        self.asked_on = []
        self.reason = None
        self._end = live.ending(lambda: Details(attributes={"x": 1})) if live is not None else lambda: None

    def settle(self):
        self.asked_on.append(threading.current_thread())
        if self.passed:
            self._end()
        return self.passed

    def give_up(self, reason):
        self.reason = reason
        self._end()


def waiting_generation():
    live = open_generation("generate_content m", {})
    call = Call(live)
    live.wait_for(call)
    return call


def test_the_span_ends_when_its_device_is_done():
    with capture() as captured:
        call = waiting_generation()
        assert captured.spans == []
        assert [span.name for span in captured.pending] == ["generate_content m"]
        call.passed = True
        settle_waiting()
        (span,) = captured.spans
        assert span.attributes["x"] == 1
        assert call.reason is None


def test_flush_asks_again_and_waits_no_longer_than_it_may():
    with capture() as captured:
        call = waiting_generation()
        assert lytrace.flush(0.2) is False
        assert len(call.asked_on) > 3
        call.passed = True
        assert lytrace.flush(0.2) is True
        assert len(captured.spans) == 1


def test_only_threads_of_the_users_ask():
    with capture() as captured:
        call = waiting_generation()
        assert captured.spans == []
        lytrace.flush(0.05)
        assert set(call.asked_on) == {threading.current_thread()}
        call.passed = True


def test_at_the_end_it_is_left_with_what_is_known():
    with capture() as captured:
        call = waiting_generation()
        _active.active().shutdown(0.1)
        assert call.reason == semconv.REASON_NOT_DONE
    assert len(captured.spans) == 1


def test_one_too_many_ends_at_once():
    waiting = Waiting(2)
    calls = [Call() for _ in range(3)]
    for call in calls:
        waiting.add(call)
    assert [call.reason for call in calls] == [None, None, semconv.REASON_TOO_MANY]
    calls[0].passed = True
    waiting.settle()
    assert len(waiting.items) == 1


def test_a_question_that_fails_ends_the_span(swallows):
    class Broken(Call):
        def settle(self):
            raise RuntimeError("CUDA error")

    waiting, call = Waiting(2), Broken()
    waiting.add(call)
    assert waiting.settle() is True
    assert call.reason == semconv.REASON_NOT_DONE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_leaves_them_to_the_parent():
    with capture() as captured:
        call = waiting_generation()
        child = os.fork()
        if child == 0:
            _active.active().after_fork()
            call.passed = True
            settle_waiting()
            os._exit(0 if call.asked_on == [] else 1)
        assert os.waitpid(child, 0)[1] == 0
        call.passed = True
        settle_waiting()
        assert len(captured.spans) == 1
