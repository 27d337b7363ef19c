"""The clocks of tickets on real PostgreSQL: every way to a ticket moves them, and their timers fire once."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.routing import timers
from shared.contracts.directory import Calendar
from shared.contracts.routing import DeadlineBroken, DeadlinesChanged, DeadlineWarned
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from shared.testing.progress import until
from tests.services.routing.clocks.stage import clocks, message, minutes, opened, save, sla, states, waiting
from tests.services.routing.workplace import OLA, Workplace
from tests.specs.requirement import requirement


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


async def fire_all(desk: Workplace) -> None:
    while await desk.clock.fire(timers.AT_ONCE) == timers.AT_ONCE:
        pass


@requirement("A21.14", "A4.07")
async def test_an_opened_ticket_has_its_clocks_and_their_timers(desk: Workplace) -> None:
    await save(desk, sla())
    number = await opened(desk)
    first, *_, last = await desk.events(number)
    known = await clocks(desk, number)
    assert (known["first_answer"].since, known["first_answer"].due_at) == (first.time, first.time + minutes(20))
    assert (known["solution"].due_at, known["solution"].sla.version) == (first.time + minutes(120), 1)
    assert await waiting(desk) == {"first_answer": first.time + minutes(16), "solution": first.time + minutes(96)}
    assert (last.actor.kind, last.actor.id, last.causation_id) == ("system", "clock", first.id)


async def test_without_an_sla_there_is_no_event_and_no_timer(desk: Workplace) -> None:
    number = await opened(desk)
    await desk.done(number, "reply", {"text": "Yes."})
    assert not [kind for kind in await desk.kinds(number) if kind.startswith("Deadline")]
    assert await waiting(desk) == {}


async def test_every_way_to_a_ticket_moves_its_clocks(desk: Workplace) -> None:
    await save(desk, sla())
    number = await opened(desk)
    await desk.done(number, "reply", {"text": "We are on it."})
    assert await states(desk, number) == {"first_answer": "kept", "solution": "running"}
    assert set(await waiting(desk)) == {"solution"}
    at = await message(desk, number)
    assert (await clocks(desk, number))["update"].due_at == at + minutes(15)
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await desk.done(number, "set-state", {"state": "pending-reminder", "pending_until": later})
    assert await states(desk, number) == {"first_answer": "kept", "solution": "paused", "update": "paused"}
    assert await waiting(desk) == {}
    assert (await desk.bulk([number], "set-state", {"state": "open"})).json()["items"][0]["status"] == 200
    assert (await states(desk, number))["solution"] == "running"
    await desk.done(number, "close")
    assert set((await states(desk, number)).values()) == {"kept"}
    assert await waiting(desk) == {}


async def test_a_merge_and_its_undo(desk: Workplace) -> None:
    await save(desk, sla())
    one, other = await opened(desk), await opened(desk)
    before = (await clocks(desk, one))["solution"].due_at
    await desk.done(one, "merge", {"into": other})
    assert set((await states(desk, one)).values()) == {"kept"}
    merged = next(each.id for each in await desk.events(one) if each.type == "helpdesk.TicketMerged.v1")
    await desk.done(one, "undo", {"event": str(merged)})
    assert (await clocks(desk, one))["solution"].due_at == before
    assert (await states(desk, other)) == {"first_answer": "running", "solution": "running"}


@requirement("A5.17")
async def test_warning_and_breach_fire_once_with_many_workers(desk: Workplace) -> None:
    await save(desk, sla(solution_minutes=None, update_minutes=None))
    numbers = [await opened(desk, datetime.now(UTC) - minutes(30)) for _ in range(130)]
    await asyncio.gather(*(fire_all(desk) for _ in range(4)))
    await fire_all(desk)
    for number in numbers:
        kinds = await desk.kinds(number)
        assert (kinds.count("DeadlineWarned"), kinds.count("DeadlineBroken")) == (1, 1)
    assert await waiting(desk) == {}


@pytest.mark.parametrize("moment", ["timers.locked", "timers.before_commit", "timers.after_commit"])
async def test_a_worker_that_dies_leaves_each_to_fire_once(desk: Workplace, moment: str) -> None:
    await save(desk, sla())
    number = await opened(desk, datetime.now(UTC) - minutes(17))
    failpoints.arm(f"{moment}=raise")
    with pytest.raises(FailpointRaised):
        await fire_all(desk)
    failpoints.arm("")
    await fire_all(desk)
    kinds = await desk.kinds(number)
    assert (kinds.count("DeadlineWarned"), kinds.count("DeadlineBroken")) == (1, 0)
    assert (await waiting(desk))["first_answer"] == (await clocks(desk, number))["first_answer"].due_at


async def test_the_desk_was_away_when_the_time_came(desk: Workplace) -> None:
    await save(desk, sla())
    opening = datetime.now(UTC) - minutes(500)
    number = await opened(desk, opening)
    await fire_all(desk)
    told = [each.payload for each in await desk.events(number)]
    broken = {each.clock: each.due_at for each in told if isinstance(each, DeadlineBroken)}
    assert {clock: due - opening for clock, due in broken.items()} == {
        "first_answer": minutes(20),
        "solution": minutes(120),
    }
    assert len([each for each in told if isinstance(each, DeadlineWarned)]) == 2


@requirement("A5.17")
async def test_a_worker_that_sleeps_fires_a_clock_at_its_second(desk: Workplace) -> None:
    await save(desk, sla(first_answer_minutes=0.03, solution_minutes=None, warn_percent=50))
    running = asyncio.create_task(desk.clock.run())
    try:
        number = await opened(desk)

        async def broken() -> bool:
            return (await states(desk, number)) == {"first_answer": "broken"}

        await until(broken)
        told = [each.payload for each in await desk.events(number)]
        (warned,) = [each for each in told if isinstance(each, DeadlineWarned)]
        (over,) = [each for each in told if isinstance(each, DeadlineBroken)]
        assert warned.warn_at <= warned.fired_at <= over.fired_at >= over.due_at
    finally:
        running.cancel()


async def test_a_lock_refuses_no_clock(desk: Workplace) -> None:
    await save(desk, sla())
    number = await opened(desk, datetime.now(UTC) - minutes(30))
    await desk.done(number, "lock", who=OLA)
    await fire_all(desk)
    assert (await states(desk, number))["first_answer"] == "broken"


async def test_the_sums_of_each_event_can_be_checked(desk: Workplace) -> None:
    calendar = Calendar(
        id=UUID(int=72), slug="office", name="Office", timezone="Europe/Oslo",
        hours=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "16:00"),)),
    )  # fmt: skip
    await save(desk, calendar)
    await save(desk, sla(calendar="office"))
    number = await opened(desk, datetime(2026, 11, 27, 14, 30, tzinfo=UTC))  # Friday 15:30 in Oslo
    known = (await clocks(desk, number))["solution"]
    assert known.due_at == datetime(2026, 11, 30, 8, 30, tzinfo=UTC)
    assert known.warn_at == datetime(2026, 11, 30, 8, 6, tzinfo=UTC)
    await desk.done(number, "close")
    last = [each.payload for each in await desk.events(number) if isinstance(each.payload, DeadlinesChanged)][-1]
    assert (last.clock, last.minutes, last.sla.slug, last.calendar and last.calendar.slug) == (
        "solution",
        120,
        "gold",
        "office",
    )


async def test_the_commands_that_only_write_articles_cost_no_clock_event(desk: Workplace) -> None:
    await save(desk, sla())
    number = await opened(desk)
    before = len(await desk.events(number))
    await desk.done(number, "note", {"text": "thinking"})
    await desk.done(number, "tag", {"tags": ["hot"]})
    assert len(await desk.events(number)) == before + 2
