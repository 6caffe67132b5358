"""What every shape is made of: times, wide integers, the base model, errors, the handshake."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer

from lytrace.models._flat import Scalar, flat

API_VERSION = 1
"""Raised when a change of the HTTP API breaks an older sender or client."""

Nanoseconds = Annotated[int, PlainSerializer(str, return_type=str, when_used="json")]
"""A Unix time in nanoseconds: ``int`` in Python, a decimal string in JSON."""

WideInteger = Annotated[
    int,
    PlainSerializer(lambda number: number if abs(number) <= 2**53 else str(number), return_type=int | str, when_used="json"),
]
"""An integer that JSON carries as a string past 2^53, where JavaScript would round it."""


class ApiModel(BaseModel):
    """Base of every model here: unknown fields of a newer collector are ignored."""

    model_config = ConfigDict(extra="ignore")

    def flat(self) -> dict[str, Scalar]:
        """One row of a table, for ``pandas.DataFrame``.

        Plain fields keep their names. Beside a time in nanoseconds stands the same as a ``datetime`` (``start_time``, in UTC, to
        the microsecond). Tags are ``tag.NAME``, scores ``score.NAME`` (the mean where one name was given several times; the label
        where there is no value), other dictionaries ``FIELD.KEY``. Lists, such as a trace's images, are left out: they have rows
        of their own.
        """
        return flat(self)


class Info(ApiModel):
    """Answer of ``GET /api/v1/info``: the handshake by which a sender knows a lytrace collector."""

    service: Literal["lytrace"] = "lytrace"
    instance: str
    api_version: int = API_VERSION
    version: str
    grpc_port: int | None = None
    """Port of OTLP/gRPC on the same address; None where the collector does not listen for it."""


class ErrorDetail(ApiModel):
    """What went wrong: a stable code, one sentence, and what else helps."""

    code: str
    message: str
    details: Any = None


class ErrorBody(ApiModel):
    """The one JSON shape of every error under ``/api``."""

    error: ErrorDetail
