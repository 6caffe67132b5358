"""The ends of a program: normal, by signal, by fork. Each test runs one and reads its spool."""

import multiprocessing
import signal
import subprocess

import pytest

from lytrace import semconv
from tests.lytrace.support import environment, free, heartbeats, program, read_spool, run

START = """
import os, sys, signal, threading, time
import lytrace
lytrace.init("t", instrument=[])
from PIL import Image
"""


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "home" / "spool"


def names(spool):
    return sorted(span.name for span in read_spool(spool).spans)


def test_normal_exit_spools_queued_images(tmp_path, spool):
    run(
        tmp_path,
        START
        + """
with lytrace.span("s"):
    for n in range(20):
        lytrace.attach(Image.new("RGB", (256, 256), (n, 0, 0)))
    lytrace.score("a", 1.0)
""",
    )
    captured = read_spool(spool)
    span = captured.span("s")
    assert len(set(span.attributes[semconv.IMAGE_HASHES])) == 20
    assert len(captured.artifacts) == 20
    assert len(captured.scores) == 1
    assert heartbeats(captured)[-1][semconv.HEARTBEAT_ENDED] is True
    assert len(free(spool)) == 1


@pytest.mark.parametrize(
    ("end", "status"), [("sys.exit(3)", 3), ("raise ValueError('x')", 1), ("raise KeyboardInterrupt", -signal.SIGINT)]
)
def test_other_ends(tmp_path, spool, end, status):
    run(tmp_path, START + f"with lytrace.span('s'):\n    {end}", status=status)
    assert read_spool(spool).span("s").status == "ERROR"


def test_sigterm_with_its_default_action(tmp_path, spool):
    run(
        tmp_path,
        START
        + """
with lytrace.span("done"):
    lytrace.attach(Image.new("RGB", (64, 64)))
with lytrace.span("open"):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
""",
        status=-signal.SIGTERM,
    )
    captured = read_spool(spool)
    assert [span.name for span in captured.spans] == ["done"]
    assert [span.name for span in captured.pending] == ["open"]
    assert len(captured.artifacts) == 1
    assert heartbeats(captured)[-1][semconv.HEARTBEAT_ENDED] is True


def test_sigterm_with_the_users_handler_which_goes_on(tmp_path, spool):
    done = run(
        tmp_path,
        """
import signal
signal.signal(signal.SIGTERM, lambda number, frame: print("handled", number, frame is not None, flush=True))
"""
        + START
        + """
with lytrace.span("before"):
    pass
os.kill(os.getpid(), signal.SIGTERM)
with lytrace.span("after"):
    pass
""",
    )
    assert done.stdout == "handled 15 True\n"
    assert names(spool) == ["after", "before"]


def test_sigterm_with_the_users_handler_which_exits(tmp_path, spool):
    run(
        tmp_path,
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        + START
        + "with lytrace.span('s'):\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(60)",
        status=7,
    )
    assert read_spool(spool).span("s").status_message == "SystemExit: 7"


def test_an_ignored_sigterm_stays_ignored(tmp_path, spool):
    run(
        tmp_path,
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        + START
        + "os.kill(os.getpid(), signal.SIGTERM)\nwith lytrace.span('s'):\n    pass",
    )
    assert names(spool) == ["s"]


def test_sigterm_after_shutdown(tmp_path):
    run(tmp_path, START + "lytrace.shutdown()\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)", status=-signal.SIGTERM)


def test_init_outside_of_the_main_thread(tmp_path, spool):
    run(
        tmp_path,
        """
import threading, lytrace
def work():
    lytrace.init("t", instrument=[])
    with lytrace.span("s"):
        pass
thread = threading.Thread(target=work)
thread.start()
thread.join()
""",
    )
    assert names(spool) == ["s"]


def test_kill_9_keeps_what_was_spooled(tmp_path, spool):
    code = (
        START
        + """
from lytrace.instrumentation import open_generation
with lytrace.span("done"):
    lytrace.attach(Image.new("RGB", (64, 64)))
open_generation("generate_content m", {})
lytrace.flush()
print("ready", flush=True)
time.sleep(60)
"""
    )
    process = subprocess.Popen(program(tmp_path, code), env=environment(tmp_path), stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout.readline() == "ready\n"
        assert free(spool) == []
        process.kill()
    captured = read_spool(spool)
    assert [span.name for span in captured.spans] == ["done"]
    assert [span.name for span in captured.pending] == ["generate_content m"]
    assert len(captured.artifacts) == 1
    assert not any(beat[semconv.HEARTBEAT_ENDED] for beat in heartbeats(captured))
    assert len(free(spool)) == 1


def test_a_daemon_thread_still_running_at_exit(tmp_path, spool):
    run(
        tmp_path,
        START
        + """
inside = threading.Event()
def work():
    with lytrace.span("never ends"):
        inside.set()
        time.sleep(60)
threading.Thread(target=work, daemon=True).start()
inside.wait()
with lytrace.span("main"):
    pass
""",
    )
    captured = read_spool(spool)
    assert [span.name for span in captured.spans] == ["main"]
    assert [span.name for span in captured.pending] == ["never ends"]


def test_a_thread_that_outlives_main_is_recorded(tmp_path, spool):
    run(
        tmp_path,
        START
        + """
def work():
    with lytrace.span("late"):
        threading.main_thread().join()
threading.Thread(target=work).start()
""",
    )
    assert names(spool) == ["late"]


def test_spans_ended_after_shutdown_raise_nothing(tmp_path, spool):
    done = run(
        tmp_path,
        START
        + """
@lytrace.trace
def work():
    lytrace.attach(Image.new("RGB", (64, 64)))
    lytrace.shutdown()
    lytrace.attach(Image.new("RGB", (64, 64)))
    return Image.new("RGB", (64, 64))
assert work().size == (64, 64)
""",
    )
    assert done.stderr == ""


# --- fork -------------------------------------------------------------------------------------------------------------


def test_a_fork_inside_a_span(tmp_path, spool):
    run(
        tmp_path,
        START
        + """
with lytrace.span("parent"):
    lytrace.attach(Image.new("RGB", (64, 64)))
    child = os.fork()
    with lytrace.span("in child" if child == 0 else "in parent"):
        pass
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
""",
    )
    captured = read_spool(spool)
    assert sorted(span.name for span in captured.spans) == ["in child", "in parent", "parent"]
    parent = captured.span("parent")
    assert {span.parent_id for span in captured.spans} == {"", parent.span_id}
    assert captured.span("in child").trace_id == parent.trace_id
    uuids = {span.name: span.resource[semconv.PROCESS_UUID] for span in captured.spans}
    assert uuids["in child"] != uuids["in parent"] == uuids["parent"]
    pids = {span.name: span.resource["process.pid"] for span in captured.spans}
    assert pids["in child"] != pids["in parent"]
    assert len(free(spool)) == 2
    assert len({span.span_id for span in captured.spans}) == 3


def test_the_standard_exporter_sees_an_inherited_span_once(tmp_path, spool):
    from tests.lytrace.collectors import serving
    from tests.lytrace.support import decode_traces

    with serving() as sink:
        run(
            tmp_path,
            START
            + """
with lytrace.span("parent"):
    child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
""",
            OTEL_EXPORTER_OTLP_ENDPOINT=sink.url,
        )
        spans = [
            span.name
            for body in sink.bodies("/v1/traces")
            for group in decode_traces(body).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]
    assert spans == ["parent"]


def test_a_traced_function_whose_child_leaves_through_it(tmp_path, spool):
    run(
        tmp_path,
        START
        + """
@lytrace.trace(name="parent")
def work():
    child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)
    return Image.new("RGB", (64, 64))
work()
""",
    )
    assert names(spool) == ["parent"]
    assert read_spool(spool).span("parent").status == "UNSET"


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_multiprocessing(tmp_path, spool, method):
    run(
        tmp_path,
        f"""
import multiprocessing, lytrace, os

def work(n):
    lytrace.init("t", instrument=[])
    with lytrace.span("in child"):
        pass

if __name__ == "__main__":
    lytrace.init("t", instrument=[])
    with lytrace.span("parent"):
        context = multiprocessing.get_context("{method}")
        process = context.Process(target=work, args=(1,))
        process.start()
        process.join()
        assert process.exitcode == 0
""",
    )
    assert names(spool) == ["in child", "parent"]
    assert len(free(spool)) == 2
    beats = heartbeats(read_spool(spool))
    assert sum(beat[semconv.HEARTBEAT_ENDED] for beat in beats) == 2


def test_a_pool_with_init_at_import(tmp_path, spool):
    run(
        tmp_path,
        """
import multiprocessing, lytrace
lytrace.init("t", instrument=[])

@lytrace.trace(name="work")
def work(n):
    return n * n

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(work, range(3)) == [0, 1, 4]
        pool.close()
        pool.join()
""",
    )
    assert names(spool) == ["work"] * 3


def test_a_fork_while_threads_hold_every_lock(tmp_path, spool):
    done = run(
        tmp_path,
        START
        + """
from lytrace import _active, _live, _log
runtime = _active.active()
with lytrace.span("before"):
    lytrace.attach(Image.new("RGB", (64, 64)))
lytrace.flush()
locks = [_live._slots_guard, _log._guard, _active._guard, runtime.finisher._pixels_guard, runtime.finisher._start_guard,
         runtime.providers._guard, runtime.writer._guard, runtime.writer.folder._guard]
held, release = threading.Event(), threading.Event()
def hold():
    for lock in locks:
        lock.acquire()
    held.set()
    release.wait()
    for lock in reversed(locks):
        lock.release()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    with lytrace.span("in child"):
        lytrace.attach(Image.new("RGB", (64, 64)))
        lytrace.attach(b"no image")
        lytrace.score("a", 1.0)
    lytrace.shutdown()
    os._exit(0)
_, status = os.waitpid(child, 0)
release.set()
thread.join()
print(os.waitstatus_to_exitcode(status))
""",
    )
    assert done.stdout == "0\n"
    assert names(spool) == ["before", "in child"]


def test_a_fork_under_load(tmp_path, spool):
    run(
        tmp_path,
        START
        + """
stop = threading.Event()
def load():
    while not stop.is_set():
        with lytrace.span("load"):
            lytrace.attach(Image.new("RGB", (16, 16)))
        time.sleep(0.001)
threads = [threading.Thread(target=load) for _ in range(2)]
for thread in threads: thread.start()
for n in range(5):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        with lytrace.span(f"child {n}"):
            lytrace.attach(Image.new("RGB", (16, 16)))
        lytrace.shutdown()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads: thread.join()
""",
    )
    # the first child is made while the worker imports Pillow's plugins: it must not wait for their locks for ever
    assert [name for name in names(spool) if name.startswith("child")] == [f"child {n}" for n in range(5)]
    spans = read_spool(spool).spans
    assert len({span.span_id for span in spans}) == len(spans)


def test_a_grandchild(tmp_path, spool):
    run(
        tmp_path,
        START
        + """
for name in ("one", "two"):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        sys.exit(0)
    with lytrace.span(name):
        pass
""",
    )
    assert names(spool) == ["one", "two"]
