"""`GET /stream`: what changed, as it changes (api.md, section 6)."""

import asyncio
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.types import Receive, Scope, Send

from services.gateway.live.link import Link
from services.gateway.live.streams import Stream, Streams
from services.gateway.signing_in.dependencies import Reader
from services.gateway.signing_in.sessions import Principal
from shared.http import problems
from shared.http.live_link import MOST_TICKETS
from shared.http.routes import router as strict
from shared.http.serving.limits import RUNNING, Running
from shared.http.serving.protocol import CONNECTION, OpenConnection
from shared.telemetry.asgi import UNENDING

MEDIA_TYPE = "text/event-stream"
OPENING_SECONDS = 5.0
"""How long a new stream waits for reporting before it is refused."""
LONGEST_PLACE = 1024
EXAMPLE = """\
retry: 2000

id: q3Zk0V3lT5c

event: ticket
id: 8sLx1QwR7nE
data: {"id":"0199e5c1-7a10-7c3e-9d55-0242ac120002","number":"2026112910000018",\
"queue":{"id":"0199e5c1-0000-7000-8000-000000000001","slug":"it-support","name":"IT support"},"was_queue":null,\
"versions":{"intake":1,"notify":2,"routing":5},"types":["helpdesk.AgentReplied.v1"],\
"actor":{"kind":"agent","id":"0199e5c1-0000-7000-8000-00000000000a","name":"Kari"},"gone":false}

event: counts
id: 8sLx1QwR7nE
data: {"queues":[{"queue":{"id":"0199e5c1-0000-7000-8000-000000000001","slug":"it-support","name":"IT support"},\
"new":3,"open":12,"pending":1,"closed":240,"available":14,"locked_by_me":1,"owned_by_me":2}],"mine":null}

event: notice
id: 8sLx1QwR7nE
data: {"id":"0199e5c1-7a13-7f33-9c1d-4b8e6dae3206","at":"2026-11-29T09:31:40.507Z","kind":"follow_up",\
"ticket":{"id":"0199e5c1-7a10-7c3e-9d55-0242ac120002","number":"2026112910000018","title":"My computer hums"},\
"text":"Kari Nordmann wrote a message.","seen":false}

event: presence
id: 8sLx1QwR7nE
data: {"ticket":"0199e5c1-7a10-7c3e-9d55-0242ac120002",\
"people":[{"id":"0199e5c1-0000-7000-8000-00000000000a","name":"Kari","doing":"replying"}]}

:
id: 9aTc4YbK2mU
"""
DESCRIPTION = """\
Server-sent events. Open the stream, then read the lists: whatever changes after the stream has begun is sent.

* `ticket`: a ticket changed, and the lists show it. `types` are those of its events, `was_queue` is set by a move.
  `{"id", "gone": true}`: you may not see it any more.
* `counts`: the rows of `GET /stats/queues` that changed, and `mine` if it changed; at most once a second.
* `notice`: you have a new notice, a row of `GET /notices`. After a reconnection it may come again.
* `presence`: who looks at a ticket of `?tickets=`, or replies to it. Not for customers.
* `reset`: the place to resume at is not known here, or you have read too slowly. Read everything anew.

Every message has an `id`, and so have comments (every 15 s) and the beginning: a client that reconnects with it in
`Last-Event-ID` (browsers do) or in `?after=` gets everything after it, once. The stream ends with the sign-in, and when
a process of the server ends; then reconnect after the time that `retry` says. Ignore events of other names.
"""


@dataclass(frozen=True, slots=True)
class Live:
    """What the route needs."""

    streams: Streams
    link: Link

    async def opened(self, principal: Principal, after: str | None, tickets: list[str], scope: Scope) -> Stream:
        """A new stream that reporting has opened. Raises Problem 429 or 503."""
        stream = self.streams.add(principal, after, tickets)
        try:
            scope[UNENDING] = True
            connection: OpenConnection = scope[CONNECTION]
            connection.stay_open(lambda: stream.end("client"))
            self.link.open(stream)
            await self._until_open(stream)
        except BaseException:
            self.close(stream)
            raise
        return stream

    async def _until_open(self, stream: Stream) -> None:
        opening = stream.opening
        assert opening is not None
        done, _ = await asyncio.wait((opening,), timeout=OPENING_SECONDS)
        stream.opening = None
        if not done or opening.cancelled():
            raise problems.unavailable("Live changes cannot be sent now.", retry_after=5)

    def close(self, stream: Stream) -> None:
        """Forgets a stream."""
        stream.end("client")
        self.link.close(stream, last=self.streams.remove(stream))


class StreamResponse(Response):
    """Sends a stream until its client, its sign-in or the process ends."""

    media_type = MEDIA_TYPE

    def __init__(self, live: Live, stream: Stream) -> None:
        super().__init__()
        self.live, self.stream = live, stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self.stream.run(send, self.live.link.room)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.live.close(self.stream)


def router(live: Live) -> APIRouter:
    routes = strict("/api/v1", tags=["live"])

    @routes.get(
        "/stream",
        operation_id="openStream",
        summary="What changed that you may see, as it changes",
        description=DESCRIPTION,
        response_class=Response,
        responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": EXAMPLE}}}},
    )
    async def open_stream(
        request: Request,
        principal: Reader,
        after: Annotated[
            str, Query(max_length=LONGEST_PLACE, description="As Last-Event-ID, for clients that cannot send it.")
        ] = "",
        tickets: Annotated[
            str, Query(max_length=4096, description="Ids of tickets whose presence is wanted, separated by commas.")
        ] = "",
        last_event_id: Annotated[
            str, Header(max_length=LONGEST_PLACE, description="The id of the last message: resume after it.")
        ] = "",
    ) -> Response:
        await request.body()  # none; from here on the server only tells that the client has gone
        running: Running | None = request.scope.get(RUNNING)
        if running is not None:
            running.leave()
        # The header comes first: when a browser reconnects, the address still has the `after` that it began with.
        stream = await live.opened(principal, last_event_id or after or None, watched(tickets), request.scope)
        return StreamResponse(live, stream)

    return routes


def watched(text: str) -> list[str]:
    """The ids in `?tickets=`. Raises Problem 422."""
    ids = [each.strip() for each in text.split(",") if each.strip()]
    if len(ids) > MOST_TICKETS:
        raise problems.invalid("/query/tickets", f"At most {MOST_TICKETS} tickets.")
    try:
        return [str(UUID(each)) for each in ids]
    except ValueError:
        raise problems.invalid("/query/tickets", "These are not ids of tickets, separated by commas.") from None
