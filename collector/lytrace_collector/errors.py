"""The collector's error tree. Each class says how a request that meets it is answered."""

from typing import Any

from lytrace.errors import LytraceError


class CollectorError(LytraceError):
    """Base of every error that the collector raises on purpose; the message is one sentence for a person."""


class CannotStart(CollectorError):  # noqa: N818 (a sentence reads better than CannotStartError)
    """The collector refuses to start: the port is taken, the store is in use, or the settings are unsafe."""


class Malformed(CollectorError):  # noqa: N818
    """A body is not what it claims to be. Answered with 400: sending it again will not help."""


class TooLarge(CollectorError):  # noqa: N818
    """A body is past a limit. Answered with 413."""


class Unsupported(CollectorError):  # noqa: N818
    """A content type or encoding that is not read here. Answered with 415."""


class Unavailable(CollectorError):  # noqa: N818
    """The store cannot take more now: overload or a disk error. Answered with 503 and Retry-After."""


class ApiError(CollectorError):
    """An answer other than success of the JSON API.

    Args:
        status: the HTTP status.
        code: stable word for programs, such as ``"not_found"``.
        message: one sentence for a person.
        details: what else helps, as JSON.
    """

    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def forget_frames(error: BaseException | None) -> None:
    """Let go of the frames that an error and those before it passed through: in a cycle they keep a request's bytes for long."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__
