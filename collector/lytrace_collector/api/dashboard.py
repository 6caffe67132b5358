"""The bundled dashboard: ``/`` and ``/static``, from the files of the ``lytrace_dashboards`` package."""

import importlib.util
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_PACKAGE: Final = "lytrace_dashboards"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_MISSING: Final = "<!doctype html><title>lytrace</title><p>The collector runs; the dashboard is not installed beside it."


def add_dashboard(app: FastAPI) -> None:
    """Serve the dashboard, or one sentence where its package is missing."""
    static = _static_folder()
    index = static / "index.html"

    @app.get("/", include_in_schema=False)
    def read_index() -> Response:
        if not index.is_file():
            return HTMLResponse(_MISSING, headers=_HEADERS)
        return FileResponse(index, headers=_HEADERS, media_type="text/html; charset=utf-8")

    app.mount("/static", _Static(directory=static, check_dir=False))


class _Static(StaticFiles):
    """Static files that browsers ask about each time: an upgrade shows at once, and an unchanged file costs a 304."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _HEADERS["Cache-Control"]
        return response


def _static_folder() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places or ["."]))) / "static"
