"""Spans of the OpenTelemetry SDK. Imported only if tracing is on: the SDK takes memory and start time."""

import re
from contextvars import Token
from types import TracebackType
from typing import Self

from opentelemetry import context as contexts
from opentelemetry import trace as api
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from shared.telemetry import tracing
from shared.telemetry.trace import enter_trace, leave_trace

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_KINDS: dict[tracing.Kind, api.SpanKind] = {
    "internal": api.SpanKind.INTERNAL,
    "server": api.SpanKind.SERVER,
    "client": api.SpanKind.CLIENT,
    "producer": api.SpanKind.PRODUCER,
    "consumer": api.SpanKind.CONSUMER,
}


class OtelTracer:
    """The tracer that `tracing.use` takes."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("ledgerdesk")

    def span(
        self,
        name: str,
        kind: tracing.Kind,
        traceparent: str | None,
        attributes: dict[str, tracing.Attribute],
    ) -> tracing.Span:
        return _OtelSpan(self._tracer, name, _KINDS[kind], traceparent, attributes)

    def traceparent(self) -> str | None:
        context = api.get_current_span().get_span_context()
        if not context.is_valid:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"


class _OtelSpan:
    __slots__ = (
        "_attributes",
        "_context_token",
        "_kind",
        "_name",
        "_span",
        "_trace_token",
        "_traceparent",
        "_tracer",
    )

    _span: api.Span
    _context_token: Token[Context]
    _trace_token: Token[str | None]

    def __init__(
        self,
        tracer: api.Tracer,
        name: str,
        kind: api.SpanKind,
        traceparent: str | None,
        attributes: dict[str, tracing.Attribute],
    ) -> None:
        self._tracer, self._name, self._kind = tracer, name, kind
        self._traceparent, self._attributes = traceparent, attributes

    def __enter__(self) -> Self:
        parent = parse(self._traceparent)
        self._span = self._tracer.start_span(
            self._name,
            context=api.set_span_in_context(api.NonRecordingSpan(parent)) if parent is not None else None,
            kind=self._kind,
            attributes=self._attributes,
        )
        self._context_token = contexts.attach(api.set_span_in_context(self._span))
        self._trace_token = enter_trace(f"{self._span.get_span_context().trace_id:032x}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is not None and issubclass(kind, Exception):
            # The type only: the message of an exception may quote what people wrote.
            self._span.set_attribute("error.type", kind.__name__)
            self.fail(kind.__name__)
        self._span.end()
        leave_trace(self._trace_token)
        contexts.detach(self._context_token)

    def set(self, name: str, value: tracing.Attribute) -> None:
        self._span.set_attribute(name, value)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, description: str = "") -> None:
        self._span.set_status(api.StatusCode.ERROR, description or None)


def parse(traceparent: str | None) -> api.SpanContext | None:
    """The span that a W3C traceparent names; None if it is not valid."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    return api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=api.TraceFlags(flags & 1))


def start(resource: Resource) -> TracerProvider:
    """Switches tracing on for this process. The caller adds span processors."""
    provider = TracerProvider(resource=resource)
    tracing.use(OtelTracer(provider))
    return provider
