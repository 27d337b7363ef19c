"""Reads with a consistency token wait until the read model shows what it covers."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

from shared.database import Pool
from shared.http.headers.consistency import Written

SECONDS = 2.0
FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.04
TICKET_SERVICES = frozenset(("intake", "routing", "notify"))


async def wait_until_shown(pool: Pool, tickets_table: str, written: Sequence[Written]) -> bool:
    """Waits at most SECONDS until the rows of the table show these versions. False if they do not in time."""
    wanted = [w for w in written if w.service in TICKET_SERVICES]
    end = time.monotonic() + SECONDS
    pause = FIRST_PAUSE
    while wanted:
        rows = await pool.fetch(
            f"SELECT id, seen FROM {tickets_table} WHERE id = ANY($1)", list({w.stream for w in wanted})
        )
        seen: dict[UUID, dict[str, tuple[int, str]]] = {row["id"]: row["seen"] for row in rows}
        wanted = [w for w in wanted if seen.get(w.stream, {}).get(w.service, (0, ""))[0] < w.version]
        if not wanted:
            break
        if time.monotonic() > end:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return True
