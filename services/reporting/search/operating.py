"""What `projections build search` and `projections verify search` do: the files are with the processes that serve."""

import asyncio
import tempfile
import time
from pathlib import Path

from services.reporting.feed.feed import Feed
from services.reporting.search.index.file import IndexFile, Unusable, files_of
from services.reporting.search.index.following import Following
from shared.database import OwnConnection, Pool, connect_pool
from shared.projections.sets import CannotChange
from shared.settings import env

COPIES = """
SELECT count(*) AS copies, count(*) FILTER (WHERE prepared >= $1 OR generation = $1) AS built
  FROM projections.search_copies
 WHERE seen_at > now() - interval '30 seconds'
"""
LOOK_SECONDS = 2.0
QUIET_SECONDS = 30.0
"""How long `build` waits for a process that serves search."""


async def build(owner: OwnConnection, generation: int) -> int:
    """Waits until every process that serves search has built its file of a generation. Returns the exit status."""
    started = time.monotonic()
    while True:
        row = await owner.fetchrow(COPIES, generation)
        assert row is not None
        if row["copies"] and row["built"] == row["copies"]:
            seconds = time.monotonic() - started
            processes = "1 process" if row["built"] == 1 else f"{row['built']} processes"
            print(f"search_v{generation} built by {processes} in {seconds:.1f} s")
            return 0
        if not row["copies"] and time.monotonic() - started > QUIET_SECONDS:
            raise CannotChange(
                f"no process serves search now: search_v{generation} is built when one starts, and can be promoted"
            )
        await asyncio.sleep(LOOK_SECONDS)


async def verify(app_url: str, generation: int) -> int:
    """Compares the files below LEDGERDESK_SEARCH_DIR of a generation with one that is built now. Returns the status."""
    directory = Path(env("LEDGERDESK_SEARCH_DIR"))
    paths = files_of(directory, generation)
    if not paths:
        raise CannotChange(f"{directory} has no file of search_v{generation}")
    pool = await connect_pool(app_url)
    try:
        with tempfile.TemporaryDirectory(dir=directory) as folder:
            fresh = Following(pool, Feed(pool), IndexFile(Path(folder) / "fresh.db", create=True))
            try:
                while not await fresh.is_complete():
                    if not await fresh.step():
                        raise CannotChange("`desk` has no live generation")
                wrong = 0
                for path in paths:
                    found = await _difference(pool, path, fresh)
                    print(f"{path.parent.name}/{path.name}: {found or 'equal'}")
                    wrong += bool(found)
            finally:
                await fresh.close()
    finally:
        await pool.close()
    return 1 if wrong else 0


async def _difference(pool: Pool, path: Path, fresh: Following) -> str | None:
    """What is wrong with a file; None if it is as a fresh one. Its process follows the desk in the meantime."""
    try:
        file = Following(pool, Feed(pool), await asyncio.to_thread(IndexFile, path))
    except Unusable as error:
        return str(error)
    try:
        await file.run(file.file.check)
        differing = await file.differing()
        if differing:  # changed a moment ago, or really wrong
            await asyncio.sleep(LOOK_SECONDS)
            differing = [each for each in await file.differing() if each in differing]
        if differing:
            return f"{len(differing)} tickets differ"
        while await fresh.step():
            pass
        if await file.run(file.file.vocabulary) != await fresh.run(fresh.file.vocabulary):
            return "the words differ"
    except Unusable as error:
        return str(error)
    finally:
        await file.close()
    return None
