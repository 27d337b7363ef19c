"""Spans, and the W3C trace context that travels with requests and events.

With tracing off (`OTEL_TRACES_EXPORTER` unset or `none`) OpenTelemetry is not imported, every span is one shared object
that does nothing, and there is no traceparent to propagate. `shared.telemetry.setup` switches tracing on.
"""

from types import TracebackType
from typing import Literal, Protocol, Self

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attribute = str | bool | int | float
TRACEPARENT = "traceparent"
"""The name of the HTTP header and of the Kafka record header."""


class Span(Protocol):
    """A context manager; an exception that leaves it marks the span as failed."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
    def set(self, name: str, value: Attribute) -> None:
        """Sets an attribute."""

    def rename(self, name: str) -> None: ...
    def fail(self, description: str = "") -> None:
        """Marks the span as failed without an exception."""


class Tracer(Protocol):
    """What `use` takes. The implementation over OpenTelemetry is in `recording`."""

    def span(
        self,
        name: str,
        kind: Kind,
        traceparent: str | None,
        attributes: dict[str, Attribute],
    ) -> Span: ...
    def traceparent(self) -> str | None: ...


class _NoSpan:
    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return None

    def set(self, name: str, value: Attribute) -> None:
        return None

    def rename(self, name: str) -> None:
        return None

    def fail(self, description: str = "") -> None:
        return None


NO_SPAN: Span = _NoSpan()
_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Switches tracing on (or off with None) for this process."""
    global _tracer
    _tracer = tracer


def enabled() -> bool:
    return _tracer is not None


def span(
    name: str,
    *,
    kind: Kind = "internal",
    traceparent: str | None = None,
    **attributes: Attribute,
) -> Span:
    """A span, to be entered with `with`.

    Its parent is `traceparent` (a W3C header value; an invalid one is ignored), else the span around it.
    """
    return NO_SPAN if _tracer is None else _tracer.span(name, kind, traceparent, attributes)


def traceparent() -> str | None:
    """The W3C `traceparent` value of the current span; None with tracing off or outside of any span."""
    return None if _tracer is None else _tracer.traceparent()
