"""The spans that a collector of traces got: OTLP over HTTP, decoded."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from marketplace.core import tracing
from tests.collectors import Collector as Server
from tests.collectors import collecting

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

    def __init__(self, server: Server) -> None:
        self.address = server.address
        self._server = server

    @property
    def received(self) -> list[bytes]:
        """Each parcel, unpacked."""
        assert {path for path, _, _ in self._server.came} <= {"/v1/traces"}
        return [body for _, _, body in self._server.came]

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
    with collecting() as server:
        yield Collector(server)
