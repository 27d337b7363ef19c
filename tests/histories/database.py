"""A reporting database of its own that is filled with a history, for benches and larger checks."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import servers
from tests.conftest import Databases
from tests.histories.desk import Desk
from tests.histories.folding import fill_live
from tests.services.reporting.reporting_database import Reporting, reporting_with_a_live_desk


@asynccontextmanager
async def reporting_with_history(
    count: int, *, seed: int = 1, desk: Desk | None = None, names: Iterable[str] = (), folder: Path | None = None
) -> AsyncIterator[Reporting]:
    """A PostgreSQL server with `count` cases in the live generations of these sets, by default of all."""
    with TemporaryDirectory(prefix="ledgerdesk-history-", dir=folder) as path:
        Path(path).chmod(0o711)
        with ExitStack() as stack:
            # In a thread, because it runs a loop of its own while it waits for the server.
            url = await asyncio.to_thread(stack.enter_context, servers.postgres(Path(path)))
            async for reporting in reporting_with_a_live_desk(Databases(url)):
                await fill_live(reporting.pool, count, seed=seed, desk=desk, names=names)
                # As autovacuum does after a while, so that indexes answer without the tables.
                await reporting.owner.execute("VACUUM ANALYZE", timeout=600)
                yield reporting
