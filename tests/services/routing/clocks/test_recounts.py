"""A changed SLA or calendar moves the clocks of open tickets in the background, whatever happens meanwhile."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.routing import timers
from services.routing.conclusions import CLOCK, Conclusions
from services.routing.recording import Recording
from services.routing.recounts import worker as workers
from services.routing.runner import runner
from services.routing.ticket.clocks import commands
from shared.contracts.directory import Calendar
from shared.contracts.parts import QueueRef
from shared.contracts.routing import DeadlinesChanged, TicketQueued
from shared.directory.copy import Configuration, DirectoryCopy
from shared.eventstore.store import Context
from shared.rules.states import NEW
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from tests.services.routing.clocks.stage import clocks, minutes, opened, recount, save, settle, sla, states, worker
from tests.services.routing.workplace import CUSTOMER, HR, IT, Workplace
from tests.specs.requirement import requirement

ALL_DAY = tuple((day, (("00:00", "24:00"),)) for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
OFFICE = Calendar(id=UUID(int=72), slug="office", name="Office", timezone="Europe/Oslo", hours=dict(ALL_DAY))


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


async def due(desk: Workplace, number: str) -> float:
    """After how many minutes the solution is due."""
    solution = (await clocks(desk, number))["solution"]
    assert solution.due_at is not None
    return (solution.due_at - solution.since) / minutes(1)


async def progress(desk: Workplace) -> tuple[int, int, int]:
    """Total, done, changed, of every recount."""
    row = await desk.pool.fetchrow(
        "SELECT sum(total)::int AS total, sum(done)::int AS done, sum(changed)::int AS changed FROM routing.recounts"
    )
    assert row is not None
    return row["total"], row["done"], row["changed"]


@requirement("A21.14")
async def test_a_changed_sla_moves_what_runs_and_names_its_cause(desk: Workplace) -> None:
    await save(desk, sla())
    number, closed = await opened(desk), await opened(desk)
    await desk.done(number, "reply", {"text": "Yes."})
    await desk.done(closed, "close")
    await save(desk, sla(solution_minutes=240.0, first_answer_minutes=1.0), 2)
    await recount(desk)
    assert await due(desk, number) == 240
    assert (await states(desk, number))["first_answer"] == "kept"
    last = (await desk.events(number))[-1]
    assert isinstance(last.payload, DeadlinesChanged)
    assert (last.payload.change, last.payload.sla.version, last.actor.id) == ("moved", 2, "clock")
    assert last.causation_id == await desk.pool.fetchval("SELECT cause FROM routing.recounts")
    assert (await clocks(desk, closed))["solution"].sla.version == 1
    assert await progress(desk) == (1, 1, 1)


async def test_a_new_name_asks_for_no_recount(desk: Workplace) -> None:
    await save(desk, sla())
    await opened(desk)
    await recount(desk)
    await save(desk, sla(name="Golden"), 2)
    assert await desk.pool.fetchval("SELECT count(*) FROM routing.recounts WHERE finished_at IS NULL") == 0


async def test_only_the_queues_of_the_sla_are_gone_through(desk: Workplace) -> None:
    one, other = await opened(desk), await opened(desk, queue=QueueRef(id=HR.id, slug=HR.slug, name=HR.name))
    await save(desk, sla(queues=(HR.slug,)))
    await recount(desk)
    assert (await states(desk, one), len(await states(desk, other))) == ({}, 2)
    assert await progress(desk) == (1, 1, 1)
    await save(desk, sla(queues=(IT.slug,)), 2)
    await recount(desk)
    assert (len(await states(desk, one)), await states(desk, other)) == (2, {})


async def test_a_retired_sla_withdraws_and_the_next_one_holds(desk: Workplace) -> None:
    await save(desk, sla())
    await save(desk, sla("next", UUID(int=73), order=5, solution_minutes=30.0))
    number = await opened(desk)
    await save(desk, sla(), 2, retired=True)
    await recount(desk)
    assert (await due(desk, number), (await clocks(desk, number))["solution"].sla.slug) == (30, "next")
    await save(desk, sla("next", UUID(int=73), order=5, solution_minutes=30.0), 2, retired=True)
    await recount(desk)
    assert await states(desk, number) == {}


async def test_a_changed_calendar_moves_the_clocks_of_its_slas(desk: Workplace) -> None:
    await save(desk, OFFICE)
    await save(desk, sla(calendar="office"))
    number = await opened(desk, datetime(2026, 11, 30, 10, tzinfo=UTC))
    assert await due(desk, number) == 120
    half = OFFICE.model_copy(update={"hours": {"mon": (("11:00", "12:00"),), "tue": (("11:00", "12:00"),)}})
    await save(desk, half, 2)
    await recount(desk)
    assert await due(desk, number) == 24 * 60 + 60
    await save(desk, OFFICE.model_copy(update={"hours": {}}), 3)
    await recount(desk)
    assert (await clocks(desk, number))["solution"].due_at is None
    await save(desk, OFFICE, 4, retired=True)
    await recount(desk)
    assert await due(desk, number) == 120


async def test_a_ticket_from_before_counts_from_the_times_of_its_envelopes(desk: Workplace) -> None:
    stream = uuid7()
    place = QueueRef(id=IT.id, slug=IT.slug, name=IT.name)
    await desk.record(
        stream,
        TicketQueued(number="2026112910000042", title="Old", queue=place, customer=CUSTOMER, state=NEW, priority=3, channel="email"),
    )  # fmt: skip
    await save(desk, sla())
    await recount(desk)
    first = (await desk.store.load(stream))[0]
    assert (await clocks(desk, str(stream)))["solution"].since == first.time
    await desk.done(str(stream), "close")
    await desk.done(str(stream), "reopen")
    assert (await states(desk, str(stream)))["solution"] == "running"


async def test_every_ticket_is_counted_once_with_two_workers_and_many_queues(desk: Workplace) -> None:
    numbers = [await opened(desk) for _ in range(60)]
    numbers += [await opened(desk, queue=QueueRef(id=HR.id, slug=HR.slug, name=HR.name)) for _ in range(60)]
    await save(desk, sla(queues=()))
    work = [worker(desk), worker(desk), worker(desk)]

    async def until_idle(each: workers.Recounts) -> None:
        while await each.work():
            pass

    await asyncio.gather(*map(until_idle, work))
    await recount(desk)
    for number in numbers:
        assert (await desk.kinds(number)).count("DeadlinesChanged") == 2
    assert await progress(desk) == (120, 120, 120)


@pytest.mark.parametrize(
    "moment", ["recounts.locked", "append.before_commit", "recounts.before_commit", "recounts.after_commit"]
)
async def test_a_worker_that_dies_loses_nothing_and_does_nothing_twice(
    desk: Workplace, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(workers, "AT_ONCE", 3)
    monkeypatch.setattr(workers, "transient", lambda _: True)  # the process ends, and another one goes on
    numbers = [await opened(desk) for _ in range(8)]
    await save(desk, sla())
    await worker(desk).work()
    failpoints.arm(f"{moment}=raise")
    with pytest.raises(FailpointRaised):
        await worker(desk).work()
    failpoints.arm("")
    await recount(desk)
    for number in numbers:
        assert (await desk.kinds(number)).count("DeadlinesChanged") == 2
    assert await progress(desk) == (8, 8, 8)


async def test_changes_in_a_row_go_once_around_from_where_the_recount_was(
    desk: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "AT_ONCE", 3)
    await save(desk, sla())
    numbers = [await opened(desk) for _ in range(10)]
    await save(desk, sla(solution_minutes=200.0), 2)
    work = worker(desk)
    await work.work()
    await save(desk, sla(solution_minutes=300.0), 3)
    await work.work()
    await work.work()
    assert [await due(desk, number) for number in numbers] == [200] * 3 + [300] * 6 + [120]
    await save(desk, sla(solution_minutes=400.0), 4)
    await recount(desk)
    assert [await due(desk, number) for number in numbers] == [400] * 10
    moved = [(await desk.kinds(number)).count("DeadlinesChanged") - 2 for number in numbers]
    assert moved == [2] * 9 + [1]
    assert await progress(desk) == (10, 10, 10)


async def test_a_ticket_that_a_process_decided_with_the_old_sla_is_found(desk: Workplace) -> None:
    await save(desk, sla())
    number = await opened(desk)
    old = desk.operations.directory.configuration
    await save(desk, sla(solution_minutes=240.0), 2)
    work = worker(desk)
    while await work.work():
        pass
    assert await due(desk, number) == 240
    stream = await desk.operations.find(number)
    assert stream is not None
    late = runner(desk.store, Conclusions(lambda: old), Recording(desk.store, lambda: None))
    unit = late.unit()
    await unit.load(stream)
    count = commands.CountAnew(Conclusions(lambda: old).slas, datetime.now(UTC))
    unit.decide(stream, count, Context(CLOCK))
    await unit.record()
    assert await due(desk, number) == 120
    await settle(desk)
    while await work.work():
        pass
    assert await due(desk, number) == 240


async def test_a_ticket_that_a_process_opens_without_knowing_the_first_sla_is_found(desk: Workplace) -> None:
    await save(desk, sla(queues=()))
    desk.operations.directory.configuration = Configuration()
    number = await opened(desk)
    assert await states(desk, number) == {}
    desk.operations.directory._revision = -1
    await desk.operations.directory.load()
    await recount(desk)
    assert await states(desk, number) == {"first_answer": "running", "solution": "running"}


async def test_a_ticket_that_cannot_be_counted_is_parked_and_the_others_are_not(
    desk: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [await opened(desk) for _ in range(5)]
    bad = await desk.operations.find(numbers[2])
    assert bad is not None
    await save(desk, sla())
    work = worker(desk)
    load = work.runner.states.newest

    async def broken(streams: list[UUID], **more: object) -> object:
        if bad in streams:
            raise ValueError("cannot be read")
        return await load(streams, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(work.runner.states, "newest", broken)
    while await work.work():
        pass
    for number in numbers:
        assert len(await states(desk, number)) == (0 if number == numbers[2] else 2)
    (parked,) = await timers.Parked().parked(desk.pool)
    assert (parked.stream, parked.reason) == (bad, "ValueError: cannot be read")
    monkeypatch.undo()
    await timers.Parked().replay(desk.pool, bad)
    await desk.clock.fire(timers.AT_ONCE)
    assert len(await states(desk, numbers[2])) == 2


async def test_where_tickets_stand_is_known(desk: Workplace) -> None:
    async def place(number: str) -> tuple[UUID, bool]:
        stream = await desk.operations.find(number)
        row = await desk.pool.fetchrow("SELECT * FROM routing.places WHERE ticket_id = $1", stream)
        assert row is not None
        return row["queue_id"], row["open"]

    number, other = await opened(desk), await opened(desk)
    assert await place(number) == (IT.id, True)
    await desk.done(number, "move", {"queue": HR.slug})
    assert await place(number) == (HR.id, True)
    await desk.done(other, "close")
    assert await place(other) == (IT.id, False)
    await desk.done(other, "reopen")
    assert await place(other) == (IT.id, True)
    third = await opened(desk)
    await desk.done(other, "merge", {"into": third})
    assert await place(other) == (IT.id, False)


async def test_the_migration_finds_where_the_tickets_from_before_stand(desk: Workplace) -> None:
    numbers = [await opened(desk) for _ in range(4)]
    await desk.done(numbers[0], "move", {"queue": HR.slug})
    await desk.done(numbers[1], "close")
    await desk.done(numbers[2], "merge", {"into": numbers[3]})
    before = await desk.pool.fetch("SELECT * FROM routing.places ORDER BY ticket_id")
    (fill,) = [part for part in _migration().split(";\n") if part.strip().startswith("INSERT INTO routing.places")]
    async with desk.pool.acquire() as connection, connection.transaction():
        select = fill[fill.index("SELECT") :]
        found = await connection.fetch(f"SELECT * FROM ({select}) AS p(ticket_id, queue_id, open) ORDER BY ticket_id")
    assert [tuple(row) for row in found] == [tuple(row) for row in before]


def _migration() -> str:
    return (Path(timers.__file__).parent / "migrations" / "0111_clocks.sql").read_text("utf-8")


async def test_a_change_that_comes_while_a_batch_begins_is_not_taken_for_counted(
    desk: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(desk, sla())
    number = await opened(desk)
    await save(desk, sla(solution_minutes=200.0), 2)
    copy = DirectoryCopy(desk.pool, desk.operations.directory.database_url)
    await copy.load()
    work = workers.Recounts(desk.store, Conclusions(lambda: copy.configuration), copy)
    load, calls = copy.load, iter([True])

    async def and_then_a_change() -> None:
        await load()
        if next(calls, False):
            await save(desk, sla(solution_minutes=300.0), 3)

    monkeypatch.setattr(copy, "load", and_then_a_change)
    while await work.work():
        pass
    assert await due(desk, number) == 300
