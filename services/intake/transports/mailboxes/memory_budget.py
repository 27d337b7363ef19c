"""Room in memory for mails that are being fetched, shared by all mailboxes of a process."""

import asyncio

MOST_BYTES_AT_ONCE = 256 * 1024 * 1024


class Room:
    def __init__(self, size: int = MOST_BYTES_AT_ONCE) -> None:
        self._free = size
        self._more = asyncio.Event()

    async def take(self, count: int) -> None:
        """Waits until there is room for so many bytes."""
        while self._free < count:
            self._more.clear()
            await self._more.wait()
        self._free -= count

    def give_back(self, count: int) -> None:
        self._free += count
        self._more.set()
