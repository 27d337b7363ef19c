"""Looks sign-ins up in the database, several at once when several requests ask at once."""

import asyncio
from collections.abc import Sequence

import asyncpg

from shared.database import Pool

SECONDS = 5.0
"""Everybody waits for the statement that runs: a connection that hangs must not hold them up for longer."""

LIVE = """
SELECT s.token_hash, s.id, s.kind, s.scopes, s.expires_at, s.proved_at, s.person_id, d.version,
       coalesce(s.last_used < now() - interval '1 minute', true) AS unused
  FROM gateway.sessions s
  JOIN gateway.documents d ON d.id = s.person_id
 WHERE s.token_hash = ANY($1) AND s.ended_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > now()) AND NOT d.retired
"""


class Lookups:
    """One statement at a time. Who comes while it runs shares the next one, never the running one: its snapshot may be older than
    the sign-out that they must see."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._waiting: dict[bytes, asyncio.Future[asyncpg.Record | None]] = {}
        self._running = False
        self._next: asyncio.Task[None] | None = None

    async def find(self, digest: bytes) -> asyncpg.Record | None:
        """The live sign-in with this token hash."""
        if self._running:
            shared = self._waiting.get(digest)
            if shared is None:
                shared = self._waiting[digest] = asyncio.get_running_loop().create_future()
            return await asyncio.shield(shared)
        self._running = True
        try:
            rows = await self._fetch([digest])
        finally:
            self._go_on()
        return rows[0] if rows else None

    async def _fetch(self, digests: Sequence[bytes]) -> Sequence[asyncpg.Record]:
        return await self.pool.fetch(LIVE, digests, timeout=SECONDS)

    def _go_on(self) -> None:
        self._running = bool(self._waiting)
        if self._waiting:
            self._next = asyncio.get_running_loop().create_task(self._together())

    async def _together(self) -> None:
        waiting, self._waiting = self._waiting, {}
        try:
            found = {row["token_hash"]: row for row in await self._fetch(list(waiting))}
            for digest, future in waiting.items():
                future.set_result(found.get(digest))
        except Exception as error:
            for future in waiting.values():
                future.set_exception(error)
                future.exception()  # a waiter that has gone meanwhile does not fetch it
        finally:
            for future in waiting.values():
                future.cancel()  # those that are still open, when this task was cancelled
            self._go_on()
