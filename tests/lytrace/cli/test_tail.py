"""``lytrace tail``: what happens while somebody looks, through a restart of the collector, until Ctrl-C."""

import contextlib
import json
import queue
import signal
import subprocess
import threading

import httpx
import pytest

from tests.collector.support import Api, generation, make_span, new_trace_id, pending_of
from tests.lytrace.cli.terminal import COMMAND, environment

collector_settings = pytest.importorskip("lytrace_collector.settings", reason="the collector's parts are not installed")
collector_server = pytest.importorskip("lytrace_collector.server", reason="the collector's parts are not installed")


class Tail:
    """A running ``lytrace tail`` whose lines can be waited for."""

    def __init__(self, url, *arguments):
        self.process = subprocess.Popen(
            [*COMMAND, "tail", *arguments], env=environment(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self._reader.join()
        self.process.communicate()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self):
        return self._lines.get(timeout=60)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def collector(tmp_path, port=0):
    return collector_server.running(collector_settings.CollectorSettings(home=tmp_path, port=port, token=None, grpc=False))


def send(url, *spans):
    with httpx.Client(base_url=url) as http:
        Api(http).send(*spans)


def send_until_seen(url, tail):
    """The command needs a moment to connect: traces are sent until it tells of one."""
    while True:
        send(url, make_span(new_trace_id(), "early"))
        try:
            return tail._lines.get(timeout=0.5)
        except queue.Empty:
            continue


def test_through_a_restart(tmp_path):
    with contextlib.ExitStack() as stack:
        with collector(tmp_path) as url:
            tail = stack.enter_context(Tail(url))
            first = send_until_seen(url, tail)
            assert first.split("  ")[1].strip() == "ok"
            span = generation(new_trace_id(), lasts_ns=10**9)
            send(url, pending_of(span))
            while "early" in (line := tail.line()):
                pass
            assert "running" in line
            assert "a red circle" in line
            send(url, span)
            assert "1.00 s" in tail.line()
        with collector(tmp_path, int(url.rsplit(":", 1)[1])):
            send_until_seen(url, tail)
            after = make_span(new_trace_id(), "after")
            send(url, after, make_span(after.trace_id, "try", parent_span_id=after.span_id, status={"code": 2}))
            while "after" not in (line := tail.line()):
                pass
            assert line.split("  ")[-1] == "1 error"
            assert tail.interrupt() == 130
            assert "Traceback" not in tail.process.stderr.read()


def test_as_json_lines(tmp_path):
    with collector(tmp_path) as url, Tail(url, "name:early", "--json") as tail:
        event = json.loads(send_until_seen(url, tail))
        assert event["trace"]["name"] == "early"
        assert event["id"]
        assert tail.interrupt() == 130


def test_nobody_there_is_one_sentence():
    with Tail("http://127.0.0.1:9") as tail:
        assert tail.process.wait(60) == 1
        assert tail.process.stderr.read().startswith("lytrace: no collector answers")
