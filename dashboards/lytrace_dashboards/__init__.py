"""The bundled web dashboard: static files that speak only the collector's public HTTP API.

There is no build step. ``STATIC_DIR`` holds ``index.html``, which is served at ``/``; everything beside it is served below
``/static/``. The files need no other route than the API's own, and run under a content security policy that allows nothing
inline and nothing from elsewhere.
"""

from pathlib import Path
from typing import Final

__all__ = ["STATIC_DIR"]

STATIC_DIR: Final[Path] = Path(__file__).parent / "static"
"""Folder of the dashboard's files: ``index.html``, ES modules, style sheets, icons and vendored libraries."""
