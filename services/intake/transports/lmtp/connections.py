"""All connections of the listener: how many there are, which are idle, and how much memory their mails take."""

import asyncio
from dataclasses import dataclass

from shared.runtime.admission import Admission

MOST_BYTES_AT_ONCE = 256 * 1024 * 1024
"""Bytes of all mails that are being received; if it is used up, clients are asked to wait (452)."""
SWIFT = 1024 * 1024
"""Bytes a second. Mail servers are near, so a slower transfer may be ended."""

Session = asyncio.Task[None]


@dataclass(slots=True)
class Transfer:
    """A mail that is being received: its bytes in memory."""

    since: float
    size: int = 0
    is_complete: bool = False


class Connections:
    """When all places are taken, the connection that has kept the server waiting the longest is ended, even in the
    middle of a mail: its client keeps the mail and comes again."""

    def __init__(self, most: int, most_of_a_peer: int, most_bytes: int, slow_seconds: float) -> None:
        self.admission = Admission[Session](most, most_of_a_peer, self.send_away)
        self.transfers: dict[Session, Transfer] = {}
        self.sent_away: set[Session] = set()
        self.all: set[Session] = set()
        self.idle: set[Session] = set()
        """Between two commands: they may be ended at any time, unlike sessions that are receiving a mail."""
        self.is_draining = False
        self._most_bytes, self._slow_seconds = most_bytes, slow_seconds

    def send_away(self, session: Session) -> None:
        self.sent_away.add(session)
        session.cancel()

    def ended(self, session: Session) -> None:
        for sessions in (self.all, self.sent_away, self.idle):
            sessions.discard(session)
        self.admission.leave(session)

    def reserve(self, session: Session, count: int) -> bool:
        """Memory for so many more bytes of the mail that this session receives. If there is none left, slow transfers
        are ended."""
        transfer = self.transfers.setdefault(session, Transfer(asyncio.get_running_loop().time()))
        while sum(each.size for each in self.transfers.values()) + count > self._most_bytes:
            slowest = self._slowest(except_for=session)
            if slowest is None:
                return False
            self.release(slowest)
            self.send_away(slowest)
        transfer.size += count
        return True

    def release(self, session: Session) -> None:
        self.transfers.pop(session, None)

    def complete(self, session: Session) -> None:
        """The session's mail is here as a whole: it is not ended any more for want of memory."""
        self.admission.works(session)
        if (transfer := self.transfers.get(session)) is not None:
            transfer.is_complete = True

    def _slowest(self, *, except_for: Session) -> Session | None:
        """The session with the slowest transfer, if that is slow."""
        now = asyncio.get_running_loop().time()
        rates = {
            session: transfer.size / (now - transfer.since)
            for session, transfer in self.transfers.items()
            if session is not except_for and not transfer.is_complete and now - transfer.since > self._slow_seconds
        }
        slowest = min(rates, key=rates.__getitem__, default=None)
        return slowest if slowest is not None and rates[slowest] < SWIFT else None
