"""Fetches the mails of one mailbox for as long as it is configured. A mail is marked, moved or deleted on its server
once it is stored here."""

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Never

from prometheus_client import Counter, Gauge

from services.intake.mail.errors import raised_at
from services.intake.mailroom.mailroom import Mailroom
from services.intake.transports.limits import MOST_BYTES
from services.intake.transports.mailboxes.clients.client import MOST_PENDING, Folder, Login, MailboxClient
from services.intake.transports.mailboxes.clients.client_thread import ClientThread
from services.intake.transports.mailboxes.clients.imap import ImapClient
from services.intake.transports.mailboxes.clients.pop3 import Pop3Client
from services.intake.transports.mailboxes.destinations import Destinations
from services.intake.transports.mailboxes.envelope import envelope_of
from services.intake.transports.mailboxes.errors import MailboxError, PermanentMailboxError, describe
from services.intake.transports.mailboxes.failed_mails import FailedMails
from services.intake.transports.mailboxes.memory_budget import MemoryBudget
from services.intake.transports.mailboxes.progress import FolderPosition, LeftMail, Progress
from shared.contracts.directory import Mailbox
from shared.database import TRANSIENT
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat

log = logging.getLogger(__name__)

MAILS = Counter(
    "ledgerdesk_mailbox_mails", "Mails fetched from mailboxes by what became of them", ["mailbox", "outcome"]
)
FAILURES = Counter("ledgerdesk_mailbox_failures", "Sessions with mailboxes that ended in trouble", ["mailbox"])
SUCCESS = Gauge(
    "ledgerdesk_mailbox_success_seconds", "When a mailbox was last read to its end (Unix time)", ["mailbox"]
)
LEFT = Gauge("ledgerdesk_mailbox_left", "Mails that stay on their server because they cannot be taken", ["mailbox"])

BATCH = 500
"""Mails whose sizes are asked for at once."""
COUNT_EVERY = 100
SLACK = 1024 * 1024
"""Bytes that a mail may be larger than its server says."""
MOST_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds. After an error the pause doubles from `first_pause` to `longest_pause`, with jitter; after a permanent
    error it is at least `permanent_error`, before the server locks the account. `poll`: between two visits to a server
    that does not tell of new mail. `idle`: how long to listen to one that does before the connection is checked;
    `look`: after this long it is visited anyway. `command` and `mail` are timeouts. `retry_mail`: when a mail that
    failed more than once is tried again."""

    first_pause: float = 5.0
    longest_pause: float = 900.0
    permanent_error: float = 300.0
    poll: float = 60.0
    idle: float = 60.0
    look: float = 300.0
    command: float = 120.0
    mail: float = 600.0
    retry_mail: float = 3600.0


class DeskUnavailable(MailboxError):
    """The desk itself cannot take mails now."""


@dataclass(slots=True)
class MailboxFetcher:
    """A mailbox as its document says now. `login` is called before every connection, `forget_login` after a permanent
    error."""

    mailbox: Mailbox
    mailroom: Mailroom
    progress: Progress
    memory: MemoryBudget
    login: Callable[[Mailbox], Awaitable[Login]]
    forget_login: Callable[[Mailbox], None]
    context: ssl.SSLContext
    destinations: Destinations
    intervals: Intervals = Intervals()
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    _position: FolderPosition | None = None
    _finished: set[int] = field(default_factory=set)
    """Mails that are stored here and marked on the server."""
    _uncounted: int = 0
    """Mails taken since their number was last recorded."""
    _has_succeeded: bool = False
    _failed_mails: FailedMails = field(init=False)

    def __post_init__(self) -> None:
        self._failed_mails = FailedMails(self.intervals.retry_mail)

    async def run(self) -> Never:
        pause = self.intervals.first_pause
        while True:
            self._has_succeeded = False
            try:
                more = await self._session()
                wait = 0.0 if more else self.intervals.poll * random.uniform(0.9, 1.1)
            except Exception as error:
                pause = self.intervals.first_pause if self._has_succeeded else pause
                await self._failed(error)
                least = self.intervals.permanent_error if isinstance(error, PermanentMailboxError) else 0.0
                wait = max(pause, least) * random.uniform(0.7, 1.3)
                pause = min(pause * 2, self.intervals.longest_pause)
            else:
                pause = self.intervals.first_pause
            self._beat(wait)
            await asyncio.sleep(wait)

    def _beat(self, wait: float = 0.0) -> None:
        """No step between two beats takes longer than a mail."""
        self.heartbeat.beat(rest=wait + 2 * (self.intervals.mail + self.intervals.command))

    async def _failed(self, error: Exception) -> None:
        description = describe(error)
        FAILURES.labels(self.mailbox.slug).inc()
        if isinstance(error, PermanentMailboxError):
            self.forget_login(self.mailbox)
        if isinstance(error, (MailboxError, *TRANSIENT)):
            log.warning("mailbox %s: %s", self.mailbox.slug, description)
        else:
            log.error("mailbox %s: %s in %s", self.mailbox.slug, type(error).__name__, raised_at(error))
        try:
            await self.progress.fail(self.mailbox, description, self._take_count())
        except TRANSIENT as lost:
            log.warning("mailbox %s: its status cannot be recorded: %s", self.mailbox.slug, type(lost).__name__)

    async def _session(self) -> bool:
        """One connection; whether there is more to fetch at once. Raises MailboxError, and what the database raises."""
        login = await self.login(self.mailbox)
        kind = ImapClient if self.mailbox.protocol == "imap" else Pop3Client
        client: MailboxClient = kind(self.mailbox, self.context, self.destinations)
        async with ClientThread(client.connection) as thread:
            await thread.call(self.intervals.command, client.open, login)
            try:
                more = await self._visit(thread, client)
                while client.can_idle and not more:
                    await self._wait_for_mail(thread, client)
                    more = await self._visit(thread, client)
            except DeskUnavailable:
                # Mails that are stored here are deleted there before the pause: POP3 does it at the end of a session.
                await thread.call(self.intervals.command, client.close)
                raise
            await thread.call(self.intervals.command, client.close)
        return more

    async def _wait_for_mail(self, thread: ClientThread, client: MailboxClient) -> None:
        """Waits until the server tells of new mail, or the next visit is due. The server is asked again every minute,
        so that a dead connection is noticed, and news that came just before is not missed for long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.intervals.look
        while loop.time() < end:
            self._beat()
            seconds = self.intervals.idle
            if await thread.call(seconds + self.intervals.command, client.wait_for_mail, seconds):
                return

    async def _visit(self, thread: ClientThread, client: MailboxClient) -> bool:
        """Takes pending mails; whether the session's limit was reached before all were taken."""
        folder = await thread.call(self.intervals.command, client.select)
        position = self._position if self._position is not None else await self.progress.position(self.mailbox)
        if folder.uid_validity != position.uid_validity or not folder.uid_validity:
            if position.uid_validity:
                log.warning("mailbox %s: its server has renumbered the folder", self.mailbox.slug)
                self._failed_mails.clear()
            # From now on a mail that somebody else reads first is fetched too; mails read before the desk came are not.
            position = FolderPosition(
                folder.uid_validity, folder.next_uid - 1 if folder.uid_validity and folder.next_uid else -1
            )
            self._finished.clear()
            await self.progress.begin(self.mailbox, position)
        self._position = position
        pending = await thread.call(self.intervals.mail, client.pending, position.seen_until)
        if not folder.uid_validity and self.mailbox.protocol == "imap":
            self._failed_mails.clear()
        failed = self._failed_mails
        failed.keep(pending)
        put_off = failed.put_off()
        todo = [mail for mail in pending if mail not in self._finished and mail not in put_off]
        todo.sort(key=failed.failed_again)
        left = [LeftMail(mail, 0, reason) for mail, reason in put_off.items()]
        limit = client.session_limit
        for start in range(0, len(todo), BATCH):
            limit -= await self._batch(thread, client, todo[start : start + BATCH], left, limit)
            if not limit:
                break
        await self._succeeded(_seen_until(folder, pending, failed.first()), left)
        return not limit

    async def _batch(
        self, thread: ClientThread, client: MailboxClient, mails: Sequence[int], left: list[LeftMail], most: int
    ) -> int:
        """Takes at most so many of these mails; returns how many it fetched."""
        sizes = await thread.call(self.intervals.command, client.sizes, mails)
        fitting = [mail for mail in mails if sizes.get(mail, MOST_BYTES + 1) <= MOST_BYTES]
        for mail in mails:
            size = sizes.get(mail, 0)
            if size > MOST_BYTES:
                left.append(LeftMail(mail, size, f"larger than {MOST_BYTES >> 20} MiB"))
        del fitting[most:]
        await self._take_each(thread, client, [(mail, sizes[mail]) for mail in fitting], left)
        return len(fitting)

    async def _take_each(
        self, thread: ClientThread, client: MailboxClient, mails: Sequence[tuple[int, int]], left: list[LeftMail]
    ) -> None:
        """Takes mails one after the other, so that replies come after what they reply to. The next mail is prefetched
        while one is taken. A mail that failed before is not prefetched: its failure would prevent the mail before it
        from being marked."""
        prefetched: asyncio.Task[tuple[bytes | None, int]] | None = None
        try:
            for (mail, size), following in zip_longest(mails, mails[1:]):
                self._beat()
                raw, reserved = await (prefetched or self._fetch(thread, client, mail, size))
                prefetched = None
                try:
                    if following is not None and following[0] not in self._failed_mails:
                        prefetched = asyncio.create_task(self._fetch(thread, client, *following))
                    if raw is not None and not await self._take(thread, client, mail, raw):
                        left.append(LeftMail(mail, size, self._failed_mails.reason(mail)))
                finally:
                    self.memory.release(reserved)
        except asyncio.CancelledError:
            if prefetched is not None:
                prefetched.cancel()
            raise
        finally:
            if prefetched is not None:
                # Cancelling it would abort the connection, on which POP3 must still say which mails may be deleted.
                [ended] = await asyncio.gather(prefetched, return_exceptions=True)
                if isinstance(ended, tuple):
                    self.memory.release(ended[1])

    async def _fetch(
        self, thread: ClientThread, client: MailboxClient, mail: int, size: int
    ) -> tuple[bytes | None, int]:
        """A mail, and the bytes of memory that were reserved for it."""
        most = min(MOST_BYTES, size + size // 2) + SLACK
        await self.memory.acquire(most)
        try:
            return await thread.call(self.intervals.mail, client.fetch, mail, most), most
        except BaseException as error:
            self.memory.release(most)
            if isinstance(error, Exception):
                self._failed_mails.note(mail, f"it cannot be fetched: {describe(error)}")
            raise

    async def _take(self, thread: ClientThread, client: MailboxClient, mail: int, raw: bytes) -> bool:
        """Whether the mail is stored here and marked on the server."""
        try:
            taken = await self.mailroom.take(raw, envelope_of(raw, self.mailbox))
        except TRANSIENT as error:
            raise DeskUnavailable(f"the desk cannot take mails now: {describe(error)}") from error
        except Exception as error:
            # The mail stays on its server and is tried again; the others do not wait for it.
            self._failed_mails.note(mail, f"it cannot be taken: {type(error).__name__}")
            log.error(
                "mailbox %s: mail %d was not taken: %s in %s",
                self.mailbox.slug,
                mail,
                type(error).__name__,
                raised_at(error),
            )
            return False
        hit("intake.mailbox_safe")
        try:
            await thread.call(self.intervals.mail + self.intervals.command, client.finish, mail)
        except Exception as error:
            # A server that will not mark this mail, perhaps because its archive is full, is asked for the others first.
            self._failed_mails.note(mail, f"it is stored here, but not marked there: {describe(error)}")
            raise
        self._failed_mails.forget(mail)
        if self.mailbox.afterwards == "flag" and self._position is not None and self._position.uid_validity:
            if len(self._finished) >= MOST_REMEMBERED:
                self._finished.clear()
            self._finished.add(mail)
        MAILS.labels(self.mailbox.slug, taken.outcome).inc()
        self._uncounted += 1
        if self._uncounted >= COUNT_EVERY:
            await self.progress.count(self.mailbox, self._take_count())
        return True

    def _take_count(self) -> int:
        count, self._uncounted = self._uncounted, 0
        return count

    async def _succeeded(self, seen_until: int, left: list[LeftMail]) -> None:
        assert self._position is not None
        self._position = FolderPosition(self._position.uid_validity, seen_until)
        await self.progress.succeed(self.mailbox, seen_until, left, self._take_count())
        self._has_succeeded = True
        SUCCESS.labels(self.mailbox.slug).set_to_current_time()
        LEFT.labels(self.mailbox.slug).set(len(left))


def _seen_until(folder: Folder, pending: Sequence[int], first_failed: int | None) -> int:
    """How far a folder has been read: up to the first mail that could not be taken."""
    if not folder.uid_validity:
        return -1
    top = folder.next_uid - 1 if folder.next_uid else max(pending, default=0)
    if len(pending) >= MOST_PENDING:
        top = min(top, pending[-1])
    return min(top, first_failed - 1) if first_failed is not None else top
