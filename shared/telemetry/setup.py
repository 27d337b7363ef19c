"""Switches telemetry on for a process, by the standard OTEL_* variables. Off costs nothing."""


def setup(service: str, role: str) -> None:
    """Logs as JSON lines to stderr; traces, metrics and logs exported as the environment says. Call once, first thing.

    `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER`: `otlp`, `console` or `none` (the default);
    `OTEL_EXPORTER_OTLP_ENDPOINT` and its kin as in the OpenTelemetry specification. `LEDGERDESK_LOG_LEVEL`: INFO by default.
    """


def shutdown() -> None:
    """Sends what is still buffered; at most a few seconds. Call last."""
