"""A response whose body is made while it is sent, and that ends its work as soon as its client is gone."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Sink = Callable[[bytes], Coroutine[Any, Any, None]]
"""Takes the next piece of a body; returns when there is room for more."""


class Download(Response):
    """`produce` gives the body to a sink, piece by piece.

    The response starts with the first piece: an error before it becomes a problem document. An error after it leaves
    the response incomplete, which HTTP clients recognise. A disconnect cancels `produce`.
    """

    def __init__(
        self, produce: Callable[[Sink], Coroutine[Any, Any, None]], media_type: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__(media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._produce = produce

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def start() -> None:
            nonlocal started
            if not started:
                started = True
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def sink(piece: bytes) -> None:
            await start()
            await send({"type": "http.response.body", "body": piece, "more_body": True})

        async def produced() -> None:
            await self._produce(sink)

        producing = asyncio.create_task(produced())
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait((producing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not producing.done():
                return
            await producing
            await start()
            await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()
            producing.cancel()
            await asyncio.wait((producing, leaving))


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
