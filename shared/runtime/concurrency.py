"""Limits on what runs at the same time: in all, and for each caller."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ConcurrencyLimit:
    """At most `most` slots are taken at once, at most `each` of them by one holder: nobody can take them all."""

    def __init__(self, most: int, each: int) -> None:
        self.most, self.each = most, each
        self.taken = 0
        self._held: Counter[str] = Counter()

    def take(self, holder: str) -> bool:
        """Takes a slot if there is one for this holder."""
        if self.taken >= self.most or self._held[holder] >= self.each:
            return False
        self.taken += 1
        self._held[holder] += 1
        return True

    def give_back(self, holder: str) -> None:
        """Gives back a slot that `take` gave."""
        self.taken -= 1
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]  # so that memory is bounded by the number of slots


class Shares:
    """Lets each holder take `each` at once; who has them all waits."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._of: dict[str, tuple[asyncio.Semaphore, int]] = {}
        """By holder: what is left for them, and how many they have or wait for."""

    async def take(self, holder: str) -> None:
        left, wanted = self._of.get(holder, (asyncio.Semaphore(self._each), 0))
        self._of[holder] = left, wanted + 1
        try:
            await left.acquire()
        except BaseException:
            self._forget(holder)
            raise

    def give_back(self, holder: str) -> None:
        self._of[holder][0].release()
        self._forget(holder)

    def _forget(self, holder: str) -> None:
        left, wanted = self._of.pop(holder)
        if wanted > 1:
            self._of[holder] = left, wanted - 1


class NoTurn(Exception):
    """No turn came in time."""


class Turns:
    """At most `most` at once, at most `each` of them for one holder; more wait for their turn."""

    def __init__(self, most: int, each: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._shares = Shares(each)

    @asynccontextmanager
    async def turn(self, holder: str, seconds: float) -> AsyncIterator[None]:
        """Raises NoTurn if none comes within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._take(holder)
        except TimeoutError:
            raise NoTurn from None
        try:
            yield
        finally:
            self._free.release()
            self._shares.give_back(holder)

    async def _take(self, holder: str) -> None:
        await self._shares.take(holder)
        try:
            await self._free.acquire()
        except BaseException:
            self._shares.give_back(holder)
            raise
