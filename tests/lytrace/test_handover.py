"""Pieces of a stream come to the worker in order, many at a time."""

import threading

import pytest

import lytrace
from lytrace.instrumentation import Handover, open_model_call
from lytrace.testing import capture


@pytest.fixture
def captured():
    with capture() as found:
        yield found


class Pieces(Handover):
    """Notes what is read, and on which thread."""

    def __init__(self, call):
        super().__init__(call)
        self.seen = []

    def read(self, piece):
        self.seen.append((piece, threading.current_thread().name))


def opened():
    return open_model_call("chat", provider="p", model="m")


@pytest.mark.usefixtures("captured")
def test_pieces_are_read_in_order_on_the_worker():
    pieces = Pieces(opened())
    for number in range(500):
        pieces.put(number)
    lytrace.flush()
    assert pieces.seen == [(number, "lytrace-finisher") for number in range(500)]


@pytest.mark.usefixtures("captured")
def test_the_worker_is_asked_once_for_what_comes_together():
    call, asked = opened(), []
    call.later = asked.append
    pieces = Pieces(call)
    pieces.put("a")
    pieces.put("b")
    assert len(asked) == 1
    asked[0]()
    assert [piece for piece, _ in pieces.seen] == ["a", "b"]
    pieces.put("c")
    assert len(asked) == 2


@pytest.mark.usefixtures("captured")
def test_it_knows_when_the_first_piece_came():
    pieces = Pieces(opened())
    assert pieces.began == 0.0
    pieces.put("a")
    began = pieces.began
    lytrace.flush()
    pieces.put("b")
    assert pieces.began == began > 0.0
