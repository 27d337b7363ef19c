"""Waiting on progress, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(probe: Callable[[], Awaitable[T]], *, seconds: float = 30.0) -> T:
    """The first true answer of `probe`, asked again and again; raises AssertionError with the last one when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        answer = await probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"nothing but {answer!r} in {seconds} s")
        await asyncio.sleep(0.02)
