"""ASGI middleware: a trace id, a server span and request metrics for every request."""

import re
from collections.abc import Callable
from time import perf_counter

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import tracing
from shared.telemetry.metrics import SECONDS
from shared.telemetry.trace import enter_trace, leave_trace, new_trace_id

REQUESTS = Histogram(
    "ledgerdesk_http_request_seconds", "HTTP requests by route template", ["method", "route", "status"], buckets=SECONDS
)
PROBES = frozenset(("/livez", "/readyz"))
SECRET_AFTER = ("/api/v1/password-resets/", "/password/new/")
"""What follows in such a path is a secret."""
UNENDING = "ledgerdesk.unending"
"""A key of a request's scope: its response has no end, so the time until it begins is measured."""
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class RequestTelemetry:
    """Continues the caller's trace; counts and times requests by method, route template and status.

    With tracing off, problem documents and log lines still have the caller's trace id, or else a random one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._series: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        status, answered = 500, 0.0

        async def watched(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], perf_counter()
            await send(message)

        carried = _carried(scope)
        token = enter_trace(carried[3:35] if carried else new_trace_id())
        try:
            if tracing.enabled() and scope["path"] not in PROBES:
                await self._traced(scope, receive, watched, carried, lambda: status)
            else:
                await self.app(scope, receive, watched)
        finally:
            ended = answered if UNENDING in scope and answered else perf_counter()
            self._observe(scope, status, ended - began)
            leave_trace(token)

    async def _traced(
        self, scope: Scope, receive: Receive, send: Send, carried: str | None, status: Callable[[], int]
    ) -> None:
        method = scope["method"]
        with tracing.span(method, kind="server", traceparent=carried) as span:
            span.set("http.request.method", method)
            span.set("url.path", without_secret(scope["path"]))
            try:
                await self.app(scope, receive, send)
            finally:
                route = route_template(scope)
                span.rename(f"{method} {route}")
                span.set("http.route", route)
                span.set("http.response.status_code", status())
                if status() >= 500:
                    span.fail()

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        key = (scope["method"], route_template(scope), status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = REQUESTS.labels(key[0], key[1], str(status))
        series.observe(seconds)


def route_template(scope: Scope) -> str:
    """The path of a request's route with the names of its parameters: `/api/v1/tickets/{ref}`."""
    template: str | None = getattr(scope.get("route"), "path_format", None)
    if template is None and scope["path"] in PROBES:
        return str(scope["path"])
    return template or "unmatched"


def without_secret(path: str) -> str:
    """A path as traces may show it."""
    hidden = next((start for start in SECRET_AFTER if path.startswith(start)), None)
    return f"{hidden}..." if hidden is not None else path


def _carried(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return value.decode() if _TRACEPARENT.fullmatch(value) else None
    return None
