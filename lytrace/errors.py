"""The error tree: everything that lytrace raises on purpose is a :class:`LytraceError`."""


class LytraceError(Exception):
    """Base of every error that lytrace raises."""


class ConfigurationError(LytraceError):
    """A setting cannot be used; the message names it and says what would be accepted."""


class MissingExtraError(LytraceError, ImportError):
    """An optional dependency is missing; the message names the extra to install."""


class ImageError(LytraceError, ValueError):
    """A value that should be an image is none, or cannot be read as one."""


class SpoolError(LytraceError):
    """The spool on disk cannot take more, or holds something that is no spool."""


class CollectorError(LytraceError):
    """The collector refused a request or did not answer; the message carries what it said.

    Attributes:
        status: the HTTP status; None where nothing answered.
        code: the collector's stable word for the reason (``not_found``, ``bad_query``); "" where it gave none.
        details: what else it said, such as the ``position`` of what is wrong in a query.
    """

    def __init__(self, message: str, *, status: int | None = None, code: str = "", details: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details
