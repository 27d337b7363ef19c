"""Bounds on what one request may send, and on how many run at once."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http import problems

MAX_BODY = 32 << 20
"""Bytes of a request body (api.md, section 1)."""
_DRAINED = 64 << 20
"""A refused body up to this length is read and thrown away by the server, so that a client that sends first and listens
then gets its answer; for a longer one the connection is closed."""


class _TooLong(Exception):
    """Ends the reading of a body; whatever the application makes of it is replaced by the 413."""


class BodyLimit:
    """ASGI middleware: a longer body than `most` bytes is refused with 413, before it is read if it says its length."""

    def __init__(self, app: ASGIApp, most: int = MAX_BODY) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length: bytes | None = None
        chunked = False
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"transfer-encoding":
                chunked = True
        if chunked:
            await self._counted(scope, receive, send)
        elif length is None:
            await self.app(scope, receive, send)
        elif not length.isdigit() or len(length) > 18:
            await problems.invalid("/header/content-length", "is not a length").response()(scope, receive, send)
        elif int(length) > self.most:
            await _refuse(scope, receive, send, close=int(length) > _DRAINED)
        else:
            await self.app(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0
        started = False

        async def counting() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.most:
                raise _TooLong
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            if taken > self.most and not started:
                return  # the application's answer to the broken reading, or its 500
            started = True
            await send(message)

        try:
            await self.app(scope, counting, watched)
        except _TooLong:
            if started:
                raise
        if taken > self.most and not started:
            await _refuse(scope, receive, send, close=True)


class RunningLimit:
    """ASGI middleware: when `most` requests run already, the next is refused with 503. Probes always pass."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self.app, self.most, self.running = app, most, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.running >= self.most and scope["path"] not in ("/livez", "/readyz", "/metrics"):
            await problems.unavailable("Too many requests are running.").response()(scope, receive, send)
            return
        self.running += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.running -= 1


async def _refuse(scope: Scope, receive: Receive, send: Send, *, close: bool) -> None:
    problem = problems.too_large()
    if close:
        problem.headers["Connection"] = "close"
    await problem.response()(scope, receive, send)
