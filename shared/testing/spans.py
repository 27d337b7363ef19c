"""The spans of a process, recorded in memory."""

import contextlib
from collections.abc import Iterator

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry import recording, tracing


class Spans:
    """The spans that have ended in the block of `in_memory`."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def ended(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> ReadableSpan:
        """The one span of that name."""
        (span,) = (span for span in self.ended() if span.name == name)
        return span


@contextlib.contextmanager
def in_memory() -> Iterator[Spans]:
    """Records the spans of this process until the block ends."""
    exporter = InMemorySpanExporter()
    provider = recording.start(Resource.create({}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    try:
        yield Spans(exporter)
    finally:
        tracing.use(None)
        provider.shutdown()
