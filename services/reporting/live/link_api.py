"""The link of a gateway process, over HTTP (`shared.http.live_link`)."""

import asyncio
import logging
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.types import Receive, Scope, Send

from services.reporting.live.hub import Hub
from services.reporting.live.subscriptions import Link
from shared.http.identity import IdentityVerifier, service_only
from shared.http.live_link import MOST_STREAMS, MOST_TICKETS, PATH, PING_SECONDS, BadFrame, Frame, FrameReader
from shared.http.problems import Problem
from shared.http.routes import router as strict
from shared.http.serving.limits import RUNNING, Running, body_limit
from shared.http.serving.protocol import CONNECTION, OpenConnection
from shared.telemetry.asgi import UNENDING

log = logging.getLogger(__name__)

UNLIMITED = 1 << 62
"""Bytes of the body, which has no end."""


class LinkResponse(Response):
    """Reads and writes frames until the gateway, or this process, ends."""

    def __init__(self, hub: Hub, verifier: IdentityVerifier) -> None:
        super().__init__()
        self.hub, self.verifier = hub, verifier
        self.link = Link()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[UNENDING] = True
        running: Running = scope[RUNNING]
        running.leave()
        connection: OpenConnection = scope[CONNECTION]
        connection.stay_open(lambda: None)
        headers = [(b"content-type", b"application/x-ndjson"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        self.hub.add(self.link)
        tasks = [asyncio.create_task(each, name="live link") for each in (self._read(receive), self._write(send))]
        pings = asyncio.create_task(self._ping(), name="live link ping")
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.hub.remove(self.link)
            for task in (pings, *tasks):
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, BadFrame | Problem):
                    log.warning("a gateway's link is refused: %s", result)
                elif isinstance(result, Exception):
                    log.error("a gateway's link failed", exc_info=result)
        await send({"type": "http.response.body", "body": b""})

    async def _read(self, receive: Receive) -> None:
        reader = FrameReader()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            for frame in reader.frames(message.get("body", b"")):
                self._take(frame)
            if not message.get("more_body", False):
                return

    async def _write(self, send: Send) -> None:
        while data := await self.link.unsent():
            await send({"type": "http.response.body", "body": data, "more_body": True})
            self.link.was_sent()

    async def _ping(self) -> None:
        while True:
            self.link.send({"op": "ping"})
            await asyncio.sleep(PING_SECONDS)

    def _take(self, frame: Frame) -> None:
        """One frame of the gateway. Raises BadFrame, and Problem for an identity that is not signed."""
        hub, link = self.hub, self.link
        try:
            match frame["op"]:
                case "person":
                    hub.identify(link, int(frame["p"]), self.verifier.verify(frame["who"]))
                case "forget":
                    hub.forget(link, int(frame["p"]))
                case "open":
                    if len(link.subscriptions) >= MOST_STREAMS:
                        raise BadFrame("too many streams")
                    tickets = [UUID(each) for each in frame["tickets"][:MOST_TICKETS]]
                    hub.open(link, int(frame["s"]), link.listeners[int(frame["p"])], frame["after"], tickets)
                case "close":
                    hub.close(link, int(frame["s"]))
                case "more":
                    hub.more(link, int(frame["s"]))
                case _:
                    pass  # a ping, or a frame of a later version
        except (KeyError, TypeError, ValueError) as error:
            raise BadFrame(f"a frame {frame['op']} is not complete") from error


def router(hub: Hub) -> APIRouter:
    routes = strict(include_in_schema=False, dependencies=[Depends(service_only)])

    @routes.post(PATH)
    @body_limit(UNLIMITED)
    async def link(request: Request) -> Response:
        return LinkResponse(hub, request.app.state.identity)

    return routes
