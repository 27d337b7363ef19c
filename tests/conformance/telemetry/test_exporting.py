"""Exporters by the standard OTEL_* variables: what a collector receives."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.telemetry.exporting import metrics_data

ROOT = Path(__file__).parents[3]
PROGRAM = """
import logging
from shared.telemetry.setup import setup, shutdown
from shared.telemetry.tracing import span
setup("intake", "api")
from prometheus_client import Counter
Counter("ledgerdesk_test_total", "A count", ["kind"]).labels("a").inc(3)
with span("open ticket", kind="server", ticket="0192"):
    logging.getLogger("services.intake").warning("password=hunter2 ticket opened")
shutdown()
"""


class Collector(HTTPServer):
    """Collects the requests of OTLP exporters by path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: dict[str, list[bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.taken.setdefault(self.path, []).append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as it:
        thread = threading.Thread(target=it.serve_forever)
        thread.start()
        yield it
        it.shutdown()
        thread.join()


def run(**environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_traces_metrics_and_logs_reach_a_collector(collector: Collector) -> None:
    run(
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_METRICS_EXPORTER="otlp",
        OTEL_LOGS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
    )
    (traces,) = (ExportTraceServiceRequest.FromString(body).resource_spans[0] for body in collector.taken["/v1/traces"])
    (span,) = traces.scope_spans[0].spans
    assert span.name == "open ticket"
    resource = {a.key: a.value.string_value for a in traces.resource.attributes}
    assert (resource["service.name"], resource["service.namespace"]) == ("intake", "ledgerdesk")
    (logs,) = (ExportLogsServiceRequest.FromString(body).resource_logs[0] for body in collector.taken["/v1/logs"])
    (told,) = logs.scope_logs[0].log_records
    assert told.body.string_value == "password=*** ticket opened"
    assert told.trace_id == span.trace_id
    metrics = (
        ExportMetricsServiceRequest.FromString(collector.taken["/v1/metrics"][-1])
        .resource_metrics[0]
        .scope_metrics[0]
        .metrics
    )
    (count,) = (m for m in metrics if m.name == "ledgerdesk_test")
    assert count.sum.data_points[0].as_double == 3
    assert count.sum.is_monotonic


def test_the_console_shows_one_json_line_a_span() -> None:
    shown = run(OTEL_TRACES_EXPORTER="console").stdout
    assert shown.count("\n") == 1 and '"open ticket"' in shown


def test_a_collector_that_is_away_does_not_stop_the_process() -> None:
    run(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")


@pytest.mark.parametrize(
    "environment", [{}, {"OTEL_TRACES_EXPORTER": "none"}, {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}]
)
def test_off_shows_nothing(environment: dict[str, str]) -> None:
    assert run(**environment).stdout == ""


def test_an_unknown_exporter_is_logged() -> None:
    assert "not jaeger" in run(OTEL_TRACES_EXPORTER="jaeger").stderr


def test_prometheus_families_become_otel_metrics() -> None:
    registry = CollectorRegistry()
    Counter("c", "A count", ["kind"], registry=registry).labels("a").inc(2)
    Gauge("g", "A level", registry=registry).set(1.5)
    histogram = Histogram("h", "A distribution", ["route"], registry=registry, buckets=(1, 10))
    for value in (0.5, 5, 7, 50):
        histogram.labels("/x").observe(value)
    (scope,) = metrics_data(registry.collect(), Resource.create({})).resource_metrics[0].scope_metrics
    points: dict[str, Any] = {metric.name: metric.data.data_points[0] for metric in scope.metrics}
    assert (points["c"].value, points["c"].attributes) == (2, {"kind": "a"})
    assert points["g"].value == 1.5
    h = points["h"]
    assert (h.count, h.sum, h.attributes) == (4, 62.5, {"route": "/x"})
    assert (h.bucket_counts, h.explicit_bounds) == ([1, 2, 1], [1.0, 10.0])
