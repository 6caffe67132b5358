"""The ``lytrace`` command as a person meets it: in a terminal of so many columns, or in a pipe."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

COMMAND = [sys.executable, "-m", "lytrace"]
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Shown:
    """What a terminal got: raw, and as the letters that stand there."""

    status: int
    raw: str

    @property
    def text(self) -> str:
        return _ESCAPES.sub("", self.raw).replace("\r", "")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def environment(url: str, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LYTRACE_", "COLUMNS", "NO_COLOR"))}
    return {**kept, "LYTRACE_COLLECTOR": url, "TERM": "xterm-256color", "COLORTERM": "truecolor", "TZ": "UTC", **variables}


def in_terminal(url: str, *arguments: str, columns: int = 80, typed: str = "", **variables: str) -> Shown:
    """Run the command in a pseudo-terminal; ``typed`` is what the person types."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(url, **variables), close_fds=True
    )
    os.close(theirs)
    if typed:
        os.write(ours, typed.encode())
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        content = bytearray()
        while True:
            try:
                piece = terminal.read(65536)
            except OSError:  # how Linux says that the other side is closed
                break
            if not piece:
                break
            content += piece
    return Shown(process.wait(60), content.decode())


def in_pipe(url: str, *arguments: str, given: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run the command with its output in a pipe."""
    return subprocess.run(
        [*COMMAND, *arguments], input=given, env=environment(url), cwd=cwd, capture_output=True, timeout=120, check=False
    )
