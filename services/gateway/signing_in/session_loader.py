"""Loads sessions and API tokens from the database, in batches when requests arrive together."""

import asyncio
from collections.abc import Sequence

import asyncpg

from shared.database import Pool

SECONDS = 5.0
"""The longest that a statement may take: every request waits for the one that runs."""

LIVE = """
SELECT s.token_hash, s.id, s.kind, s.scopes, s.expires_at, s.proved_at, s.person_id, d.version,
       coalesce(c.must_change, false) AS must_change,
       coalesce(s.last_used < now() - interval '1 minute', true) AS unused
  FROM gateway.sessions s
  JOIN gateway.documents d ON d.id = s.person_id
  LEFT JOIN gateway.credentials c ON c.person_id = s.person_id
 WHERE s.token_hash = ANY($1) AND s.ended_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > now())
   AND NOT d.retired
"""


class SessionLoader:
    """Runs one statement at a time. Requests that arrive meanwhile share the next one. They never share the running
    one: its snapshot may be older than a sign-out that they must see."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._waiting: dict[bytes, asyncio.Future[asyncpg.Record | None]] = {}
        self._running = False
        self._next: asyncio.Task[None] | None = None

    async def load(self, digest: bytes) -> asyncpg.Record | None:
        """The session or token with this hash, if it is valid."""
        if self._running:
            shared = self._waiting.get(digest)
            if shared is None:
                shared = self._waiting[digest] = asyncio.get_running_loop().create_future()
            return await asyncio.shield(shared)
        self._running = True
        try:
            rows = await self._fetch([digest])
        finally:
            self._start_next()
        return rows[0] if rows else None

    async def _fetch(self, digests: Sequence[bytes]) -> Sequence[asyncpg.Record]:
        return await self.pool.fetch(LIVE, digests, timeout=SECONDS)

    def _start_next(self) -> None:
        self._running = bool(self._waiting)
        if self._waiting:
            self._next = asyncio.get_running_loop().create_task(self._load_batch())

    async def _load_batch(self) -> None:
        waiting, self._waiting = self._waiting, {}
        try:
            found = {row["token_hash"]: row for row in await self._fetch(list(waiting))}
            for digest, future in waiting.items():
                future.set_result(found.get(digest))
        except Exception as error:
            for future in waiting.values():
                future.set_exception(error)
                future.exception()  # marks it as seen, because nobody may be waiting any more
        finally:
            for future in waiting.values():
                future.cancel()  # has an effect only on open ones, if this task was cancelled
            self._start_next()
