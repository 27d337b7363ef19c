"""Blocks of the day's counter on real PostgreSQL: replicas never collide (requirements A2.02, A2.03)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.intake.records.numbers import LARGEST, Numbers
from services.intake.schema import MIGRATIONS
from shared.database import Pool, connect_pool
from shared.eventstore.migrations import migrate
from tests.specs.requirement import requirement

UTC = ZoneInfo("UTC")


@pytest.fixture
async def pool(postgres: Any) -> AsyncIterator[Pool]:
    owner_url, url = postgres.database("numbers")
    await migrate(owner_url, url, *MIGRATIONS)
    made = await connect_pool(url)
    yield made
    await made.close()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@requirement("A2.01", "A2.02")
async def test_replicas_that_hand_out_numbers_at_once_never_collide(pool: Pool) -> None:
    replicas = [Numbers(pool, UTC) for _ in range(4)]
    numbers = await asyncio.gather(*(replica.next() for _ in range(100) for replica in replicas))
    assert len(set(numbers)) == 400


async def test_a_quiet_desk_has_no_gaps(pool: Pool) -> None:
    clock = Clock()
    numbers = Numbers(pool, UTC, clock=clock)
    counters = []
    for _ in range(5):
        counters.append(int((await numbers.next())[10:15]))
        clock.now += 5
    assert counters == [1, 2, 3, 4, 5]


async def test_under_load_few_numbers_touch_the_database(pool: Pool) -> None:
    numbers = Numbers(pool, UTC, clock=Clock())
    counters = [int((await numbers.next())[10:15]) for _ in range(200)]
    assert counters == list(range(1, 201))
    taken = await pool.fetchval("SELECT next - 1 FROM intake.number_blocks")
    assert taken - 200 < LARGEST


@requirement("A2.03")
async def test_the_counter_starts_again_each_day(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = Numbers(pool, UTC)
    for day in (date(2026, 11, 23), date(2026, 11, 24)):
        monkeypatch.setattr(numbers, "today", lambda day=day: day)
        assert [(await numbers.next())[8:15] for _ in range(3)] == ["1000001", "1000002", "1000003"]


async def test_the_rest_of_yesterdays_block_is_dropped(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = Numbers(pool, UTC, clock=Clock())
    monkeypatch.setattr(numbers, "today", lambda: date(2026, 11, 23))
    for _ in range(8):
        await numbers.next()
    monkeypatch.setattr(numbers, "today", lambda: date(2026, 11, 24))
    assert (await numbers.next())[:15] == "202611241000001"
    monkeypatch.setattr(numbers, "today", lambda: date(2026, 11, 23))
    assert int((await numbers.next())[10:15]) > 8
