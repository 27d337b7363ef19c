"""Triggers on tickets that nobody acts on: each once, until a person acts (A9.02)."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.contracts.directory import Trigger
from shared.eventstore.store import utc_now
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from tests.services.routing.test_trigger_faults import another_worker
from tests.services.routing.triggers import by_rules, customer_writes, has, opened, rule, save, settled
from tests.services.routing.workplace import Workplace
from tests.specs.requirement import requirement

NOTE: dict[str, Any] = {"do": "note", "text": "nobody came"}


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the clock that looks for idle tickets, so many minutes from now."""

    def set_to(minutes: float) -> None:
        def moved() -> datetime:
            return utc_now() + timedelta(minutes=minutes)

        monkeypatch.setattr("services.routing.matches.idle.utc_now", moved)

    return set_to


async def quiet(desk: Workplace, slug: str = "quiet", minutes: float = 10, **more: Any) -> Trigger:
    return await rule(desk, slug, "idle", NOTE, idle_minutes=minutes, **more)


@requirement("A9.02")
async def test_an_idle_ticket_is_acted_on_once_and_again_only_after_somebody_has_acted(
    desk: Workplace, later: Any
) -> None:
    await quiet(desk)
    number = await opened(desk)
    await settled(desk)
    assert await by_rules(desk, number) == []
    later(11)
    await settled(desk)
    (done,) = await by_rules(desk, number)
    assert done.causation_id == (await desk.events(number))[0].causation_id
    later(1000)
    await settled(desk)
    assert len(await by_rules(desk, number)) == 1
    await customer_writes(desk, number, "Hello?")
    later(2000)
    await settled(desk)
    assert len(await by_rules(desk, number)) == 2


@requirement("A9.02")
async def test_tickets_that_existed_when_the_trigger_was_saved_are_looked_at_too(desk: Workplace, later: Any) -> None:
    numbers = [await opened(desk) for _ in range(5)]
    closed = await opened(desk)
    await desk.done(closed, "close", {"text": "done"})
    await quiet(desk)
    later(11)
    await settled(desk)
    for number in numbers:
        assert len(await by_rules(desk, number)) == 1
    assert await by_rules(desk, closed) == []


@requirement("A9.02")
async def test_the_condition_is_judged_on_the_ticket_as_it_is_then(desk: Workplace, later: Any) -> None:
    await quiet(desk, when=has("priority", 5))
    number, other = await opened(desk), await opened(desk)
    await desk.done(number, "set-priority", {"priority": 5})
    later(11)
    await settled(desk)
    assert len(await by_rules(desk, number)) == 1
    assert await by_rules(desk, other) == []


@requirement("A9.02")
async def test_a_trigger_that_is_saved_anew_judges_again_but_does_not_act_twice(desk: Workplace, later: Any) -> None:
    made = await quiet(desk, when=has("priority", 3))
    number, urgent = await opened(desk), await opened(desk)
    await desk.done(urgent, "set-priority", {"priority": 5})
    later(11)
    await settled(desk)
    await save(desk, made.model_copy(update={"when": has("priority", 3, 5)}), 2)
    await settled(desk)
    assert len(await by_rules(desk, number)) == len(await by_rules(desk, urgent)) == 1


@requirement("A9.02")
async def test_each_trigger_looks_after_its_own_time(desk: Workplace, later: Any) -> None:
    await quiet(desk, "soon", 10)
    await quiet(desk, "late", 60)
    number = await opened(desk)
    for minutes, notes in ((11, 1), (30, 1), (61, 2), (500, 2)):
        later(minutes)
        await settled(desk)
        assert len(await by_rules(desk, number)) == notes


@requirement("A9.02")
async def test_rules_and_timers_are_no_persons(desk: Workplace, later: Any) -> None:
    await quiet(desk)
    await rule(desk, "tags", "note", {"do": "tag", "tags": ["x"]})
    number = await opened(desk)
    later(11)
    await settled(desk)
    later(60)
    await settled(desk)
    assert len(await by_rules(desk, number)) == 2


@pytest.mark.parametrize("moment", ["idle.looked_through", "idle.before_commit"])
@requirement("A9.02")
async def test_a_worker_that_dies_looks_again_and_acts_once(desk: Workplace, later: Any, moment: str) -> None:
    numbers = [await opened(desk) for _ in range(3)]
    await quiet(desk)
    later(11)
    failpoints.arm(f"{moment}=raise")
    with pytest.raises(FailpointRaised):
        await settled(desk)
    failpoints.arm("")
    await asyncio.gather(*(settled(desk) for _ in range(3)), another_worker(desk).work(100))
    await settled(desk)
    for number in numbers:
        assert len(await by_rules(desk, number)) == 1


async def test_without_such_a_trigger_nothing_is_written(desk: Workplace) -> None:
    number = await opened(desk)
    await desk.done(number, "note", {"text": "x"})
    await settled(desk)
    assert await desk.pool.fetchval("SELECT count(*) FROM routing.idle") == 0
