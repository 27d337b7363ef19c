"""The open streams of this process. Each has a bounded queue of bytes that its client has not read yet."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Never
from uuid import UUID

from prometheus_client import Counter, Gauge
from starlette.types import Send

from services.gateway.live import sse
from services.gateway.signing_in.sessions import Principal
from shared.http import problems
from shared.http.live_link import MOST_STREAMS as MOST_ON_LINK
from shared.runtime.concurrency import ConcurrencyLimit
from shared.runtime.heartbeat import Heartbeat

OPEN = Gauge("ledgerdesk_gateway_streams", "Live streams that are open")
ENDED = Counter("ledgerdesk_gateway_streams_ended_total", "Live streams that ended, by the reason", ["reason"])
MESSAGES = Counter("ledgerdesk_gateway_stream_messages_total", "Messages put on live streams", ["event"])

MOST_STREAMS = min(1280, MOST_ON_LINK)
"""Streams in one process. They may take most of its connections (`serving.server.MOST_CONNECTIONS`), never all."""
MOST_OF_A_PERSON = 32
"""Streams of one person, with all their tabs and devices."""
MOST_BYTES = 256 * 1024
"""Bytes in the queue of one stream. A client that is further behind is dropped with `reset`."""
COMMENT_SECONDS = 15.0
TICK_SECONDS = 1.0
ROOM_BYTES = 32 * 1024
"""A stream with fewer bytes in its queue gets the next page of the past."""
RETRY_MILLISECONDS = (500, 8000)
"""When the clients of an ending process come back: at different times."""


class Stream:
    """One client. `place` is where it resumes: it has, in its queue or read, everything up to there.

    A stream that has `joined` is at the place of the link if that came later than its own (`heard`).
    """

    __slots__ = (
        "_ending", "_pieces", "_size", "_wake", "begun", "commented", "heard", "joined", "number", "opening", "owed",
        "place", "session", "tickets",
    )  # fmt: skip

    def __init__(self, number: int, session: UUID, place: str | None, tickets: list[str]) -> None:
        self.number, self.session, self.place, self.tickets = number, session, place, tickets
        self.heard = 0
        self.joined = self.begun = self.owed = False
        self.opening: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        """Done when reporting has opened the stream for the first time."""
        self.commented = time.monotonic()
        self._pieces: list[bytes] = []
        self._size = 0
        self._wake = asyncio.Event()
        self._ending = ""

    @property
    def ended(self) -> bool:
        return bool(self._ending)

    def begin(self, place: str, *, reset: bool) -> None:
        """Reporting has opened the stream at a place; `reset` if it does not know the one that was asked for."""
        if not self.begun:
            self.begun = True
            self.put(sse.begin(place))
        if reset:
            self.put(sse.message("reset", place, "{}"))
        if self.opening is not None and not self.opening.done():
            self.opening.set_result(None)

    def put(self, piece: bytes) -> None:
        """Adds bytes for the client. One that has too many unread is dropped with `reset`."""
        if self._ending:
            return
        self._size += len(piece)
        if self._size > MOST_BYTES:
            self._pieces = [sse.message("reset", self.place or "", "{}")]
            self.end("slow")
            return
        self._pieces.append(piece)
        self._wake.set()

    def end(self, reason: str, last: bytes = b"") -> None:
        """Ends the stream once its client has read what is queued."""
        if self._ending:
            return
        if last:
            self._pieces.append(last)
        self._ending = reason
        ENDED.labels(reason).inc()
        if self.opening is not None and not self.opening.done():
            self.opening.cancel()
        self._wake.set()

    def owes_room(self) -> bool:
        """Whether reporting waits for `more` and the client has read enough."""
        return self.owed and self._size < ROOM_BYTES

    async def run(self, send: Send, room: Callable[["Stream"], None]) -> None:
        """Sends what is put into the queue until the stream has ended. Calls `room` when there is room for a page."""
        while True:
            while self._pieces:
                pieces, self._pieces = self._pieces, []
                await send({"type": "http.response.body", "body": b"".join(pieces), "more_body": True})
                if not self._ending:
                    self._size = sum(map(len, self._pieces))
                if self.owes_room():
                    room(self)
            if self._ending:
                return
            self._wake.clear()
            await self._wake.wait()


class Streams:
    """All open streams, and the sign-ins that they belong to. As a background task it sends the comments."""

    def __init__(self) -> None:
        self.by_number: dict[int, Stream] = {}
        self.of_session: dict[UUID, dict[int, Stream]] = {}
        self.principals: dict[UUID, Principal] = {}
        self.place: str | None = None
        """The place of every stream that has joined and has heard nothing since."""
        self.heard = 0
        self.checked = time.monotonic()
        """When the sign-ins were last looked at."""
        self.heartbeat = Heartbeat()
        self._limit = ConcurrencyLimit(MOST_STREAMS, MOST_OF_A_PERSON)
        self._next = self._told = 0
        self._draining = False

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self.by_number.values()))

    def add(self, principal: Principal, place: str | None, tickets: list[str]) -> Stream:
        """A new stream. Raises Problem 429 if the person has too many, 503 if the process has."""
        if self._draining or self._limit.taken >= MOST_STREAMS:
            raise problems.unavailable("No further live stream can be opened here now.", retry_after=5)
        if not self._limit.take(str(principal.identity.person_id)):
            raise problems.too_many(30, f"A person may have {MOST_OF_A_PERSON} live streams.")
        self._next += 1
        stream = Stream(self._next, principal.session, place, tickets)
        self.by_number[stream.number] = stream
        self.of_session.setdefault(principal.session, {})[stream.number] = stream
        self.principals[principal.session] = principal
        OPEN.set(len(self.by_number))
        return stream

    def remove(self, stream: Stream) -> bool:
        """The stream is closed. Returns whether its sign-in has no other one."""
        del self.by_number[stream.number]
        self._limit.give_back(str(self.principals[stream.session].identity.person_id))
        others = self.of_session[stream.session]
        del others[stream.number]
        OPEN.set(len(self.by_number))
        if others:
            return False
        del self.of_session[stream.session], self.principals[stream.session]
        return True

    def place_of(self, stream: Stream) -> str | None:
        """Where a stream resumes."""
        return self.place if stream.joined and self.heard > stream.heard else stream.place

    def reached(self, place: str, stream: Stream | None = None) -> None:
        """A stream has reached a place; None: every one that has joined."""
        self._told += 1
        if stream is not None:
            stream.place, stream.heard = place, self._told
        else:
            self.place, self.heard = place, self._told

    def put(self, to: Iterable[int], event: str, place: str, data: str) -> None:
        """One message for several streams: its bytes exist once."""
        piece = sse.message(event, place, data)
        found = [stream for number in to if (stream := self.by_number.get(number)) is not None]
        for stream in found:
            self.reached(place, stream)
            stream.put(piece)
        MESSAGES.labels(event).inc(len(found))

    def end_session(self, session: UUID) -> None:
        """The sign-in has ended."""
        for stream in list(self.of_session.get(session, {}).values()):
            stream.end("sign-in")

    def drain(self) -> None:
        """The process ends: so do all streams, and their clients come back at different times."""
        self._draining = True
        for stream in self:
            stream.end("process", sse.retry(random.randint(*RETRY_MILLISECONDS)))

    async def run(self) -> Never:
        """Sends each stream a comment every 15 s. One timer for all of them."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self.heartbeat.beat()
            now = time.monotonic()
            for stream in self.by_number.values():
                if stream.begun and now - stream.commented >= COMMENT_SECONDS - TICK_SECONDS / 2:
                    stream.commented = now
                    stream.put(sse.comment(self.place_of(stream)))
