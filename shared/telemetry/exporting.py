"""Exporters for traces, metrics and logs. Imported only if one is configured."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    BatchLogRecordProcessor,
    ConsoleLogRecordExporter,
    LogRecordExporter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_NAMESPACE,
    Resource,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    ConsoleSpanExporter,
    SimpleSpanProcessor,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric as Family

from shared.telemetry import recording
from shared.telemetry.logs import Flood, JsonLines

log = logging.getLogger(__name__)

_SCOPE = InstrumentationScope("ledgerdesk")
_STARTED = time.time_ns()
_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
)


def start(service: str, role: str, wanted: Mapping[str, frozenset[str]]) -> list[Callable[[], object]]:
    """Starts the exporters of each signal; returns what to call at the end of the process, in order."""
    _check_protocol()
    resource = _resource(service, role)
    endings: list[Callable[[], object]] = []
    if wanted["traces"]:
        endings.append(_start_traces(resource, wanted["traces"]))
    if wanted["metrics"]:
        endings.append(_start_metrics(resource, wanted["metrics"]))
    if wanted["logs"]:
        endings.append(_start_logs(service, role, resource, wanted["logs"]))
    return endings


def _check_protocol() -> None:
    for name in ("", "_TRACES", "_METRICS", "_LOGS"):
        variable = f"OTEL_EXPORTER_OTLP{name}_PROTOCOL"
        if os.environ.get(variable, "http/protobuf") != "http/protobuf":
            log.error("%s: only http/protobuf is supported (port 4318 of a collector)", variable)


def _resource(service: str, role: str) -> Resource:
    attributes = {SERVICE_NAMESPACE: "ledgerdesk", "ledgerdesk.role": role}
    if "OTEL_SERVICE_NAME" not in os.environ:
        attributes[SERVICE_NAME] = service
    attributes[SERVICE_INSTANCE_ID] = os.environ.get("LEDGERDESK_REPLICA") or f"{service}-{os.getpid()}"
    return Resource.create(attributes)


def _start_traces(resource: Resource, exporters: frozenset[str]) -> Callable[[], object]:
    provider = recording.start(resource)
    if "otlp" in exporters:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    if "console" in exporters:
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=_span_line)))
    return provider.shutdown


def _span_line(span: ReadableSpan) -> str:
    line: str = span.to_json(indent=None)
    return f"{line}\n"


def _start_metrics(resource: Resource, exporters: frozenset[str]) -> Callable[[], object]:
    chosen: list[MetricExporter] = []
    if "otlp" in exporters:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
            OTLPMetricExporter,
        )

        chosen.append(OTLPMetricExporter())
    if "console" in exporters:
        chosen.append(ConsoleMetricExporter(formatter=lambda data: data.to_json(indent=None) + "\n"))
    return MetricsPush(resource, chosen, _interval()).stop


def _interval() -> float:
    try:
        return max(100, int(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", "60000"))) / 1000
    except ValueError:
        return 60.0


def _start_logs(service: str, role: str, resource: Resource, exporters: frozenset[str]) -> Callable[[], object]:
    provider = LoggerProvider(resource=resource)
    if "otlp" in exporters:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

        provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    if "console" in exporters:
        exporter: LogRecordExporter = ConsoleLogRecordExporter(
            formatter=lambda record: record.to_json(indent=None) + "\n"
        )
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    handler = OtelLogs(provider.get_logger("ledgerdesk"), JsonLines(service, role))
    handler.addFilter(Flood())
    logging.getLogger().addHandler(handler)

    def end() -> None:
        logging.getLogger().removeHandler(handler)
        provider.shutdown()

    return end


class OtelLogs(logging.Handler):
    """Exports exactly the fields of a log line, so that nothing is exported that the redaction hides."""

    def __init__(self, logger: Logger, lines: JsonLines) -> None:
        super().__init__()
        self._logger, self._lines = logger, lines

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in ("opentelemetry", "urllib3", "requests"):
            return  # an export that logs would lead to another export
        try:
            fields = self._lines.fields(record)
            for standard in ("time", "level", "service", "role", "trace_id"):
                fields.pop(standard, None)
            self._logger.emit(
                timestamp=int(record.created * 1e9),
                severity_number=next((s for level, s in _SEVERITIES if record.levelno >= level), SeverityNumber.DEBUG),
                severity_text=record.levelname,
                body=fields.pop("message"),
                attributes={
                    name: value if isinstance(value, str | bool | int | float) else str(value)
                    for name, value in fields.items()
                },
            )
        except Exception:
            self.handleError(record)


class MetricsPush:
    """Exports the metrics of the Prometheus registry every `interval` seconds and at the end, on its own thread."""

    def __init__(self, resource: Resource, exporters: Sequence[MetricExporter], interval: float) -> None:
        self._resource, self._exporters, self._interval = resource, exporters, interval
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()
        for exporter in self._exporters:
            exporter.shutdown()

    def _loop(self) -> None:
        while True:
            ending = self._ending.wait(self._interval)
            data = metrics_data(REGISTRY.collect(), self._resource)
            for exporter in self._exporters:
                try:
                    exporter.export(data)
                except Exception as error:
                    log.warning("metrics could not be exported: %s", type(error).__name__)
            if ending:
                return


def metrics_data(families: Iterable[Family], resource: Resource) -> MetricsData:
    """Prometheus families as cumulative metrics of OpenTelemetry. Info and summary families are left out."""
    now = time.time_ns()
    metrics = [metric for family in families if (metric := _metric(family, now)) is not None]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(_SCOPE, metrics, "")], "")])


def _metric(family: Family, now: int) -> Metric | None:
    match family.type:
        case "counter":
            points = [
                NumberDataPoint(sample.labels, _STARTED, now, sample.value)
                for sample in family.samples
                if sample.name.endswith("_total")
            ]
            data: Sum | Gauge | Histogram = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
        case "gauge" | "unknown":
            data = Gauge([NumberDataPoint(sample.labels, _STARTED, now, sample.value) for sample in family.samples])
        case "histogram":
            data = Histogram(_histogram_points(family, now), AggregationTemporality.CUMULATIVE)
        case _:
            return None
    return Metric(family.name, family.documentation, family.unit or "", data) if data.data_points else None


def _histogram_points(family: Family, now: int) -> list[HistogramDataPoint]:
    """A bucket of OpenTelemetry has a count of its own; a bucket of Prometheus includes those below it."""
    series: dict[tuple[tuple[str, str], ...], dict[str, list[tuple[float, float]] | float]] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        found = series.setdefault(tuple(sorted(labels.items())), {})
        if sample.name.endswith("_bucket"):
            buckets = found.setdefault("buckets", [])
            assert isinstance(buckets, list)
            buckets.append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith(("_sum", "_count")):
            found[sample.name.rpartition("_")[2]] = sample.value
    points: list[HistogramDataPoint] = []
    for key, found in series.items():
        buckets, count, total = found.get("buckets", []), found.get("count", 0.0), found.get("sum", 0.0)
        assert isinstance(buckets, list)
        assert isinstance(count, float)
        assert isinstance(total, float)
        counts: list[int] = []
        below = 0.0
        for _, cumulative in sorted(buckets):
            counts.append(int(cumulative - below))
            below = cumulative
        bounds = [bound for bound, _ in sorted(buckets)][:-1]
        points.append(HistogramDataPoint(dict(key), _STARTED, now, int(count), total, counts, bounds, 0.0, 0.0))
    return points
