"""Timers on real PostgreSQL: each fires once, whatever happens in between."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.routing import ticket, timers
from services.routing.recording import started_by, write_rows
from services.routing.ticket import Command
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.parts import StateRef
from shared.contracts.routing import ReminderReached, StateChanged, TicketLocked, TicketUnlocked
from shared.eventstore.store import Append, Context, NewEvent
from shared.rules.states import NEW, OPEN, PENDING_AUTO_CLOSE, PENDING_REMINDER
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from shared.testing.progress import until
from tests.services.routing.workplace import KARI, OLA, Workplace, person
from tests.specs.requirement import requirement

PAST = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
WAITING = "SELECT count(*) FROM routing.timers"


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


async def pending(desk: Workplace, state: StateRef, until: datetime = PAST) -> str:
    """A ticket in a pending state whose date has come."""
    number = await desk.ticket()
    stream = await desk.operations.find(number)
    assert stream is not None
    await desk.record(stream, StateChanged(to=state, was=NEW, pending_until=until))
    return number


async def fire_all(desk: Workplace) -> None:
    """Fires timers as a worker does."""
    while await desk.clock.fire(timers.AT_ONCE) == timers.AT_ONCE:
        pass


@requirement("A5.05")
async def test_a_reminder_says_when_it_was_due_and_when_it_fired(desk: Workplace) -> None:
    number = await pending(desk, PENDING_REMINDER)
    await fire_all(desk)
    reached = (await desk.events(number))[-1]
    assert isinstance(reached.payload, ReminderReached)
    assert reached.payload.due_at == PAST < reached.payload.fired_at
    assert reached.actor.kind == "system"
    assert (await desk.state(number)).state == PENDING_REMINDER


@requirement("A5.07")
async def test_an_automatic_closing_closes_and_unlocks_the_ticket(desk: Workplace) -> None:
    number = await pending(desk, PENDING_AUTO_CLOSE)
    await desk.done(number, "lock")
    await fire_all(desk)
    state = await desk.state(number)
    assert (state.state.type, state.locked_by) == ("closed", None)


@requirement("A6.06")
async def test_a_forgotten_lock_ends(desk: Workplace) -> None:
    number = await desk.ticket()
    stream = await desk.operations.find(number)
    assert stream is not None
    await desk.record(stream, TicketLocked(by=person(KARI), expires_at=PAST))
    await fire_all(desk)
    ended = (await desk.events(number))[-1].payload
    assert isinstance(ended, TicketUnlocked)
    assert (ended.because, ended.due_at, ended.was.name) == ("expired", PAST, "Kari")


async def test_a_lock_ends_after_the_queues_time_and_not_before(desk: Workplace) -> None:
    number = await desk.ticket()
    before = datetime.now(UTC)
    await desk.done(number, "lock")
    until = (await desk.state(number)).lock_until
    assert until is not None
    assert timedelta(minutes=60) <= until - before < timedelta(minutes=61)
    await fire_all(desk)
    assert (await desk.state(number)).locked_by is not None
    assert await desk.pool.fetchval(WAITING) == 1


async def test_many_workers_fire_each_timer_once(desk: Workplace) -> None:
    tickets = [await pending(desk, PENDING_REMINDER) for _ in range(150)]
    await asyncio.gather(*(fire_all(desk) for _ in range(5)))
    await fire_all(desk)
    for number in tickets:
        assert (await desk.kinds(number)).count("ReminderReached") == 1
    assert await desk.pool.fetchval(WAITING) == 0


@pytest.mark.parametrize(
    "moment", ["timers.locked", "timers.before_commit", "timers.after_commit", "append.before_commit"]
)
async def test_a_worker_that_dies_leaves_each_timer_to_fire_once(desk: Workplace, moment: str) -> None:
    number = await pending(desk, PENDING_AUTO_CLOSE)
    failpoints.arm(f"{moment}=raise")
    try:
        await fire_all(desk)
    except FailpointRaised:
        pass
    else:
        assert moment == "append.before_commit"  # the timers record inside their own transaction
    failpoints.arm("")
    await fire_all(desk)
    assert (await desk.kinds(number)).count("StateChanged") == 2
    assert await desk.pool.fetchval(WAITING) == 0


async def test_an_outdated_date_leads_to_nothing(desk: Workplace) -> None:
    moved_on, put_off = await pending(desk, PENDING_REMINDER), await pending(desk, PENDING_REMINDER)
    await desk.done(moved_on, "set-state", {"state": "open"})
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await desk.done(put_off, "set-state", {"state": "pending-reminder", "pending_until": later})
    await fire_all(desk)
    assert (await desk.state(moved_on)).state == OPEN
    for number in (moved_on, put_off):
        assert "ReminderReached" not in await desk.kinds(number)
    rows = await desk.pool.fetch("SELECT * FROM routing.timers WHERE kind = 'pending'")
    assert [row["due_at"].isoformat() for row in rows] == [later]


async def test_a_timer_set_while_a_worker_sleeps_fires_at_its_time(desk: Workplace) -> None:
    running = asyncio.create_task(desk.clock.run())
    try:
        number = await desk.ticket()
        due = datetime.now(UTC) + timedelta(seconds=2)  # a pause of this process must not make it past
        await desk.done(number, "set-state", {"state": "pending-auto-close", "pending_until": due.isoformat()})

        async def closed() -> bool:
            return (await desk.state(number)).state.type == "closed"

        await until(closed)
        change = (await desk.events(number))[-1].payload
        closing = next(e.payload for e in reversed(await desk.events(number)) if isinstance(e.payload, StateChanged))
        assert isinstance(change, TicketUnlocked)
        assert closing.due_at == due
        assert closing.fired_at is not None
        assert closing.fired_at >= due
    finally:
        running.cancel()


async def test_waiting_timers_cost_an_index_entry(desk: Workplace) -> None:
    """With 100 000 timers, the next one and those that are due are read from the index."""
    async with desk.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO routing.timers SELECT gen_random_uuid(), 'pending', now() + n * interval '1 second'"
            " FROM generate_series(1, 100000) n"
        )
        for statement, arguments in ((timers.NEXT, []), (timers.DUE, [datetime.now(UTC), 100])):
            plan = "\n".join(
                row[0] for row in await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", *arguments)
            )
            assert "timers_by_due" in plan and "Seq Scan" not in plan, plan
        await connection.execute("DELETE FROM routing.timers")


async def test_a_command_at_the_same_moment_comes_before_the_timer(desk: Workplace) -> None:
    """A timer skips a ticket that a command is writing to, and looks again."""
    tickets = [await pending(desk, PENDING_AUTO_CLOSE) for _ in range(20)]
    await asyncio.gather(
        fire_all(desk), *(desk.give(number, "note", {"text": "x"}) for number in tickets), fire_all(desk)
    )
    await fire_all(desk)
    for number in tickets:
        assert (await desk.state(number)).state.type == "closed"
        kinds = await desk.kinds(number)
        assert (kinds.count("StateChanged"), kinds.count("NoteAdded")) == (2, 1)


async def test_a_timer_and_a_take_over_at_the_same_moment_do_not_deadlock(desk: Workplace) -> None:
    """A command locks its ticket's stream before its timer, so a worker must not lock the timer before the stream."""
    number = await desk.ticket()
    stream = await desk.operations.find(number)
    assert stream is not None
    await desk.record(stream, TicketLocked(by=person(KARI), expires_at=PAST))
    later = datetime.now(UTC) + timedelta(hours=1)
    taken_over = TicketLocked(by=person(OLA), taken_over_from=person(KARI), reason="ill", expires_at=later)
    made = Append(stream, "ticket", 2, (NewEvent(taken_over),), Context(Actor("agent")))
    async with desk.pool.acquire() as connection, connection.transaction():
        appended = await desk.store.append([made], connection=connection)
        firing = asyncio.create_task(desk.clock.fire(timers.AT_ONCE))
        await until(lambda: _ended_or_blocked(desk, firing))
        await write_rows(connection, appended.events)
    assert await firing == 0
    await fire_all(desk)
    assert (await desk.state(number)).locked_by == person(OLA)
    assert await desk.pool.fetchval("SELECT due_at FROM routing.timers") == later


async def _ended_or_blocked(desk: Workplace, firing: asyncio.Task[int]) -> bool:
    """Whether it has ended or waits for a lock."""
    if firing.done():
        return True
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await desk.pool.fetchval(waits))


async def test_take_overs_of_many_expired_locks_while_workers_end_them(desk: Workplace) -> None:
    tickets = [await desk.ticket() for _ in range(30)]
    for number in tickets:
        stream = await desk.operations.find(number)
        assert stream is not None
        await desk.record(stream, TicketLocked(by=person(KARI), expires_at=PAST))
    take_over = {"take_over": True, "text": "ill"}
    answers = await asyncio.gather(
        *(desk.give(number, "lock", take_over, who=OLA) for number in tickets), *(fire_all(desk) for _ in range(3))
    )
    assert {answer.status_code for answer in answers[: len(tickets)] if answer is not None} == {200}
    await fire_all(desk)
    for number in tickets:
        assert (await desk.state(number)).locked_by == person(OLA)
    async with desk.pool.acquire() as connection:
        assert not await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )


async def test_a_timer_that_cannot_fire_is_parked_and_does_not_delay_others(
    desk: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, poison, last = [await pending(desk, PENDING_AUTO_CLOSE) for _ in range(3)]
    stream = await desk.operations.find(poison)
    assert stream is not None
    decide = ticket.decide

    def broken(command: Command, state: ticket.Ticket) -> list[Event]:
        if state.number == poison:
            raise ValueError("a bug of this version")
        return decide(command, state)

    with monkeypatch.context() as version:
        version.setattr(ticket, "decide", broken)
        await fire_all(desk)
        types = [(await desk.state(number)).state.type for number in (first, poison, last)]
        assert types == ["closed", "pending_auto_close", "closed"]
        (waiting,) = await timers.Parked().parked(desk.pool)
        assert (waiting.by, waiting.stream, waiting.events) == ("timers", stream, 1)
        assert waiting.reason == "ValueError: a bug of this version"
        assert await desk.clock.fire(timers.AT_ONCE) == 0
        assert await desk.pool.fetchval(timers.NEXT) is None
    assert await timers.Parked().replay(desk.pool, stream) == 1
    await fire_all(desk)
    assert (await desk.state(poison)).state.type == "closed"
    assert await timers.Parked().parked(desk.pool) == []


async def test_a_parked_timer_that_is_set_anew_fires_again(desk: Workplace) -> None:
    number = await pending(desk, PENDING_REMINDER)
    await desk.pool.execute("UPDATE routing.timers SET parked_at = now(), reason = 'a bug'")
    await fire_all(desk)
    assert "ReminderReached" not in await desk.kinds(number)
    stream = await desk.operations.find(number)
    assert stream is not None
    await desk.record(stream, StateChanged(to=PENDING_REMINDER, was=PENDING_REMINDER, pending_until=PAST))
    await fire_all(desk)
    assert (await desk.kinds(number)).count("ReminderReached") == 1


def test_a_later_event_of_the_same_kind_replaces_the_timer() -> None:
    one = UUID(int=1)
    events = [StateChanged(to=PENDING_REMINDER, was=NEW, pending_until=PAST + timedelta(days=n)) for n in range(3)]
    assert started_by((one, event) for event in events)[0] == [(one, "pending", PAST + timedelta(days=2))]
