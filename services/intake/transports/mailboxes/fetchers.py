"""Which mailboxes this process fetches: those that are configured and that no other process has leased."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Never, get_args
from uuid import UUID

from services.intake.mailroom.mailroom import Mailroom
from services.intake.transports.mailboxes.clients.client import Login
from services.intake.transports.mailboxes.clients.oauth2 import AccessTokens
from services.intake.transports.mailboxes.destinations import Destinations
from services.intake.transports.mailboxes.fetcher import Intervals, MailboxFetcher
from services.intake.transports.mailboxes.memory_budget import MemoryBudget
from services.intake.transports.mailboxes.progress import Progress
from services.intake.transports.mailboxes.secrets import secret
from shared.contracts.directory import Afterwards, Encryption, Mailbox, OAuth2, OtherCredential, Password, Protocol
from shared.database import OwnConnection, connect
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

log = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
LOCK_SPACE = 0x3A11
"""The first key of the advisory locks; the second one is made of the mailbox's id."""
LOCK = "SELECT pg_try_advisory_lock($1, hashtext($2))"
UNLOCK = "SELECT pg_advisory_unlock($1, hashtext($2))"


def can_fetch(mailbox: Mailbox) -> bool:
    """Whether this version knows everything that the mailbox's document asks for; otherwise a newer version fetches
    it."""
    return (
        mailbox.protocol in get_args(Protocol)
        and mailbox.tls in get_args(Encryption)
        and mailbox.afterwards in get_args(Afterwards)
        and not isinstance(mailbox.credential, OtherCredential)
    )


@dataclass(frozen=True, slots=True)
class _Running:
    fetcher: MailboxFetcher
    task: asyncio.Task[Never]


class Fetchers:
    """A lease is an advisory lock on one connection: when the connection ends, all fetching ends. For a moment two
    processes may fetch then, which does no harm, because the same mail twice is one."""

    def __init__(
        self,
        mailroom: Mailroom,
        database_url: str,
        secrets: Path | None,
        destinations: Destinations,
        *,
        intervals: Intervals | None = None,
    ) -> None:
        self.mailroom, self.database_url, self.secrets = mailroom, database_url, secrets
        self.destinations, self.intervals = destinations, intervals or Intervals()
        self.progress = Progress(mailroom.records.pool)
        self.tokens = AccessTokens(mailroom.records.pool, secrets, destinations)
        self.memory = MemoryBudget()
        self._context: ssl.SSLContext | None = None
        self.leases: set[UUID] = set()
        """The mailboxes that this process has leased."""
        self.rounds = 0
        """How often it has checked what there is to fetch."""
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
                self.heartbeat.parts = [running.fetcher.heartbeat for running in self._running.values()]
                self.heartbeat.beat()
                self.rounds += 1
                await asyncio.sleep(CHECK_SECONDS)
        finally:
            for mailbox in list(self._running):
                await self._end(mailbox)
            self.leases.clear()
            connection.terminate()

    async def _arrange(self, connection: OwnConnection) -> None:
        """Starts and ends fetchers as the documents say now. Raises if the connection, and with it the leases, are
        lost."""
        mailboxes = self.mailroom.directory.configuration.mailboxes.values()
        wanted = {mailbox.id: mailbox for mailbox in mailboxes if can_fetch(mailbox)}
        for known, running in list(self._running.items()):
            if wanted.get(known) != running.fetcher.mailbox or running.task.done():
                await self._end(known)
        await connection.execute("SELECT 1")
        for gone in self.leases - wanted.keys():
            await connection.execute(UNLOCK, LOCK_SPACE, str(gone))
        self.leases &= wanted.keys()
        for mailbox in wanted.values():
            if mailbox.id not in self.leases and await connection.fetchval(LOCK, LOCK_SPACE, str(mailbox.id)):
                self.leases.add(mailbox.id)
            if mailbox.id in self.leases and mailbox.id not in self._running:
                log.info("mailbox %s is fetched here", mailbox.slug)
                fetcher = self._fetcher(mailbox)
                task = asyncio.create_task(fetcher.run(), name=f"mailbox {mailbox.slug}")
                self._running[mailbox.id] = _Running(fetcher, task)

    def _fetcher(self, mailbox: Mailbox) -> MailboxFetcher:
        assert self._context is not None
        return MailboxFetcher(
            mailbox,
            self.mailroom,
            self.progress,
            self.memory,
            self._login,
            self.tokens.forget,
            self._context,
            self.destinations,
            self.intervals,
        )

    async def _login(self, mailbox: Mailbox) -> Login:
        match mailbox.credential:
            case Password(secret=name):
                return Login(mailbox.user, secret(self.secrets, name))
            case OAuth2() as credential:
                return Login(mailbox.user, await self.tokens.get(mailbox, credential), is_token=True)
            case OtherCredential():
                raise AssertionError("can_fetch leaves it to a newer version")

    async def _end(self, mailbox: UUID) -> None:
        task = self._running.pop(mailbox).task
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("fetching from mailbox %s ended: %s", mailbox, type(error).__name__)
