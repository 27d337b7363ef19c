"""Who listens: the links of gateway processes, the people on them, and their streams."""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from services.reporting.feed.merging import Change
from services.reporting.feed.place import Place
from services.reporting.live.counts import ToldCounts
from services.reporting.live.sight import Sight
from shared.http.live_link import Frame, encoded
from shared.rules.access import Identity

MOST_UNSENT = 16 << 20
"""Bytes that a gateway process has not read. Beyond them its link is cut; it opens its streams again."""


@dataclass(slots=True, eq=False)
class Listener:
    """One sign-in on a link. `sight` is None until its rights are worked out."""

    number: int
    who: Identity
    sight: Sight | None = None
    follows: Collection[UUID] = ()
    """The queues that count as theirs."""
    told: ToldCounts = field(default_factory=ToldCounts)
    recount: bool = True
    """Whether their counts may have changed though the numbers have not."""
    streams: set["Subscription"] = field(default_factory=set)

    @property
    def lapsed(self) -> bool:
        """Whether the gateway does not vouch for them any more."""
        return self.who.expires <= time.time()


@dataclass(slots=True, eq=False)
class Subscription:
    """One stream.

    While it catches up, `place` is how far it has come; None if it begins now. `reset`: it asked for a place that is
    unknown. `waits`: for its client to read a page of the past. Once it has `joined`, it gets what is new, but not
    what it has got already up to `ahead`.
    """

    link: "Link"
    number: int
    listener: Listener
    place: Place | None
    tickets: frozenset[UUID]
    reset: bool = False
    opened: bool = False
    waits: bool = False
    joined: bool = False
    ahead: Place | None = None
    counted: bool = False


class Link:
    """One gateway process. Frames for it are queued, never beyond a bound."""

    def __init__(self) -> None:
        self.listeners: dict[int, Listener] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.over = False
        """No frame is queued any more: the gateway does not read, or this process ends."""
        self._unsent: list[bytes] = []
        self._size = 0
        self._something = asyncio.Event()

    def send(self, frame: Frame) -> None:
        if self.over:
            return
        data = encoded(frame)
        self._size += len(data)
        if self._size > MOST_UNSENT:
            self._unsent, self.over = [], True
        else:
            self._unsent.append(data)
        self._something.set()

    def end(self) -> None:
        """This process ends: the gateway takes another one."""
        self.send({"op": "end"})
        self.over = True

    async def unsent(self) -> bytes:
        """Waits for frames; empty if the link is over and nothing is left."""
        while not self._unsent and not self.over:
            self._something.clear()
            await self._something.wait()
        pieces, self._unsent = self._unsent, []
        return b"".join(pieces)

    def was_sent(self) -> None:
        """What `unsent` gave has been read."""
        self._size = sum(map(len, self._unsent))


def has(place: Place, change: Change, after: Place) -> bool:
    """Whether a reader at `place` has got this change. `after` is the place behind the change."""
    if after.within:  # it came late
        return (place.late, place.within) >= (after.late, after.within)
    return change.position < place.offsets[change.partition]


def further(one: Place, other: Place) -> Place:
    """The place of a reader who has got everything up to both."""
    late, within = max((one.late, one.within), (other.late, other.within))
    return Place(other.incarnation, tuple(map(max, one.offsets, other.offsets)), late, within)


def covers(place: Place, other: Place) -> bool:
    """Whether a reader at `place` has got everything up to `other`."""
    return (
        place.incarnation == other.incarnation
        and (place.late, place.within) >= (other.late, other.within)
        and all(a >= b for a, b in zip(place.offsets, other.offsets, strict=True))
    )
