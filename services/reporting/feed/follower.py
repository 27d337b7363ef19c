"""Wakes up whoever waits in this process for changes of the live `desk` (decision record 0099)."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Never

from services.reporting.feed.desk_handler import CHANNEL
from services.reporting.feed.feed import Feed
from services.reporting.feed.merging import Change
from services.reporting.feed.place import Place, UnknownPlace
from shared.database import connect
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

LOOK_SECONDS = 2.0
PAGE = 400
MOST_KEPT = 4_000
"""Changes in memory. A watch that is further behind is told that it has missed some."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The feed has gone on to `place`, by these changes, each with the place after it.

    `changes` is None if it is not known which there were: read them from the feed.
    """

    number: int
    changes: Sequence[tuple[Change, Place]] | None
    place: Place


class Watch:
    """What one waiter has not seen yet."""

    def __init__(self, follower: "Follower", number: int) -> None:
        self._follower, self._number = follower, number

    async def next(self, seconds: float) -> list[Moved] | None:
        """What has moved since the last call, or since the watch began. Waits for it as long as is said.

        Empty if the time is over or the process ends. None if some of it is forgotten: read it from the feed.
        """
        follower = self._follower
        end = asyncio.get_running_loop().time() + seconds
        while follower.number == self._number and not follower.ended:
            left = end - asyncio.get_running_loop().time()
            if left <= 0 or not await set_within(follower.news, left):
                return []
        if follower.number == self._number:
            return []
        found = [moved for moved in follower.kept if moved.number > self._number]
        complete = len(found) == follower.number - self._number
        self._number = follower.number
        return found if complete and all(moved.changes is not None for moved in found) else None


class Follower:
    """Follows the feed with one connection and one read for all who wait. Reads nothing while nobody waits.

    A notification tells it to look; it also looks every two seconds, in case one was lost and because an effect that
    waits for its cause is due without one.
    """

    def __init__(self, feed: Feed, database_url: str) -> None:
        self.feed, self.database_url = feed, database_url
        self.heartbeat = Heartbeat()
        self.number = 0
        self.kept: deque[Moved] = deque()
        self.news = asyncio.Event()
        """Set, and replaced by a new one, whenever there is something to see."""
        self.ended = False
        self._place: Place | None = None
        self._size = 0
        self._watching = 0
        self._look_now = asyncio.Event()

    @contextmanager
    def watch(self) -> Iterator[Watch]:
        """A watch from here on. Read the feed after it began, then wait with it: nothing falls between."""
        self._watching += 1
        self._look_now.set()
        try:
            yield Watch(self, self.number)
        finally:
            self._watching -= 1

    def end(self) -> None:
        """The process ends: nobody waits any longer."""
        self.ended = True
        self._wake()

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("event feed", self._follow, self.heartbeat)

    async def _follow(self) -> None:
        connection = await connect(self.database_url)
        try:
            connection.add_termination_listener(lambda _: self._look_now.set())
            await connection.add_listener(CHANNEL, lambda *_: self._look_now.set())
            while True:
                self._look_now.clear()
                if connection.is_closed():
                    raise ConnectionError("the connection for notifications is lost")
                await self._look()
                self.heartbeat.beat()
                await set_within(self._look_now, LOOK_SECONDS)
        finally:
            connection.terminate()

    async def _look(self) -> None:
        if not self._watching:
            self._place = None
            self.kept.clear()
            self._size = 0
            return
        at_end = False
        while not at_end:
            if self._place is None:
                self._place = await self.feed.end()
                self._tell(None, self._place)
            try:
                page = await self.feed.changes(self._place, PAGE)
            except UnknownPlace:  # the topic was lost, or the database restored
                self._place = None
                continue
            at_end = page.at_end
            if page.place != self._place:
                self._place = page.place
                self._tell(page.changes, page.place)

    def _tell(self, changes: Sequence[tuple[Change, Place]] | None, place: Place) -> None:
        self.number += 1
        self.kept.append(Moved(self.number, changes, place))
        self._size += 1 + len(changes or ())
        while self._size > MOST_KEPT:
            self._size -= 1 + len(self.kept.popleft().changes or ())
        self._wake()

    def _wake(self) -> None:
        news, self.news = self.news, asyncio.Event()
        news.set()
