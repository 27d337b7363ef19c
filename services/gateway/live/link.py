"""The one connection to reporting that carries all live streams of this process (`shared.http.live_link`).

When it breaks, it is made again, to whichever process of reporting answers, and every stream is opened at the place
that it has reached: its client notices a pause and nothing else.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Never
from uuid import UUID

import aiohttp
from prometheus_client import Gauge

from services.gateway.documents.propagation import GATEWAY
from services.gateway.live.streams import Stream, Streams
from services.gateway.signing_in.sessions import Principal
from shared.http.identity import HEADER, sign
from shared.http.keys import SigningKey
from shared.http.live_link import PATH, PING_SECONDS, SILENCE_SECONDS, BadFrame, Frame, FrameReader, encoded
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

CONNECTED = Gauge("ledgerdesk_gateway_stream_link", "Whether the link to reporting is up")
SERVICE = "reporting"
REFRESH_SECONDS = 30.0
"""Age of a signed identity that is replaced. It is valid for 60 s."""
UNCHECKED_SECONDS = 30.0
"""Nobody is vouched for again whose sign-in could not be looked at for so long."""
MOST_UNSENT = 4 << 20
"""Bytes that reporting has not read. Beyond them the link is made anew."""


class LinkLost(ConnectionError):
    """The link ended or broke."""


class Link:
    """A background task. `base` is the URL of reporting."""

    def __init__(self, client: aiohttp.ClientSession, base: str, signing_key: SigningKey, streams: Streams) -> None:
        self.client, self.base, self.signing_key, self.streams = client, base, signing_key, streams
        self.heartbeat = Heartbeat()
        self._people: dict[UUID, tuple[int, float, int]] = {}
        """Of the sign-ins on the link: their number, when their identity was signed, and the person's version."""
        self._numbers = 0
        self._unsent: list[bytes] = []
        self._size = 0
        self._something = asyncio.Event()
        self._connected = False

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("live link", self._serve, self.heartbeat)

    def open(self, stream: Stream) -> None:
        """A new stream, or one that begins again at the place it has reached."""
        if not self._connected:
            return  # every stream is opened when the link is up
        principal = self.streams.principals[stream.session]
        number = self._known(principal)
        after = self.streams.place_of(stream)
        stream.place, stream.joined, stream.owed = after, False, False
        self._send({"op": "open", "s": stream.number, "p": number, "after": after, "tickets": stream.tickets})

    def close(self, stream: Stream, *, last: bool) -> None:
        """The stream is closed; `last`: its sign-in has no other one."""
        if self._connected:
            self._send({"op": "close", "s": stream.number})
        if last:
            known = self._people.pop(stream.session, None)
            if known is not None and self._connected:
                self._send({"op": "forget", "p": known[0]})

    def room(self, stream: Stream) -> None:
        """The client of a stream has read enough to get the next page of the past."""
        stream.owed = False
        if self._connected:
            self._send({"op": "more", "s": stream.number})

    def refresh(self) -> None:
        """Signs identities again that are old, or whose person has changed."""
        if not self._connected:
            return
        now = time.monotonic()
        for session, principal in self.streams.principals.items():
            known = self._people.get(session)
            if known is None or now - known[1] > REFRESH_SECONDS or known[2] != principal.person_version:
                self._sign(principal, known[0] if known is not None else None)

    def _known(self, principal: Principal) -> int:
        known = self._people.get(principal.session)
        return known[0] if known is not None else self._sign(principal, None)

    def _sign(self, principal: Principal, number: int | None) -> int:
        if number is None:
            self._numbers += 1
            number = self._numbers
        self._people[principal.session] = number, time.monotonic(), principal.person_version
        who = sign(principal.identity, SERVICE, self.signing_key)
        self._send({"op": "person", "p": number, "who": who})
        return number

    def _send(self, frame: Frame) -> None:
        data = encoded(frame)
        self._unsent.append(data)
        self._size += len(data)
        self._something.set()

    async def _serve(self) -> None:
        self._people, self._unsent, self._size = {}, [], 0
        headers = {HEADER: sign(GATEWAY, SERVICE, self.signing_key), "Content-Type": "application/x-ndjson"}
        timeout = aiohttp.ClientTimeout(total=None, connect=3, sock_connect=3, sock_read=SILENCE_SECONDS)
        try:
            async with self.client.post(
                self.base + PATH, headers=headers, data=self._frames(), timeout=timeout
            ) as answer:
                if answer.status != 200:
                    raise LinkLost(f"reporting answers {answer.status} to the link")
                self._connected = True
                CONNECTED.set(1)
                for stream in self.streams:
                    self.open(stream)
                await self._listen(answer)
        except (aiohttp.ClientError, BadFrame) as error:
            raise LinkLost(f"{type(error).__name__}: {error}") from error
        finally:
            self._connected = False
            CONNECTED.set(0)

    async def _frames(self) -> AsyncIterator[bytes]:
        """What reporting gets, as it comes; a ping when there is nothing."""
        while True:
            self._something.clear()
            sent, self._unsent, self._size = self._unsent, [], 0
            yield b"".join(sent) or encoded({"op": "ping"})
            await set_within(self._something, PING_SECONDS)

    async def _listen(self, answer: aiohttp.ClientResponse) -> None:
        reader = FrameReader()
        async for data in answer.content.iter_any():
            self.heartbeat.beat()
            for frame in reader.frames(data):
                if frame["op"] == "end":
                    return
                self._take(frame)
            if self._size > MOST_UNSENT:
                raise LinkLost("reporting does not read")
        raise LinkLost("reporting ended the link")

    def _take(self, frame: Frame) -> None:
        streams = self.streams
        match frame["op"]:
            case "new":
                streams.put(frame["to"], frame["event"], frame["id"], frame["data"])
                return
            case "at":
                streams.reached(frame["id"])
                return
        stream = streams.by_number.get(frame.get("s", 0))
        if stream is None or stream.ended:
            return
        match frame["op"]:
            case "opened":
                streams.reached(frame["id"], stream)
                stream.begin(frame["id"], reset=frame["reset"])
            case "past":
                streams.put((stream.number,), frame["event"], frame["id"], frame["data"])
            case "page":
                streams.reached(frame["id"], stream)
                stream.owed = True
                if stream.owes_room():
                    self.room(stream)
            case "joined":
                streams.reached(frame["id"], stream)
                stream.joined = True
            case "refused" if time.monotonic() - streams.checked > UNCHECKED_SECONDS:
                stream.end("unchecked")
            case "refused":
                self._people.pop(stream.session, None)
                self.open(stream)
            case _:
                pass  # of a later version
