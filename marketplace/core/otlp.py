"""Spans by OpenTelemetry's library, which a thread hands on beside the work, or loses.

Imported where a collector is named and nowhere else (`marketplace.core.tracing`). A collector that
is away or slow holds up nothing: what it does not take waits in memory, up to a bound, and is lost
beyond it.
"""

import atexit
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
    use_span,
)

from marketplace.core.tracing import Said, root_of, sayable, trace_of

WAITING_AT_MOST = 4_096
"""Spans in memory; a request makes one, a match that leads to three mails some ten."""
EVERY = 2_000
"""Milliseconds between two parcels."""
PATIENCE = 3.0
"""Seconds to try to hand on a parcel, with repetitions."""
SAID_AGAIN_AFTER = 60.0
"""Seconds after which a process says again that parcels are lost."""
LAST_PATIENCE = 2.0
"""Seconds after which a process that ends begins no further parcel."""

_NOBODY = "-"
"""The request id of what no request led to."""

_KINDS = {
    "request": SpanKind.SERVER,
    "job": SpanKind.CONSUMER,
    "delivery": SpanKind.CLIENT,
}


class _Ids(RandomIdGenerator):
    """Ids at random, but those of a span that begins a trace, which come of its request's."""

    def __init__(self) -> None:
        self.beginning: ContextVar[str | None] = ContextVar("beginning", default=None)

    def generate_trace_id(self) -> int:
        request_id = self.beginning.get()
        return super().generate_trace_id() if request_id is None else trace_of(request_id)

    def generate_span_id(self) -> int:
        request_id = self.beginning.get()
        return super().generate_span_id() if request_id is None else root_of(request_id)


class _Exporter(OTLPSpanExporter):
    """Hands on parcels, until it is told to come to an end: the library would try for longer."""

    ends_at = math.inf

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if time.monotonic() > self.ends_at:
            return SpanExportResult.FAILURE
        return super().export(spans)


class Exported:
    """What makes spans and hands them on, from the first one on."""

    def __init__(self, endpoint: str, process: str) -> None:
        self._endpoint, self._process = endpoint, process
        self._ids = _Ids()
        self._starting = Lock()
        self._tracer: Tracer | None = None
        self._exporter: _Exporter | None = None
        self._processor: BatchSpanProcessor | None = None

    @contextmanager
    def span(
        self, name: str, said: Mapping[str, Said], *, of: str | None, begins: bool
    ) -> Iterator[None]:
        """Have a span for what is done within; an error is noted by its type, and goes on."""
        begun = self._begin(name, said, of=None if of == _NOBODY else of, begins=begins)
        with use_span(
            begun, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            try:
                yield
            except Exception as error:
                begun.set_status(StatusCode.ERROR)
                begun.set_attribute("error.type", type(error).__qualname__)
                raise

    def note(self, said: Mapping[str, Said]) -> None:
        """Say more of the present span; one that names an error is marked as failed."""
        present = trace.get_current_span()
        present.set_attributes(sayable(said))
        if said.get("error__type"):
            present.set_status(StatusCode.ERROR)

    def link(self, request_id: str) -> None:
        """Link the present span to that of an earlier request."""
        trace.get_current_span().add_link(_root(request_id))

    def stop(self) -> None:
        """Hand on what is waiting, for five seconds at most (both sorts of patience)."""
        atexit.unregister(self.stop)
        if self._exporter is not None and self._processor is not None:
            self._exporter.ends_at = time.monotonic() + LAST_PATIENCE
            self._processor.shutdown()  # type: ignore[no-untyped-call]  # the library's

    def _begin(
        self, name: str, said: Mapping[str, Said], *, of: str | None, begins: bool
    ) -> trace.Span:
        kind, attributes = _KINDS.get(name, SpanKind.INTERNAL), sayable(said)
        tracer = self._tracer or self._start()
        label = " ".join([name, *(str(each) for each in attributes.values())][:3])
        if begins:
            token = self._ids.beginning.set(of)
            try:
                return tracer.start_span(label, Context(), kind, attributes)
            finally:
                self._ids.beginning.reset(token)
        around = trace.get_current_span().get_span_context()
        if of is None or (around.is_valid and around.trace_id == trace_of(of)):
            return tracer.start_span(label, None, kind, attributes)
        above = set_span_in_context(NonRecordingSpan(_root(of)), Context())
        done_by = [Link(around)] if around.is_valid else []
        return tracer.start_span(label, above, kind, attributes, done_by)

    def _start(self) -> Tracer:
        with self._starting:
            if self._tracer is None:
                _say_less()
                self._exporter = _exporter(self._endpoint)
                self._processor = BatchSpanProcessor(
                    self._exporter, max_queue_size=WAITING_AT_MOST, schedule_delay_millis=EVERY
                )
                provider = TracerProvider(
                    sampler=ALWAYS_ON,
                    resource=Resource.create(
                        {
                            "service.name": f"marketplace-{self._process}",
                            "service.namespace": "marketplace",
                        }
                    ),
                    id_generator=self._ids,
                    shutdown_on_exit=False,
                )
                provider.add_span_processor(self._processor)
                atexit.register(self.stop)
                self._tracer = provider.get_tracer("marketplace")
            return self._tracer


class _OnceInAWhile(logging.Filter):
    """A collector that is away is said once a minute, and not of every parcel."""

    def __init__(self) -> None:
        super().__init__()
        self._not_before = -math.inf

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        is_due = now >= self._not_before
        if is_due:
            self._not_before = now + SAID_AGAIN_AFTER
        return is_due


def _say_less() -> None:
    """Let the exporter say that parcels are lost, now and then; its repetitions are no news."""
    said_by = logging.getLogger(OTLPSpanExporter.__module__)
    said_by.setLevel(logging.ERROR)
    if not any(isinstance(each, _OnceInAWhile) for each in said_by.filters):
        said_by.addFilter(_OnceInAWhile())


def takes_spans(endpoint: str) -> bool:
    """Return whether a collector takes a parcel that is empty, with the headers that are set."""
    logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.CRITICAL)
    return _exporter(endpoint).export(()) is SpanExportResult.SUCCESS


def _exporter(endpoint: str) -> "_Exporter":
    return _Exporter(f"{endpoint}/v1/traces", timeout=PATIENCE, compression=Compression.Gzip)


def _root(request_id: str) -> SpanContext:
    """Return where the span of a request stands, whichever process it is of."""
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(trace_of(request_id), root_of(request_id), is_remote=True, trace_flags=flags)
