"""Hashes and verifies passwords with argon2id, in threads.

The parameters are OWASP's first choice (46 MiB, one pass, one lane; docs/decisions/0031-passwords-and-sessions.md). A
flood of sign-ins takes at most `AT_ONCE` cores and 46 MiB for each.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.http import problems

AT_ONCE = 2
WAITING = 64

Done = TypeVar("Done")
_HASHER = PasswordHasher(time_cost=1, memory_cost=47_104, parallelism=1)


class Passwords:
    """Hashes and verifies without blocking the event loop. Raises Problem 429 when too many passwords wait already."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._running = 0
        self._waiting: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())
        """Those with priority, and the others."""
        self._dummy_hash = _HASHER.hash("nobody's password")

    async def hash(self, password: str) -> str:
        return await self._run(True, _hash, password)

    async def verify(self, known: str | None, password: str, *, first: bool = True) -> bool:
        """Whether the password is right. It takes the same time for a person without a password and for nobody (`known`
        is None).

        `first`: before all passwords that wait without it.
        """
        right = await self._run(first, _verify, known or self._dummy_hash, password)
        return right and known is not None

    def outdated(self, known: str) -> bool:
        """Whether the hash was made with other parameters than the current ones."""
        return _HASHER.check_needs_rehash(known)

    async def _run(self, first: bool, function: Callable[..., Done], *arguments: str) -> Done:
        await self._turn(first)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        finally:
            self._next()

    async def _turn(self, first: bool) -> None:
        if self._running < AT_ONCE:
            self._running += 1
            return
        waiting = self._waiting[0 if first else 1]
        if len(waiting) >= WAITING:
            raise problems.too_many(2, "Too many sign-ins at the same time. Try again in a few seconds.")
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()  # it was given a turn at this moment
            raise

    def _next(self) -> None:
        """Gives the turn to the next one that waits."""
        for waiting in self._waiting:
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._running -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _hash(password: str) -> str:
    return _HASHER.hash(password)


def _verify(known: str, password: str) -> bool:
    try:
        return _HASHER.verify(known, password)
    except (VerificationError, InvalidHashError):
        return False
