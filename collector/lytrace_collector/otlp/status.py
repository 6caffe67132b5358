"""Errors as OTLP senders read them: a ``google.rpc.Status`` in the content type of the request.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response.
"""

from collections.abc import Mapping
from typing import Final

import orjson
from google.rpc import code_pb2, status_pb2  # type: ignore[import-untyped]  # googleapis-common-protos ships no types
from starlette.responses import Response

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

_CODES: Final = {
    400: code_pb2.Code.INVALID_ARGUMENT,
    401: code_pb2.Code.UNAUTHENTICATED,
    403: code_pb2.Code.PERMISSION_DENIED,
    404: code_pb2.Code.NOT_FOUND,
    405: code_pb2.Code.UNIMPLEMENTED,
    413: code_pb2.Code.RESOURCE_EXHAUSTED,
    415: code_pb2.Code.INVALID_ARGUMENT,
    503: code_pb2.Code.UNAVAILABLE,
}


def media_type(content_type: str | None) -> str | None:
    """``PROTOBUF`` or ``JSON``, or None for a content type that OTLP/HTTP does not have."""
    plain = (content_type or "").partition(";")[0].strip().lower()
    if plain in {PROTOBUF, "application/protobuf"}:
        return PROTOBUF
    return JSON if plain == JSON else None


def status_response(
    http_status: int, message: str, content_type: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    """An error with its ``Status``. A request whose content type is not OTLP's gets JSON, which a person can read."""
    status = status_pb2.Status(code=_CODES.get(http_status, code_pb2.Code.INTERNAL), message=message)
    if media_type(content_type) == PROTOBUF:
        return Response(status.SerializeToString(), http_status, headers, PROTOBUF)
    return Response(orjson.dumps({"code": status.code, "message": message}), http_status, headers, JSON)
