"""Waits for progress, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(probe: Callable[[], Awaitable[T]], *, seconds: float = 30.0) -> T:
    """Calls `probe` until it returns something true, and returns that. Raises AssertionError when the time is up."""
    end = time.monotonic() + seconds
    while True:
        found = await probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"nothing but {found!r} in {seconds} s")
        await asyncio.sleep(0.02)
