"""Memory for mails that are being fetched, shared by all mailboxes of a process."""

import asyncio

MOST_BYTES_AT_ONCE = 256 * 1024 * 1024


class MemoryBudget:
    def __init__(self, size: int = MOST_BYTES_AT_ONCE) -> None:
        self._free = size
        self._released = asyncio.Event()

    async def acquire(self, count: int) -> None:
        """Waits until so many bytes are free."""
        while self._free < count:
            self._released.clear()
            await self._released.wait()
        self._free -= count

    def release(self, count: int) -> None:
        self._free += count
        self._released.set()
