"""Spans to a collector by OTLP over HTTP, with the SDK of OpenTelemetry; imported only where tracing is on.

A thread of the SDK sends them in batches; while the collector is away it drops what does not fit its queue and says so
in the log. `OTEL_...` variables set headers, time-outs, certificates, batches and further attributes of the resource.
"""

import threading

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shared.ids import new_id
from shared.tracing import Place, Span

_PATH = "/v1/traces"
_PATIENCE = 3.0
"""Seconds that the end of a service waits for a collector."""


class _GivenIds(IdGenerator):
    """Gives the SDK the ids of the span that is being recorded."""

    place = Place(1, 1)

    def generate_span_id(self) -> int:
        return self.place.span

    def generate_trace_id(self) -> int:
        return self.place.trace


class Collector:
    """A `shared.tracing.Recorder`."""

    def __init__(self, service: str, endpoint: str) -> None:
        """Send to `endpoint`, or to where the standard variables say."""
        names = {SERVICE_NAME: service, SERVICE_NAMESPACE: "posthaste", SERVICE_INSTANCE_ID: new_id()}
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create(names),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._exporter = OTLPSpanExporter(endpoint.rstrip("/") + _PATH if endpoint else None)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("posthaste")

    def record(self, span: Span) -> None:
        """Queue a span."""
        self._ids.place = span.place
        recorded = self._tracer.start_span(
            span.name,
            context=trace.set_span_in_context(NonRecordingSpan(_context(span.parent))) if span.parent else None,
            kind=SpanKind[span.kind.upper()],
            attributes=span.what,
            links=[trace.Link(_context(place)) for place in span.links],
            start_time=span.began,
        )
        if span.failed:
            recorded.set_status(Status(StatusCode.ERROR))
        recorded.end(span.ended)

    def close(self) -> None:
        """Send what is queued; a collector that does not take it in time does not hold up the end of the service."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_PATIENCE)
        if closing.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # no further tries


def _context(place: Place) -> SpanContext:
    return SpanContext(place.trace, place.span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
