"""Who looks at which ticket: told by PostgreSQL notifications to every process, held in memory, never stored.

Every role of the database may listen to notifications and send them, that of analysts too. Therefore they are sealed.
"""

import asyncio
import base64
import binascii
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, Never
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from shared.database import Pool, connect
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

CHANNEL = "presence"
SECONDS = 30.0
"""How long it holds."""
MOST_OF_A_PERSON = 20
"""Tickets that one person can be at. A further one replaces the oldest."""
MOST_PEOPLE = 5_000
"""In memory; more are not shown."""
LONGEST_NAME = 200
OLDEST = 60.0
"""Seconds that a notification may be old: one that is sent again later does not count."""
_NONCE_BYTES = 12
Doing = Literal["viewing", "replying"]
NOTIFY = "SELECT pg_notify($1, $2)"


class Presence:
    """As a background task it listens. `changed` is called when somebody came, went or does something else.

    `key` has 32 bytes and is the same in every process.
    """

    def __init__(self, pool: Pool, database_url: str, key: bytes, clock: Callable[[], float] = time.monotonic) -> None:
        self.pool, self.database_url, self._clock = pool, database_url, clock
        self._cipher = AESSIV(key)
        self.changed: Callable[[], None] = lambda: None
        self.heartbeat = Heartbeat()
        self._at: dict[UUID, dict[UUID, tuple[str, Doing]]] = {}
        """By ticket and person: name, and what they do."""
        self._until: dict[UUID, OrderedDict[UUID, float]] = {}
        """By person and ticket: when it ends. The last set is the last."""
        self._news: set[UUID] = set()

    async def announce(self, ticket: UUID, person: UUID, name: str, doing: Doing | None) -> None:
        """Tells every process what a person does at a ticket; None: nothing any more."""
        await self.pool.execute(NOTIFY, CHANNEL, self.sealed(ticket, person, name, doing))

    def sealed(self, ticket: UUID, person: UUID, name: str, doing: Doing | None) -> str:
        """The notification, which only `heard` can read."""
        said = {"ticket": str(ticket), "person": str(person), "name": name[:LONGEST_NAME], "doing": doing}
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(
            nonce + self._cipher.encrypt(orjson.dumps(said | {"at": time.time()}), [nonce])
        ).decode()

    def people(self, ticket: UUID) -> list[dict[str, str]]:
        """Who is at a ticket, by name."""
        present = self._at.get(ticket, {})
        shown = ((name, str(person), doing) for person, (name, doing) in present.items())
        return [{"id": person, "name": name, "doing": doing} for name, person, doing in sorted(shown)]

    def news(self) -> set[UUID]:
        """The tickets where people have changed since the last call."""
        now = self._clock()
        for person in list(self._until):
            # In the order in which they end: each was set for the same time.
            for ticket, until in list(self._until[person].items()):
                if until > now:
                    break
                self._leave(person, ticket)
        found, self._news = self._news, set()
        return found

    def heard(self, payload: str) -> None:
        """One notification. Those of others are ignored."""
        try:
            raw = base64.b64decode(payload, validate=True)
            said = orjson.loads(self._cipher.decrypt(raw[_NONCE_BYTES:], [raw[:_NONCE_BYTES]]))
        except (ValueError, binascii.Error, InvalidTag):
            return
        if said["at"] < time.time() - OLDEST:
            return
        ticket, person, doing = UUID(said["ticket"]), UUID(said["person"]), said["doing"]
        if doing is None:
            self._leave(person, ticket)
        elif person in self._until or len(self._until) < MOST_PEOPLE:
            tickets = self._until.setdefault(person, OrderedDict())
            tickets[ticket] = self._clock() + SECONDS
            tickets.move_to_end(ticket)
            present = self._at.setdefault(ticket, {})
            if present.get(person) != (said["name"], doing):
                present[person] = said["name"], doing
                self._news.add(ticket)
            if len(tickets) > MOST_OF_A_PERSON:
                self._leave(person, next(iter(tickets)))
        if self._news:
            self.changed()

    def _leave(self, person: UUID, ticket: UUID) -> None:
        tickets = self._until.get(person, OrderedDict())
        if tickets.pop(ticket, None) is None:
            return
        if not tickets:
            del self._until[person]
        del self._at[ticket][person]
        if not self._at[ticket]:
            del self._at[ticket]
        self._news.add(ticket)

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("presence", self._listen, self.heartbeat)

    async def _listen(self) -> None:
        lost = asyncio.Event()
        connection = await connect(self.database_url)
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *heard: self.heard(str(heard[3])))
            while not lost.is_set():
                self.heartbeat.beat()
                await connection.execute("SELECT 1")  # a connection that hangs is noticed
                await set_within(lost, SECONDS)
            raise ConnectionResetError("the connection for notifications is lost")
        finally:
            connection.terminate()
