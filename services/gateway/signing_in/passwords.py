"""Passwords: argon2id, in threads, a few at a time.

The parameters are OWASP's first choice (46 MiB, one pass, one lane; docs/decisions/0031-passwords-and-sessions.md): they bound what
a flood of sign-ins can take from the machine to `AT_ONCE` cores and 46 MiB each.
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
    """Hashes and verifies without stopping the event loop, those that come `first` before all others. Raises Problem 429 when too many
    passwords wait already."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._running = 0
        self._waiting: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())
        """The turns that come first, and the others."""
        self._nobodys = _HASHER.hash("nobody's password")

    async def hash(self, password: str) -> str:
        return await self._run(True, _hash, password)

    async def verify(self, known: str | None, password: str, *, first: bool = True) -> bool:
        """Whether the password is the right one. Takes the same time for a person who has none, or does not exist (None)."""
        right = await self._run(first, _verify, known or self._nobodys, password)
        return right and known is not None

    def outdated(self, known: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
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
            raise problems.too_many(2, "Too many people sign in at once.")
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next()  # it had been given a turn just then
            raise

    def _next(self) -> None:
        """Passes a turn on to whoever waits for one."""
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
