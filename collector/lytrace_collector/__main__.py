"""``python -m lytrace_collector``: a collector set up by ``LYTRACE_*`` variables alone, for containers and tests."""

import sys

from lytrace_collector.errors import CannotStart
from lytrace_collector.server import serve
from lytrace_collector.settings import CollectorSettings


def main() -> int:
    """Serve; prints the base URL on the first line of standard output. 1 where it cannot start."""
    try:
        serve(CollectorSettings(), on_ready=lambda url: print(url, flush=True))  # noqa: T201 (that is its output)
    except CannotStart as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
