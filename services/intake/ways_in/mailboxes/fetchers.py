"""Which mailboxes this process fetches: every one that is configured and that no other process fetches at this moment."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Never, get_args
from uuid import UUID

from services.intake.mailroom.mailroom import Mailroom
from services.intake.ways_in.mailboxes.clients.box import Login
from services.intake.ways_in.mailboxes.clients.oauth2 import Tokens
from services.intake.ways_in.mailboxes.destinations import Destinations
from services.intake.ways_in.mailboxes.fetching import Fetching, Pace
from services.intake.ways_in.mailboxes.progress import Progress
from services.intake.ways_in.mailboxes.room import Room
from services.intake.ways_in.mailboxes.secrets import secret
from shared.contracts.directory import Afterwards, Encryption, Mailbox, OAuth2, OtherCredential, Password, Protocol
from shared.database import OwnConnection, connect
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
LOCK_SPACE = 0x3A11
"""The first key of the advisory locks; the second one is made of the mailbox's id."""
LOCK = "SELECT pg_try_advisory_lock($1, hashtext($2))"
UNLOCK = "SELECT pg_advisory_unlock($1, hashtext($2))"


def is_known(mailbox: Mailbox) -> bool:
    """Whether this version can fetch it as it is meant; one of tomorrow is left to the processes of tomorrow."""
    return (
        mailbox.protocol in get_args(Protocol)
        and mailbox.tls in get_args(Encryption)
        and mailbox.afterwards in get_args(Afterwards)
        and not isinstance(mailbox.credential, OtherCredential)
    )


@dataclass(frozen=True, slots=True)
class _Running:
    fetching: Fetching
    task: asyncio.Task[Never]


class Fetchers:
    """A mailbox's lock lives on one connection: when that ends, so does all fetching. For a moment two processes may fetch then, which
    does no harm, because the same mail twice is one."""

    def __init__(
        self,
        mailroom: Mailroom,
        database_url: str,
        folder: Path | None,
        destinations: Destinations,
        *,
        pace: Pace | None = None,
    ) -> None:
        self.mailroom, self.database_url, self.folder, self.pace = mailroom, database_url, folder, pace or Pace()
        self.destinations = destinations
        self.progress = Progress(mailroom.records.pool)
        self.tokens = Tokens(mailroom.records.pool, folder, destinations)
        self.room = Room()
        self._context: ssl.SSLContext | None = None
        self.held: set[UUID] = set()
        """The mailboxes that are this process's own."""
        self.looked = 0
        """How often it has looked what there is to fetch."""
        self._running: dict[UUID, _Running] = {}
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        await supervise("mailboxes", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        self._context = ssl.create_default_context()
        connection = await connect(self.database_url)
        try:
            while True:
                await self._arrange(connection)
                self.heartbeat.parts = [running.fetching.heartbeat for running in self._running.values()]
                self.heartbeat.beat()
                self.looked += 1
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for mailbox in list(self._running):
                await self._end(mailbox)
            self.held.clear()
            connection.terminate()

    async def _arrange(self, connection: OwnConnection) -> None:
        """Begins and ends fetching as the documents say now. Raises when the connection, and so the locks, are gone."""
        mailboxes = self.mailroom.directory.configuration.mailboxes.values()
        wanted = {mailbox.id: mailbox for mailbox in mailboxes if is_known(mailbox)}
        for known, running in list(self._running.items()):
            if wanted.get(known) != running.fetching.mailbox or running.task.done():
                await self._end(known)
        await connection.execute("SELECT 1")
        for gone in self.held - wanted.keys():
            await connection.execute(UNLOCK, LOCK_SPACE, str(gone))
        self.held &= wanted.keys()
        for mailbox in wanted.values():
            if mailbox.id not in self.held and await connection.fetchval(LOCK, LOCK_SPACE, str(mailbox.id)):
                self.held.add(mailbox.id)
            if mailbox.id in self.held and mailbox.id not in self._running:
                log.info("mailbox %s is fetched here", mailbox.slug)
                fetching = self._fetching(mailbox)
                task = asyncio.create_task(fetching.run(), name=f"mailbox {mailbox.slug}")
                self._running[mailbox.id] = _Running(fetching, task)

    def _fetching(self, mailbox: Mailbox) -> Fetching:
        assert self._context is not None
        return Fetching(
            mailbox,
            self.mailroom,
            self.progress,
            self.room,
            self._login,
            self.tokens.forget,
            self._context,
            self.destinations,
            self.pace,
        )

    async def _login(self, mailbox: Mailbox) -> Login:
        match mailbox.credential:
            case Password(secret=name):
                return Login(mailbox.user, secret(self.folder, name))
            case OAuth2() as credential:
                return Login(mailbox.user, await self.tokens.access(mailbox, credential), is_token=True)
            case OtherCredential():
                raise AssertionError("it is not fetched here: is_known")

    async def _end(self, mailbox: UUID) -> None:
        task = self._running.pop(mailbox).task
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("fetching from mailbox %s ended: %s", mailbox, type(error).__name__)
