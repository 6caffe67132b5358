"""The collector's log as machines read it."""

import json
import logging
import sys

from lytrace_collector.logs import JsonFormatter


def test_one_object_a_line_with_the_traceback():
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.LogRecord("lytrace_collector", logging.ERROR, "", 1, "failed %s", ("badly",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"]) == ("error", "lytrace_collector", "failed badly")
    assert "ValueError: first" in told["error"]
