"""What a browser says of the page behind a request, which that page cannot change.

Source: https://www.w3.org/TR/fetch-metadata/ (Sec-Fetch-Site, -Mode, -Dest), https://fetch.spec.whatwg.org/#origin-header.
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SIMPLE_TYPES: Final = frozenset({"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"})
"""What any page may send anywhere without asking first, as it may a body without a type."""


def is_own_page(headers: Headers) -> bool | None:
    """Whether a page of this collector asks: None where no browser says anything."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return None
    return urlsplit(origin).netloc.lower() == headers.get("host", "").strip().lower()


def is_foreign(method: str, headers: Headers, origins: Collection[str]) -> bool:
    """Whether another site's page asks which the settings do not name. A link to here that is followed is none."""
    if is_own_page(headers) is not False or headers.get("origin") in origins or method == "OPTIONS":
        return False
    is_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return not (is_link and method in _READS)


def is_simple_body(method: str, headers: Headers) -> bool:
    """Whether there is a body of a type that a foreign page could have sent without a preflight.

    A PUT is never sent without one, and lytrace's sender gives an artifact no type.
    """
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return has_body and (kind in _SIMPLE_TYPES or (not kind and method != "PUT"))
