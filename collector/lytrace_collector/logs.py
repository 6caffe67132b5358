"""The collector's log: for people, or one JSON object a line for machines; without secrets."""

import logging
from typing import Any, Final

import orjson

from lytrace.redaction import RedactSecrets

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """A record as JSON: ``time`` (Unix seconds), ``level``, ``logger``, ``message``, and ``error`` with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = record.exc_text or self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def set_up(log_format: str) -> None:
    """Write warnings of everything and the collector's own notes to standard error. What is set up already stays."""
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter() if log_format == "json" else logging.Formatter(_TEXT))
        root.addHandler(handler)
        logging.getLogger("lytrace_collector").setLevel(logging.INFO)
    for each in root.handlers:
        each.addFilter(RedactSecrets())
