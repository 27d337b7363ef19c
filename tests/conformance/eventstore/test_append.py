"""`es.append` on real PostgreSQL: all or nothing, dense versions, one response for one command."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic_core import to_json

from shared.contracts.envelope import MAX_RECORD_BYTES, Actor
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.parts import PersonRef
from shared.contracts.routing import TicketUnlocked
from shared.eventstore.errors import CommandReused, CommandRunning, EventTooLarge, NotOurs, VersionConflict
from shared.eventstore.store import APPEND, LOAD_SINCE, Append, CommandId, Context, NewEvent, Store
from shared.testing.samples import sample
from shared.testing.streams import load_many

CONTEXT = Context(actor=Actor("agent", "kari"))
KARI = PersonRef(id=UUID(int=1), name="Kari")


def unlocked(why: str = "released") -> NewEvent:
    return NewEvent(TicketUnlocked(was=KARI, because=why))


def appending(stream: UUID, expected: int, *events: NewEvent) -> Append:
    return Append(stream, "ticket", expected, events or (unlocked(),), CONTEXT)


async def test_events_are_loaded_in_the_order_of_their_append(store: Store) -> None:
    ticket = uuid4()
    first = await store.append([appending(ticket, 0, unlocked("a"), unlocked("b\u2028\U0001f5a8"))])
    second = await store.append([appending(ticket, 2, unlocked("c"))])
    assert await store.load(ticket) == [*first.events, *second.events]
    assert [event.version for event in await store.load(ticket)] == [1, 2, 3]


@pytest.mark.parametrize("expected", [0, 1, 3])
async def test_another_version_than_expected_is_a_conflict_and_writes_nothing(store: Store, expected: int) -> None:
    ticket, other = uuid4(), uuid4()
    await store.append([appending(ticket, 0, unlocked(), unlocked())])
    with pytest.raises(VersionConflict):
        await store.append([appending(other, 0), appending(ticket, expected)], command=CommandId(uuid4()))
    assert await store.load(other) == []
    assert len(await store.load(ticket)) == 2
    assert await store.pool.fetchval("SELECT count(*) FROM es.outbox") == 2
    assert await store.pool.fetchval("SELECT count(*) FROM es.commands") == 0


async def test_a_known_command_gets_its_first_response(store: Store) -> None:
    ticket, command = uuid4(), CommandId(uuid4(), b"body")
    await store.append([appending(ticket, 0)], command=command, response={"version": 1})
    again = await store.append([appending(ticket, 0)], command=command, response={"version": 99})
    assert (again.status, again.response) == ("duplicate", {"version": 1})
    assert len(await store.load(ticket)) == 1


async def test_a_command_id_with_another_content_is_refused(store: Store) -> None:
    command = uuid4()
    await store.append([appending(uuid4(), 0)], command=CommandId(command, b"one"))
    with pytest.raises(CommandReused):
        await store.append([appending(uuid4(), 0)], command=CommandId(command, b"two"))
    with pytest.raises(CommandReused):
        await store.response_of(CommandId(command, b"two"))


async def test_a_command_that_is_running_is_not_run_again(store: Store) -> None:
    command = CommandId(uuid4(), b"x")
    async with store.pool.acquire() as connection, connection.transaction():
        await store.append([appending(uuid4(), 0)], command=command, connection=connection)
        with pytest.raises(CommandRunning):
            await store.append([appending(uuid4(), 0)], command=command)
    assert (await store.append([appending(uuid4(), 0)], command=command)).status == "duplicate"


async def test_of_many_writers_at_one_version_one_wins(store: Store) -> None:
    ticket = uuid4()
    results = await asyncio.gather(*(store.append([appending(ticket, 0)]) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(r, VersionConflict) for r in results) == 19
    assert [e.version for e in await store.load(ticket)] == [1]


async def test_appends_over_the_same_streams_in_any_order_do_not_deadlock(store: Store) -> None:
    tickets = [uuid4() for _ in range(6)]
    done = dict.fromkeys(tickets, 0)

    async def writer(order: list[UUID]) -> None:
        for _ in range(15):
            while True:
                loaded = await load_many(store, order)
                try:
                    await store.append([appending(t, len(loaded[t])) for t in order])
                    break
                except VersionConflict:
                    continue

    await asyncio.gather(writer(tickets), writer(tickets[::-1]), writer(tickets[3:] + tickets[:3]))
    done = {t: len(events) for t, events in (await load_many(store, tickets)).items()}
    assert set(done.values()) == {45}


async def test_outbox_positions_rise_with_each_streams_versions(store: Store) -> None:
    tickets = [uuid4() for _ in range(4)]

    async def writer(ticket: UUID) -> None:
        for version in range(25):
            await store.append([appending(ticket, version)])

    await asyncio.gather(*map(writer, tickets))
    rows = await store.pool.fetch("SELECT stream_id, version FROM es.outbox ORDER BY position")
    for ticket in tickets:
        assert [row["version"] for row in rows if row["stream_id"] == ticket] == list(range(1, 26))


async def test_one_stream_may_be_named_twice_in_one_append(store: Store) -> None:
    ticket = uuid4()
    await store.append([appending(ticket, 0, unlocked("a")), appending(ticket, 1, unlocked("b"))])
    assert [e.version for e in await store.load(ticket)] == [1, 2]


async def test_nobody_records_an_event_of_another_service(store: Store) -> None:
    foreign = CustomerMessageReceived.model_validate(sample(CustomerMessageReceived))
    with pytest.raises(NotOurs):
        await store.append([appending(uuid4(), 0, NewEvent(foreign))])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE es.events SET data = '{}'",
        "DELETE FROM es.events",
        "TRUNCATE es.events",
        "UPDATE es.commands SET answer = NULL",
    ],
)
async def test_the_application_can_change_no_fact(store: Store, statement: str) -> None:
    await store.append([appending(uuid4(), 0)])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await store.pool.execute(statement)


async def test_an_append_is_one_statement(store: Store) -> None:
    """One round trip: `append` sends one statement, without a transaction around it."""
    sent: list[str] = []
    async with store.pool.acquire() as connection:
        await store.append(
            [appending(uuid4(), 0)], command=CommandId(uuid4()), connection=connection
        )  # asyncpg learns the types
        with connection.query_logger(lambda record: sent.append(record.query)):
            await store.append([appending(uuid4(), 0)], command=CommandId(uuid4()), connection=connection)
    assert sent == [APPEND]


@pytest.mark.parametrize(
    ("statement", "arguments", "index"),
    [
        ("SELECT * FROM es.events WHERE stream_id = $1 ORDER BY version", 1, "events_pkey"),
        (LOAD_SINCE.replace("$2::integer[]", "'{40}'::integer[]").replace("$1", "ARRAY[$1]"), 1, "events_pkey"),
        ("SELECT * FROM es.commands WHERE command_id = $1", 1, "commands_pkey"),
        (
            "SELECT * FROM es.outbox o JOIN es.events e USING (stream_id, version) ORDER BY o.position LIMIT 500",
            0,
            "outbox_pkey",
        ),
    ],
)
async def test_hot_statements_use_their_index(store: Store, statement: str, arguments: int, index: str) -> None:
    for _ in range(40):
        ticket = uuid4()
        await store.append([appending(ticket, 0, *(unlocked() for _ in range(50)))], command=CommandId(uuid4()))
    async with store.pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = off")
        plan = "\n".join(r[0] for r in await connection.fetch("EXPLAIN " + statement, *[ticket][:arguments]))
    assert index in plan and "Seq Scan on events" not in plan, plan


@pytest.mark.parametrize("letter", ["x", "\u0436", "\u6f22", '"', "\x01"])
async def test_the_size_of_an_event_is_that_of_its_record(store: Store, letter: str) -> None:
    """In bytes of its whole record: an event is appended if, and only if, it fits into a record of the broker."""
    taken = len(to_json(letter)) - 2
    room = MAX_RECORD_BYTES - 2_000
    fits = unlocked(letter * (room // taken))
    await store.append([appending(uuid4(), 0, fits)])
    too_large = unlocked(letter * (MAX_RECORD_BYTES // taken))
    ticket = uuid4()
    with pytest.raises(EventTooLarge) as refused:
        await store.append([appending(ticket, 0, unlocked(), too_large)])
    assert refused.value.size > refused.value.most == MAX_RECORD_BYTES
    assert await store.load(ticket) == []


async def test_every_byte_around_an_event_counts(store: Store) -> None:
    bare = Append(uuid4(), "ticket", 0, (unlocked("x" * (MAX_RECORD_BYTES - 1_000)),), CONTEXT)
    await store.append([bare])
    with pytest.raises(EventTooLarge):
        context = Context(actor=Actor("agent", "k" * 1_000))
        await store.append([Append(uuid4(), "ticket", 0, bare.events, context)])
