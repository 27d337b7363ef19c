"""Waiting for changes: one connection and one read for all who wait, woken by notifications."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from services.reporting.feed.feed import Feed
from services.reporting.feed.follower import Follower, Moved
from shared.contracts.routing import TagsAdded
from shared.projections import sets
from shared.testing.progress import until
from tests.services.reporting.reporting_database import Log, Reporting
from tests.services.reporting.test_feed import DESK, Topic
from tests.services.reporting.test_projections_and_lists import opened, queued

TICKET = UUID(int=7)
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@asynccontextmanager
async def following(desk: Reporting) -> AsyncIterator[Follower]:
    follower = Follower(Feed(desk.pool), desk.app_url)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def told(moves: list[Moved] | None) -> list[UUID]:
    assert moves is not None
    return [change.id for moved in moves for change, _ in moved.changes or ()]


async def test_who_waits_is_told_of_a_change_also_after_a_promotion_and_a_lost_connection(live_desk: Reporting) -> None:
    log, topic = Log(), Topic(live_desk)
    log.add(TICKET, opened("2026112710000017"), queued("2026112710000017"))
    topic.add(*log.events)
    generation = 1
    await topic.apply(generation)
    async with following(live_desk) as follower:
        with follower.watch() as watch, follower.watch() as other:
            assert await watch.next(20) is None  # it begins to follow: what was before is for the feed
            assert await other.next(20) is None
            for step in ("a change", "a promotion", "a lost connection"):
                if step == "a promotion":
                    generation = await sets.begin(live_desk.owner, DESK, live_desk.app_url)
                    await topic.apply(generation)
                    await sets.promote(live_desk.owner, DESK, generation, live_desk.app_url)
                if step == "a lost connection":
                    pids = [row["pid"] for row in await live_desk.pool.fetch(LISTENERS)]
                    assert pids
                    await live_desk.pool.execute(
                        "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS p(pid)", pids
                    )
                log.add(TICKET, TagsAdded(tags=(step,)))
                topic.add(log.events[-1])
                await topic.apply(generation)
                assert told(await watch.next(20)) == [log.events[-1].id], step
                assert told(await other.next(20)) == [log.events[-1].id], step


async def test_waiting_ends_with_its_time_and_with_the_process(live_desk: Reporting) -> None:
    async with following(live_desk) as follower:
        with follower.watch() as watch:
            assert await watch.next(20) is None
            assert await watch.next(0.05) == []
            waiting = asyncio.create_task(watch.next(60))
            follower.end()
            assert await waiting == []


async def test_a_generation_that_is_being_built_wakes_nobody(live_desk: Reporting) -> None:
    log, topic, heard = Log(), Topic(live_desk), list[object]()
    await live_desk.owner.add_listener("desk", lambda *about: heard.append(about))
    log.add(TICKET, opened("2026112710000017"))
    topic.add(*log.events)
    built = await sets.begin(live_desk.owner, DESK, live_desk.app_url)
    await topic.apply(built)
    await live_desk.owner.execute("SELECT 1")
    assert heard == []
    await topic.apply(1)

    async def one() -> bool:
        await live_desk.owner.execute("SELECT 1")
        return len(heard) == 1

    await until(one)
