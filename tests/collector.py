"""A collector of traces that listens on this machine: OTLP over HTTP, decoded and kept."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from threading import Thread
from typing import Any

from marketplace.core import tracing

MESSAGES = "opentelemetry.proto.collector.trace.v1.trace_service_pb2"


class Span:
    """One span, with its process and its attributes as plain values."""

    def __init__(self, span: Any, resource: Any) -> None:
        self.label: str = span.name
        self.name = self.label.split()[0]
        self.trace, self.id, self.parent = (
            each.hex() for each in (span.trace_id, span.span_id, span.parent_span_id)
        )
        self.links = [each.trace_id.hex() for each in span.links]
        self.failed: bool = span.status.code == 2
        self.said = {each.key: _plain(each.value) for each in span.attributes}
        named = {each.key: _plain(each.value) for each in resource.attributes}
        self.process = named["service.name"]


def _plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


class Collector:
    """What came in."""

    def __init__(self) -> None:
        self.address = ""
        self.received: list[bytes] = []
        """Each parcel, unpacked."""

    @property
    def spans(self) -> list[Span]:
        tracing.library()
        messages = import_module(MESSAGES)
        found = []
        for parcel in self.received:
            for of_process in messages.ExportTraceServiceRequest.FromString(parcel).resource_spans:
                for scope in of_process.scope_spans:
                    found += [Span(each, of_process.resource) for each in scope.spans]
        return found


@contextmanager
def a_collector() -> Iterator[Collector]:
    """Listen until the end of the block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            collector.received.append(gzip.decompress(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    collector.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
