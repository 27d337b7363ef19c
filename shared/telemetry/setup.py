"""Switches telemetry on for a process, by the standard OTEL_* variables. It costs nothing while it is off."""

import logging
import os
import threading
from collections.abc import Callable

from shared.telemetry import logs

log = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0
_endings: list[Callable[[], object]] = []


def setup(service: str, role: str) -> None:
    """Sets up log lines and the exporters that the environment names. Call it once, before anything else.

    `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER`: `otlp` (HTTP with protobuf), `console` (JSON
    lines on stdout) or `none` (the default), several with commas; `OTEL_EXPORTER_OTLP_ENDPOINT` etc.,
    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER` and `OTEL_SDK_DISABLED` as in the
    OpenTelemetry specification. `LEDGERDESK_LOG_LEVEL`: INFO by default.
    """
    logs.configure(service, role, os.environ.get("LEDGERDESK_LOG_LEVEL") or "INFO")
    wanted = {signal: _exporters(signal) for signal in ("traces", "metrics", "logs")}
    if any(wanted.values()):
        from shared.telemetry import exporting  # imports the SDK

        _endings.extend(exporting.start(service, role, wanted))


def shutdown() -> None:
    """Exports what is still buffered, for at most a few seconds. Call it last."""

    def end_all() -> None:
        for end in _endings:
            end()

    if _endings:
        sender = threading.Thread(target=end_all, daemon=True)
        sender.start()
        sender.join(FLUSH_SECONDS)
        _endings.clear()


def _exporters(signal: str) -> frozenset[str]:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return frozenset()
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    named = {name.strip().lower() for name in os.environ.get(variable, "").split(",")} - {"", "none"}
    known = named & {"otlp", "console"}
    if named != known:
        log.warning("%s: exporters are otlp, console and none, not %s", variable, ", ".join(sorted(named - known)))
    return frozenset(known)
