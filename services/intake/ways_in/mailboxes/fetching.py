"""Fetches the mails of one mailbox, for as long as it is configured. A mail is marked, moved or deleted there once `take` has answered."""

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Never

from prometheus_client import Counter, Gauge

from services.intake.mail.reading import place
from services.intake.mailroom.mailroom import Mailroom
from services.intake.ways_in.mailboxes.arrival import envelope_of
from services.intake.ways_in.mailboxes.clients.box import MOST_BYTES, MOST_WAITING, Box, Login, Opened
from services.intake.ways_in.mailboxes.clients.imap import ImapBox
from services.intake.ways_in.mailboxes.clients.pop3 import PopBox
from services.intake.ways_in.mailboxes.clients.thread import Thread
from services.intake.ways_in.mailboxes.destinations import Destinations
from services.intake.ways_in.mailboxes.progress import Left, Progress, Reached
from services.intake.ways_in.mailboxes.room import Room
from services.intake.ways_in.mailboxes.trouble import Refused, Trouble, words
from shared.contracts.directory import Mailbox
from shared.database import TRANSIENT
from shared.runtime.heartbeat import Heartbeat
from shared.testing.failpoints import hit

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
"""Servers' word on the size of a mail is not exact."""
MOST_REMEMBERED = 200_000
TRIES = 3
"""After so many a mail is only tried now and then."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. `late`: a mail that made trouble more than once is tried again after so long. After trouble the pause doubles from `first` to `longest`, with jitter; a refusal waits for `refused` at least, before the
    server locks the account. `poll`: between two looks at a server that does not tell of new mail; `idle`: how long one that does is
    listened to before the connection is tried; `look`: it is looked at all the same after so long."""

    first: float = 5.0
    longest: float = 900.0
    refused: float = 300.0
    poll: float = 60.0
    idle: float = 60.0
    look: float = 300.0
    command: float = 120.0
    mail: float = 600.0
    late: float = 3600.0


class Unavailable(Trouble):
    """The desk itself cannot take mails now."""


@dataclass(frozen=True, slots=True)
class _Late:
    """How often a mail made trouble, why, and when it is tried again (monotonic)."""

    tries: int
    why: str
    again: float


@dataclass(slots=True)
class Fetching:
    """One mailbox as its document says now. `login` is asked before every connection; `refused` is told that the server did not like it."""

    mailbox: Mailbox
    mailroom: Mailroom
    progress: Progress
    room: Room
    login: Callable[[Mailbox], Awaitable[Login]]
    refused: Callable[[Mailbox], None]
    context: ssl.SSLContext
    destinations: Destinations
    pace: Pace = Pace()
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    _reached: Reached | None = None
    _late: dict[int, _Late] = field(default_factory=dict)
    """Mails that could not be fetched or taken: they come after all others, then only now and then, so that one bad mail holds up none."""
    _done: set[int] = field(default_factory=set)
    """Mails that are here and marked there."""
    _uncounted: int = 0
    """Mails taken since their number was last recorded."""
    _went_well: bool = False

    async def run(self) -> Never:
        pause = self.pace.first
        while True:
            self._went_well = False
            try:
                more = await self._session()
                wait = 0.0 if more else self.pace.poll * random.uniform(0.9, 1.1)
            except Exception as error:
                pause = self.pace.first if self._went_well else pause
                await self._failed(error)
                least = self.pace.refused if isinstance(error, Refused) else 0.0
                wait = max(pause, least) * random.uniform(0.7, 1.3)
                pause = min(pause * 2, self.pace.longest)
            else:
                pause = self.pace.first
            self._goes_on(wait)
            await asyncio.sleep(wait)

    def _goes_on(self, wait: float = 0.0) -> None:
        """Nothing that follows takes longer than a mail."""
        self.heartbeat.beat(rest=wait + 2 * (self.pace.mail + self.pace.command))

    async def _failed(self, error: Exception) -> None:
        why = words(error)
        FAILURES.labels(self.mailbox.slug).inc()
        if isinstance(error, Refused):
            self.refused(self.mailbox)
        if isinstance(error, (Trouble, *TRANSIENT)):
            log.warning("mailbox %s: %s", self.mailbox.slug, why)
        else:
            log.error("mailbox %s: %s in %s", self.mailbox.slug, type(error).__name__, place(error))
        try:
            await self.progress.fail(self.mailbox, why, self._counted())
        except TRANSIENT as lost:
            log.warning("mailbox %s: its state is not recorded: %s", self.mailbox.slug, type(lost).__name__)

    async def _session(self) -> bool:
        """One connection; whether there is more to fetch at once. Raises Trouble, and what says that the database is not there."""
        login = await self.login(self.mailbox)
        made = ImapBox if self.mailbox.protocol == "imap" else PopBox
        box: Box = made(self.mailbox, self.context, self.destinations)
        async with Thread(box.wire) as thread:
            await thread.do(self.pace.command, box.open, login)
            try:
                more = await self._visit(thread, box)
                while box.can_idle and not more:
                    await self._news(thread, box)
                    more = await self._visit(thread, box)
            except Unavailable:
                # What is safe so far is deleted there (POP3 does it at the end of a session), before a pause begins.
                await thread.do(self.pace.command, box.close)
                raise
            await thread.do(self.pace.command, box.close)
        return more

    async def _news(self, thread: Thread, box: Box) -> None:
        """Waits until the server tells of new mail, or for so long that it is looked at anyway. The server is asked to listen anew every
        minute: a dead connection shows, and news that came right before is not missed for long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.pace.look
        while loop.time() < end:
            self._goes_on()
            if await thread.do(self.pace.idle + self.pace.command, box.news, self.pace.idle):
                return

    async def _visit(self, thread: Thread, box: Box) -> bool:
        """Takes what waits; whether a session has had enough before all was taken."""
        folder = await thread.do(self.pace.command, box.select)
        reached = self._reached if self._reached is not None else await self.progress.reached(self.mailbox)
        if folder.uid_validity != reached.uid_validity or not folder.uid_validity:
            if reached.uid_validity:
                log.warning("mailbox %s: its server has numbered the folder anew", self.mailbox.slug)
                self._late.clear()
            # From now on, what somebody else reads first is fetched too; what was read before the desk came is not.
            reached = Reached(
                folder.uid_validity, folder.next_uid - 1 if folder.uid_validity and folder.next_uid else -1
            )
            self._done.clear()
            await self.progress.enter(self.mailbox, reached)
        self._reached = reached
        waiting = await thread.do(self.pace.mail, box.waiting, reached.seen_until)
        if not folder.uid_validity and self.mailbox.protocol == "imap":
            self._late.clear()
        self._late = {mail: late for mail in waiting if (late := self._late.get(mail)) is not None}
        put_off = {
            mail: late for mail, late in self._late.items() if late.tries > TRIES and late.again > time.monotonic()
        }
        todo = [mail for mail in waiting if mail not in self._done and mail not in put_off]
        todo.sort(key=lambda mail: mail in self._late and self._late[mail].tries > 1)
        left = [Left(mail, 0, late.why) for mail, late in put_off.items()]
        room_for = box.most_at_once
        for start in range(0, len(todo), BATCH):
            room_for -= await self._batch(thread, box, todo[start : start + BATCH], left, room_for)
            if not room_for:
                break
        await self._succeeded(_until(folder, waiting, self._late.keys()), left)
        return not room_for

    async def _batch(self, thread: Thread, box: Box, mails: Sequence[int], left: list[Left], most: int) -> int:
        """Takes at most so many of these mails; answers how many it fetched."""
        sizes = await thread.do(self.pace.command, box.sizes, mails)
        fitting = [mail for mail in mails if sizes.get(mail, MOST_BYTES + 1) <= MOST_BYTES]
        for mail in mails:
            size = sizes.get(mail, 0)
            if size > MOST_BYTES:
                left.append(Left(mail, size, f"larger than {MOST_BYTES >> 20} MiB"))
        del fitting[most:]
        await self._take_each(thread, box, [(mail, sizes[mail]) for mail in fitting], left)
        return len(fitting)

    async def _take_each(self, thread: Thread, box: Box, mails: Sequence[tuple[int, int]], left: list[Left]) -> None:
        """Takes mails one after the other, so that answers come after what they answer. The next one is fetched while one is taken:
        fetching never holds up intake. One that made trouble before is not: its trouble would keep the one before it from being marked."""
        ahead: asyncio.Task[tuple[bytes | None, int]] | None = None
        try:
            for (mail, size), following in zip_longest(mails, mails[1:]):
                self._goes_on()
                raw, room = await (ahead or self._read(thread, box, mail, size))
                ahead = None
                try:
                    if following is not None and following[0] not in self._late:
                        ahead = asyncio.create_task(self._read(thread, box, *following))
                    if raw is not None and not await self._take(thread, box, mail, raw):
                        left.append(Left(mail, size, self._late[mail].why))
                finally:
                    self.room.give_back(room)
        except asyncio.CancelledError:
            if ahead is not None:
                ahead.cancel()
            raise
        finally:
            if ahead is not None:
                # It is not cancelled: that would cost the connection, on which POP3 has yet to say that what is safe may go.
                [ended] = await asyncio.gather(ahead, return_exceptions=True)
                if isinstance(ended, tuple):
                    self.room.give_back(ended[1])

    async def _read(self, thread: Thread, box: Box, mail: int, size: int) -> tuple[bytes | None, int]:
        """A mail, and the room that it has taken."""
        most = min(MOST_BYTES, size + size // 2) + SLACK
        await self.room.take(most)
        try:
            return await thread.do(self.pace.mail, box.read, mail, most), most
        except BaseException as error:
            self.room.give_back(most)
            if isinstance(error, Exception):
                self._made_trouble(mail, f"it cannot be fetched: {words(error)}")
            raise

    def _made_trouble(self, mail: int, why: str) -> None:
        tries = self._late[mail].tries if mail in self._late else 0
        self._late[mail] = _Late(tries + 1, why, time.monotonic() + self.pace.late)

    async def _take(self, thread: Thread, box: Box, mail: int, raw: bytes) -> bool:
        """Whether the mail is here now, and marked there."""
        try:
            taken = await self.mailroom.take(raw, envelope_of(raw, self.mailbox))
        except TRANSIENT as error:
            raise Unavailable(f"the desk cannot take mails now: {words(error)}") from error
        except Exception as error:
            # It stays where it is and comes again; the others do not wait for it.
            self._made_trouble(mail, f"it cannot be taken: {type(error).__name__}")
            log.error(
                "mailbox %s: mail %d was not taken: %s in %s",
                self.mailbox.slug,
                mail,
                type(error).__name__,
                place(error),
            )
            return False
        hit("intake.mailbox_safe")
        try:
            await thread.do(self.pace.mail + self.pace.command, box.done, mail)
        except Exception as error:
            # A server that will not mark this one, because its archive is full, say, is asked for the others first.
            self._made_trouble(mail, f"it is here, but not marked there: {words(error)}")
            raise
        self._late.pop(mail, None)
        if self.mailbox.afterwards == "flag" and self._reached is not None and self._reached.uid_validity:
            if len(self._done) >= MOST_REMEMBERED:
                self._done.clear()
            self._done.add(mail)
        MAILS.labels(self.mailbox.slug, taken.outcome).inc()
        self._uncounted += 1
        if self._uncounted >= COUNT_EVERY:
            await self.progress.count(self.mailbox, self._counted())
        return True

    def _counted(self) -> int:
        count, self._uncounted = self._uncounted, 0
        return count

    async def _succeeded(self, seen_until: int, left: list[Left]) -> None:
        assert self._reached is not None
        self._reached = Reached(self._reached.uid_validity, seen_until)
        await self.progress.succeed(self.mailbox, seen_until, left, self._counted())
        self._went_well = True
        SUCCESS.labels(self.mailbox.slug).set_to_current_time()
        LEFT.labels(self.mailbox.slug).set(len(left))


def _until(folder: Opened, waiting: Sequence[int], late: Collection[int]) -> int:
    """How far a folder has been read: below the first mail that could not be taken."""
    if not folder.uid_validity:
        return -1
    top = folder.next_uid - 1 if folder.next_uid else max(waiting, default=0)
    if len(waiting) >= MOST_WAITING:
        top = min(top, waiting[-1])
    return min(top, min(late) - 1) if late else top
