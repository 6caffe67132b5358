"""Traces taken elsewhere and brought back."""

from typing import Literal, TypeAlias

from lytrace.client._request import Body, Flow, Request, ask
from lytrace.client._route import Route, Streamed
from lytrace.client._streaming import Download, Stream
from lytrace.models import ImportReport

TraceFormat: TypeAlias = Literal["otlp", "perfetto", "json", "zip"]
ExportSubject: TypeAlias = Literal["traces", "images", "spans", "scores"]
ListFormat: TypeAlias = Literal["otlp", "jsonl", "zip"]


class TransferRoutes:
    """``/api/v1/export``, ``/api/v1/traces/{trace_id}/export``, ``/api/v1/import``."""

    @Streamed
    def export_trace(self, trace_id: str, format: TraceFormat = "otlp") -> Stream[bytes]:  # noqa: A002 - the route's own word
        """One trace in another tool's format, in pieces: ``open("trace.json", "wb").writelines(client.export_trace(trace_id))``.

        Args:
            trace_id: 32 hexadecimal digits.
            format: ``otlp`` (OTLP/JSON, lossless, and back in by :meth:`import_traces`), ``perfetto`` (opens in ui.perfetto.dev
                and chrome://tracing), ``json`` (as :meth:`trace` answers) or ``zip`` (with its images).
        """
        return Download(Request("GET", f"/api/v1/traces/{trace_id}/export", {"format": format}))

    @Streamed
    def export(
        self,
        format: ListFormat = "jsonl",  # noqa: A002 - the route's own word
        q: str | None = None,
        *,
        of: ExportSubject = "traces",
        since: int | None = None,
        until: int | None = None,
    ) -> Stream[bytes]:
        """All traces, or those that match, in pieces while they are read.

        Args:
            format: ``otlp`` (a request a line, lossless), ``jsonl`` (a row a line, for notebooks) or ``zip`` (with the images).
            q: only what matches this query, as of :meth:`traces`.
            of: what a row of ``jsonl`` is of.
            since: only what began then or later, in Unix nanoseconds.
            until: only what began before then, in Unix nanoseconds.
        """
        asked = {"format": format, "q": q, "of": of, "since": since, "until": until}
        return Download(Request("GET", "/api/v1/export", asked))

    @Route
    def import_traces(self, file: Body, *, restore: bool = False) -> Flow[ImportReport]:
        """Take in what :meth:`export` or :meth:`export_trace` gave as ``otlp`` or ``zip``. What is here already stays as it is.

        A file is taken in once it has arrived whole: a large one wants a client with a long ``timeout_s``.

        Args:
            file: the bytes, a path, or an open binary file, which is sent as it is read; also OTLP as JSON lines or protobuf of
                any other tool, with gzip or without.
            restore: also take traces that were deleted here lately.
        """
        asked = {"restore": "true" if restore else None}
        return ask(ImportReport, Request("POST", "/api/v1/import", asked, body=file, repeatable=isinstance(file, bytes)))
