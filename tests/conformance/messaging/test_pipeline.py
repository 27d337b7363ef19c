"""From the outbox through Kafka to effects: nothing is lost or done twice, tickets keep their order, bad data is
parked.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import TopicPartition
from uuid_utils.compat import uuid7

from shared.contracts.envelope import Recorded, decode, encode
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.routing import CustomerAnswered, TicketQueued
from shared.contracts.topics import PARTITIONS, TICKETS
from shared.database import OwnConnection, connect
from shared.eventstore.store import Store
from shared.messaging import topics
from shared.messaging.announcing import Announcer
from shared.messaging.clients import consumer as started
from shared.messaging.clients import producer
from shared.messaging.consuming import consumer, halting, parking
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.messaging.operating import commands as parking_commands
from shared.messaging.relay import SHARDS
from shared.runtime import failpoints
from shared.runtime.heartbeat import SILENCE_SECONDS
from shared.testing.progress import until
from shared.testing.samples import sample_event
from shared.testing.streams import load_many
from tests.conformance.messaging.system import (
    Service,
    Texts,
    append,
    open_tickets,
    opened,
    pair,
    reading,
    relay,
    routing_policy,
    running,
    said,
)
from tests.servers import Kafka


@dataclass
class Pipeline:
    intake: Service
    routing: Service
    kafka: Kafka
    name: str

    async def queued(self, tickets: Sequence[UUID]) -> bool:
        """Whether routing has exactly the events that each ticket of `open_tickets` leads to."""
        streams = await load_many(self.routing.store, list(tickets))
        return all([type(e.payload) for e in stream] == [TicketQueued, CustomerAnswered] for stream in streams.values())

    async def texts(self) -> dict[UUID, list[str]]:
        return {row["stream"]: row["texts"] for row in await self.routing.pool.fetch("SELECT stream, texts FROM texts")}

    async def outbox(self) -> int:
        waiting: int = await self.intake.pool.fetchval("SELECT count(*) FROM es.outbox")
        return waiting


@pytest.fixture
async def pipeline(postgres: Any, kafka: Kafka) -> AsyncIterator[Pipeline]:
    async with pair(postgres, kafka) as services:
        yield Pipeline(services.intake, services.reader, kafka, services.name)
    failpoints.arm("")


def policy(p: Pipeline, **more: Any) -> dict[str, Any]:
    return {TICKETS: routing_policy(p.routing.store, p.name, **more)}


async def test_every_event_has_its_effect_once(pipeline: Pipeline) -> None:
    tickets = await open_tickets(pipeline.intake.store, 60)
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, policy(pipeline))
    async with running(relay(pipeline.intake, pipeline.kafka), one):
        await until(lambda: pipeline.queued(tickets))
        await until(lambda: _empty(pipeline))
    for stream in (await load_many(pipeline.routing.store, tickets)).values():
        causes = [e.id for e in await pipeline.intake.store.load(stream[0].stream)]
        assert [e.causation_id for e in stream] == causes


async def test_a_relay_and_a_consumer_have_a_heartbeat(pipeline: Pipeline) -> None:
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, policy(pipeline))
    sending = relay(pipeline.intake, pipeline.kafka)
    heartbeats = [one.heartbeat, sending.heartbeat]

    async def fresh() -> bool:
        return max(heartbeat.silent_for(time.monotonic()) for heartbeat in heartbeats) < SILENCE_SECONDS

    async with running(sending, one):
        for _ in range(2):  # at the start, and with nothing to do
            for heartbeat in heartbeats:
                heartbeat.beat(rest=-2 * SILENCE_SECONDS)
            await until(fresh)


async def _empty(pipeline: Pipeline) -> bool:
    return await pipeline.outbox() == 0


@pytest.mark.parametrize("point", ["relay.before_send", "relay.after_ack", "relay.after_delete"])
async def test_a_relay_that_fails_anywhere_loses_and_reorders_nothing(pipeline: Pipeline, point: str) -> None:
    tickets = await open_tickets(pipeline.intake.store, 20)
    failpoints.arm(f"{point}=raise")
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, policy(pipeline))
    failing = relay(pipeline.intake, pipeline.kafka)
    async with running(failing, one):
        await until(lambda: _hit(point))
        failpoints.arm("")
        await until(lambda: pipeline.queued(tickets))


async def _hit(point: str) -> bool:
    return failpoints.hits(point) > 0


async def test_an_event_that_arrives_during_a_slow_batch_is_not_delayed(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch without the busy partition would delay its next record until the fetch ends."""
    monkeypatch.setattr(consumer, "FETCH_WAIT_MS", 30_000)
    gate, inside = asyncio.Event(), asyncio.Event()

    class Slow(Texts):
        async def save(self, connection: Any, rows: Any) -> None:
            inside.set()
            await gate.wait()
            await super().save(connection, rows)

    async def holds(texts: int) -> bool:
        return len((await pipeline.texts()).get(ticket, ())) == texts

    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, {TICKETS: ProjectionHandler(Slow())})
    async with running(relay(pipeline.intake, pipeline.kafka), one):
        (ticket,) = await open_tickets(pipeline.intake.store, 1)
        await inside.wait()
        await pipeline.intake.store.append([append(ticket, 2, said("while it is busy"))])
        await until(lambda: _empty(pipeline))
        await asyncio.sleep(0.5)  # not progress: the 0.1 s after which aiokafka would fetch for the other partitions
        gate.set()
        await until(lambda: holds(3))
        await pipeline.intake.store.append([append(ticket, 3, said("at once"))])
        await until(lambda: holds(4), seconds=15)


async def test_two_relays_share_the_shards_and_send_each_row_in_order(pipeline: Pipeline) -> None:
    relays = [relay(pipeline.intake, pipeline.kafka) for _ in range(2)]
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, policy(pipeline))
    async with running(*relays, one):
        tickets = await open_tickets(pipeline.intake.store, 40)
        await until(lambda: pipeline.queued(tickets))
        held = [shard for each in relays for shard in each.held]
        assert sorted(held) == [0, 1, 2, 3]


async def test_a_relay_is_notified_of_appends_by_another_process(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.relay.FALLBACK_SECONDS", 600.0)
    monkeypatch.setattr("shared.messaging.relay.TRY_SHARDS_SECONDS", 600.0)
    api, replica = (replace(pipeline.intake, store=Store(pipeline.intake.pool, "intake")) for _ in range(2))
    holder, other = relay(pipeline.intake, pipeline.kafka), relay(replica, pipeline.kafka)
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, policy(pipeline))

    async def all_held() -> bool:
        return len(holder.held) == SHARDS

    async def nothing_waits() -> bool:
        return await pipeline.outbox() == 0

    async with running(holder, one):
        await until(all_held)
        first = await open_tickets(pipeline.intake.store, 1)
        await until(partial(pipeline.queued, first))  # the relay runs, and sleeps from now on
        await until(nothing_waits)
        async with running(other):
            for store in (api.store, replica.store):
                announcer = asyncio.create_task(Announcer(api.store).run())
                tickets = await open_tickets(store, 3)
                await until(partial(pipeline.queued, tickets))
                await until(nothing_waits)
                announcer.cancel()
                await asyncio.gather(announcer, return_exceptions=True)


@pytest.mark.parametrize("point", ["consumer.before_commit", "consumer.after_commit"])
async def test_a_consumer_that_fails_around_its_commit_has_effects_once(pipeline: Pipeline, point: str) -> None:
    tickets = await open_tickets(pipeline.intake.store, 30)
    failpoints.arm(f"{point}=raise")
    handlers = {TICKETS: ProjectionHandler(Texts())}
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, handlers)
    async with running(relay(pipeline.intake, pipeline.kafka), one):
        await until(lambda: _hit(point))
        failpoints.arm("")
        texts = await until(lambda: _complete(pipeline, tickets))
    assert all(len(texts[ticket]) == 2 for ticket in tickets)


async def _complete(pipeline: Pipeline, tickets: Sequence[UUID]) -> dict[UUID, list[str]]:
    texts = await pipeline.texts()
    return texts if all(len(texts.get(ticket, [])) >= 2 for ticket in tickets) else {}


async def test_a_second_replica_takes_over_in_mid_stream(pipeline: Pipeline) -> None:
    """Rebalances while events arrive: the checkpoints fence a consumer in the middle of a batch."""
    handlers = policy(pipeline)
    first = reading(pipeline.routing, pipeline.name, pipeline.kafka, handlers)
    second = reading(pipeline.routing, pipeline.name, pipeline.kafka, policy(pipeline))
    async with running(relay(pipeline.intake, pipeline.kafka), first):
        some = await open_tickets(pipeline.intake.store, 30)
        async with running(second):
            more = await open_tickets(pipeline.intake.store, 30)
            await until(lambda: pipeline.queued(some + more))
        last = await open_tickets(pipeline.intake.store, 30)
        await until(lambda: pipeline.queued(some + more + last))


async def test_a_zombie_consumer_changes_nothing(pipeline: Pipeline) -> None:
    """A consumer is stopped after it fetched a batch, and works on it after another one: the checkpoints have moved."""
    tickets = await open_tickets(pipeline.intake.store, 10)
    zombie = reading(pipeline.routing, pipeline.name, pipeline.kafka, policy(pipeline))
    held: list[Any] = []
    transaction = zombie._transaction

    async def stopped(deliveries: Any) -> None:
        held.append(deliveries)
        await asyncio.Event().wait()

    zombie._transaction = stopped  # type: ignore[method-assign]
    alive = reading(pipeline.routing, pipeline.name, pipeline.kafka, policy(pipeline))
    async with running(relay(pipeline.intake, pipeline.kafka)):
        async with running(zombie):
            await until(lambda: _some(held))
        async with running(alive):
            await until(lambda: pipeline.queued(tickets))
    before = await load_many(pipeline.routing.store, tickets)
    with pytest.raises(Exception, match="checkpoints"):
        await transaction(held[0])
    assert await load_many(pipeline.routing.store, tickets) == before


async def _some(items: list[Any]) -> bool:
    return bool(items)


async def test_a_poison_event_parks_its_ticket_and_the_others_flow(pipeline: Pipeline) -> None:
    """After the fix, a replay leads to the same rows as if nothing had happened."""
    texts = Texts()
    texts.broken = {"message 3"}
    handler = ProjectionHandler(texts)
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, {TICKETS: handler})
    tickets = await open_tickets(pipeline.intake.store, 8)
    async with running(relay(pipeline.intake, pipeline.kafka), one):
        await until(lambda: _complete(pipeline, tickets[:3] + tickets[4:]))
        await pipeline.intake.store.append([append(tickets[3], 2, said("and another thing"))])
        pipeline.intake.store.appended.set()
        await until(lambda: _parked_events(pipeline, 2))
        with pytest.raises(parking.StillBroken, match="message 3"):
            await parking.replay(pipeline.routing.pool, pipeline.name, handler, tickets[3])
        texts.broken = set()
        assert await parking.replay(pipeline.routing.pool, pipeline.name, handler, tickets[3]) == 2
        await pipeline.intake.store.append([append(tickets[3], 3, said("live again"))])
        pipeline.intake.store.appended.set()
        await until(lambda: _texts_of(pipeline, tickets[3], 4))
    assert (await pipeline.texts())[tickets[3]][1:] == ["message 3", "and another thing", "live again"]
    assert await parking.parked(pipeline.routing.pool) == []


async def _parked_events(pipeline: Pipeline, count: int) -> bool:
    return [each.events for each in await parking.parked(pipeline.routing.pool)] == [count]


async def _texts_of(pipeline: Pipeline, ticket: UUID, count: int) -> bool:
    return len((await pipeline.texts()).get(ticket, [])) == count


async def test_a_policy_decides_on_what_is_committed_whatever_was_rolled_back(pipeline: Pipeline) -> None:
    """It caches states: one of a transaction that was rolled back would stay wrong for ever."""
    policy = routing_policy(pipeline.routing.store, f"test-{uuid4().hex[:8]}")
    stream = uuid7()
    events = [replace(sample_event(TicketOpened), stream=stream, version=1, payload=opened())]
    events += [replace(sample_event(CustomerMessageReceived), stream=stream, version=n, payload=said()) for n in (2, 3)]
    for n, event in enumerate(events):
        delivery = Delivered(Position("t", 0, n), stream, b"", event)
        with contextlib.suppress(asyncio.CancelledError):
            async with pipeline.routing.pool.acquire() as connection, connection.transaction():
                assert await policy.work(connection, [delivery], set()) == []
                raise asyncio.CancelledError
        async with pipeline.routing.pool.acquire() as connection, connection.transaction():
            assert await policy.work(connection, [delivery], set()) == []
        policy.committed()
    recorded = await pipeline.routing.store.load(stream)
    assert [type(each.payload).__name__ for each in recorded] == [
        "TicketQueued",
        "CustomerAnswered",
        "CustomerAnswered",
    ]


async def test_a_policy_that_fails_on_one_event_parks_its_ticket(pipeline: Pipeline) -> None:
    broken: set[UUID] = set()
    good = routing_policy(pipeline.routing.store, pipeline.name).react

    def react(event: Recorded) -> Any:
        if event.stream in broken:
            raise RuntimeError("no idea")
        return good(event)

    handlers = policy(pipeline, react=react)
    tickets = await open_tickets(pipeline.intake.store, 6)
    broken.add(tickets[2])
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, handlers)
    async with running(relay(pipeline.intake, pipeline.kafka), one):
        await until(lambda: pipeline.queued(tickets[:2] + tickets[3:]))
        await until(lambda: _parked_events(pipeline, 2))
    broken.clear()
    assert await parking.replay(pipeline.routing.pool, pipeline.name, handlers[TICKETS], tickets[2]) == 2
    assert await pipeline.queued(tickets)


async def test_a_handler_that_fails_on_everything_halts_its_consumer(pipeline: Pipeline) -> None:
    """A bad deployment, not bad data: parked tickets stay within the limit, and an operator resumes the consumer."""
    texts = Texts()
    texts.broken = {"*"}
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, {TICKETS: ProjectionHandler(texts)})
    tickets = await open_tickets(pipeline.intake.store, 60)
    async with running(relay(pipeline.intake, pipeline.kafka), one):
        reason = await until(lambda: _halted(pipeline))
        assert "cannot take" in reason and "20 tickets" in reason
        assert len(await parking.parked(pipeline.routing.pool)) <= 20
        texts.broken = set()
        for each in await parking.parked(pipeline.routing.pool):
            await parking.replay(pipeline.routing.pool, pipeline.name, ProjectionHandler(texts), each.stream)
        assert await halting.resume(pipeline.routing.pool, pipeline.name)
        await until(lambda: _complete(pipeline, tickets))


async def test_an_operator_sees_what_is_parked_replays_it_and_lets_the_consumer_go_on(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = Texts()
    texts.broken = {"message 1"}
    handler, name = ProjectionHandler(texts), pipeline.name
    tickets = await open_tickets(pipeline.intake.store, 2)
    async with running(
        relay(pipeline.intake, pipeline.kafka), reading(pipeline.routing, name, pipeline.kafka, {TICKETS: handler})
    ):
        await until(lambda: _complete(pipeline, tickets[:1]))
        await until(lambda: _parked_events(pipeline, 1))
    await pipeline.routing.pool.execute(
        "INSERT INTO messaging.halted (consumer, reason) VALUES ($1, 'a bad deploy')", name
    )
    monkeypatch.setenv("LEDGERDESK_DATABASE_URL", pipeline.routing.url)
    assert await parking_commands.parked({}) == 0
    told = capsys.readouterr().out
    assert f"{name}  {tickets[1]}  1 events since " in told and "cannot take 'message 1'" in told
    assert f"{name}  HALTED since " in told and "a bad deploy" in told

    async def replayed(ticket: str) -> tuple[int, str, str]:
        status = await parking_commands.replay("routing", name, lambda _: {TICKETS: handler}, ticket)
        return status, *capsys.readouterr()

    status, out, error = await replayed(str(tickets[1]))
    assert (status, out) == (1, "") and error.startswith(f"{tickets[1]}: stays parked: ")
    texts.broken = set()
    assert await replayed(str(tickets[0])) == (0, "", "")
    assert await replayed("all") == (0, f"{tickets[1]}: 1 events replayed\n", "")
    assert [await parking_commands.resume(name) for _ in range(2)] == [0, 0]
    assert capsys.readouterr().out == f"{name} resumed\n{name} was not halted\n"


async def _halted(pipeline: Pipeline) -> str:
    return (
        await pipeline.routing.pool.fetchval("SELECT reason FROM messaging.halted WHERE consumer = $1", pipeline.name)
        or ""
    )


async def test_a_hole_or_a_fork_parks_the_ticket_and_no_other(pipeline: Pipeline) -> None:
    ticket, forked = uuid4(), uuid4()
    await pipeline.intake.store.append([append(ticket, 0, opened(), said("two"), said("three"))])
    await pipeline.intake.store.append([append(forked, 0, opened())])
    first, _, third = await pipeline.intake.store.load(ticket)
    (genuine,) = await pipeline.intake.store.load(forked)
    other = replace(genuine, id=uuid4(), stream=uuid4())
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, {TICKETS: ProjectionHandler(Texts())})
    async with running(one), producer(pipeline.kafka.admin, "test") as client:
        for event in (first, third, genuine, genuine):  # a repeated event is a duplicate, not a fork
            await client.send_and_wait(**pipeline.kafka.record(TICKETS, event))
        await until(lambda: _texts_of(pipeline, forked, 1))
        (hole,) = await until(lambda: parking.parked(pipeline.routing.pool))
        assert (hole.stream, hole.reason) == (ticket, "version 3 of intake came after 1")
        await client.send_and_wait(**pipeline.kafka.record(TICKETS, replace(genuine, id=uuid4())))
        await until(lambda: _parked_streams(pipeline, {ticket, forked}))
        fork = next(each for each in await parking.parked(pipeline.routing.pool) if each.stream == forked)
        assert "intake has two events of version 1" in fork.reason
        await client.send_and_wait(**pipeline.kafka.record(TICKETS, other))
        await until(lambda: _texts_of(pipeline, other.stream, 1))
        assert not await _halted(pipeline)


async def _parked_streams(pipeline: Pipeline, wanted: set[UUID]) -> bool:
    return {each.stream for each in await parking.parked(pipeline.routing.pool)} == wanted


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"\xff\xfe", b'{"specversion": "1.0"}', b'{"specversion": "0.3", "id": "x"}']
)
async def test_a_record_that_is_not_an_event_is_parked(pipeline: Pipeline, value: bytes) -> None:
    ticket, key = uuid4(), uuid4()
    await pipeline.intake.store.append([append(ticket, 0, opened())])
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, {TICKETS: ProjectionHandler(Texts())})
    async with running(relay(pipeline.intake, pipeline.kafka), one), producer(pipeline.kafka.admin, "test") as client:
        await client.send_and_wait(**pipeline.kafka.signed("intake", TICKETS, str(key).encode(), value))
        (aside,) = await until(lambda: parking.parked(pipeline.routing.pool))
        assert aside.stream == key and "cannot be read" in aside.reason
        await until(lambda: _texts_of(pipeline, ticket, 1))


def test_an_older_relay_passes_on_what_it_does_not_know() -> None:
    from shared.contracts.envelope import encode_stored
    from shared.contracts.event import Unknown

    event = decode(encode(_sample()))
    text = encode_stored(event, b'{"field":"of tomorrow"}')
    assert b'"data":{"field":"of tomorrow"}' in text
    unknown = replace(event, type="helpdesk.Other.v9", payload=Unknown(data={}))
    assert decode(encode_stored(unknown, b'{"a":1}')).payload == Unknown(data={"a": 1})


def _sample() -> Recorded:
    from shared.contracts.intake import TicketOpened
    from shared.testing.samples import sample_event

    return sample_event(TicketOpened)


async def test_a_topic_with_another_partition_count_is_refused(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    await topics.ensure(kafka.admin, {})
    monkeypatch.setattr(topics, "PARTITIONS", 13)
    with pytest.raises(topics.WrongTopic, match="12 partitions instead of 13"):
        await topics.ensure(kafka.admin, {})


async def test_a_consumer_is_ready_when_its_group_has_given_it_its_partitions(pipeline: Pipeline) -> None:
    """A consumer that waits for its group, or has ended, is not ready."""
    texts = {TICKETS: ProjectionHandler(Texts())}
    one, other = (reading(pipeline.routing, pipeline.name, pipeline.kafka, texts) for _ in range(2))
    assert not await one.has_its_partitions()
    async with running(one):
        await until(one.has_its_partitions)
        assert not await other.has_its_partitions()
        async with running(other):
            await until(other.has_its_partitions)
            await until(one.has_its_partitions)
        assert not await other.has_its_partitions()
    assert not await one.has_its_partitions()


async def test_a_consumer_fetches_nothing_before_it_stands_at_its_checkpoints(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise its request for the ends waits behind an empty fetch, and the consumer for seconds with it."""
    clients: list[Any] = []
    paused: list[set[TopicPartition]] = []

    def starting(client: Any) -> Any:
        clients.append(client)
        return started(client)

    async def connecting(url: str) -> OwnConnection:
        paused.append(clients[-1].paused())
        return await connect(url)

    monkeypatch.setattr(consumer, "started", starting)
    monkeypatch.setattr(consumer, "connect", connecting)
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, {TICKETS: ProjectionHandler(Texts())})
    async with running(one):
        await until(one.has_its_partitions)
        assert paused == [{TopicPartition(TICKETS, number) for number in range(PARTITIONS)}]
        assert clients[-1].paused() == set()


async def test_a_consumer_that_cannot_take_up_its_partitions_is_not_ready_and_begins_anew(
    pipeline: Pipeline, postgres: Any
) -> None:
    """It has partitions, but the database refuses the connection to read the checkpoints; later it does not."""
    name = await pipeline.routing.pool.fetchval("SELECT current_user")
    superuser = await asyncpg.connect(postgres.superuser_url)
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, {TICKETS: ProjectionHandler(Texts())})
    lost: list[Exception] = []

    async def fails() -> bool:
        assert not await one.has_its_partitions()
        if one.lost is not None and one.lost not in lost:
            lost.append(one.lost)
        return len(lost) == 2

    try:
        await superuser.execute(f'ALTER ROLE "{name}" NOLOGIN')
        async with running(one):
            await until(fails)
            await superuser.execute(f'ALTER ROLE "{name}" LOGIN')
            await until(one.has_its_partitions)
            assert one.lost is None
    finally:
        await superuser.close()
    assert {type(each) for each in lost} == {asyncpg.InvalidAuthorizationSpecificationError}


async def test_a_consumer_that_loses_its_partitions_in_a_rebalance_is_not_ready(
    pipeline: Pipeline, postgres: Any
) -> None:
    """Another consumer joins, and the checkpoints of the new assignment cannot be read."""
    name = await pipeline.routing.pool.fetchval("SELECT current_user")
    superuser = await asyncpg.connect(postgres.superuser_url)
    texts = {TICKETS: ProjectionHandler(Texts())}
    one, other = (reading(pipeline.routing, pipeline.name, pipeline.kafka, texts) for _ in range(2))

    async def lost() -> bool:
        return one.lost is not None

    try:
        async with running(one):
            await until(one.has_its_partitions)
            await superuser.execute(f'ALTER ROLE "{name}" NOLOGIN')
            async with running(other):
                await until(lost)
                assert not await one.has_its_partitions()
                await superuser.execute(f'ALTER ROLE "{name}" LOGIN')
                await until(one.has_its_partitions, seconds=60)
                await until(other.has_its_partitions, seconds=60)
    finally:
        await superuser.close()


async def test_a_consumer_whose_topic_is_shorter_than_it_had_read_halts_and_is_not_ready(pipeline: Pipeline) -> None:
    beyond = "UPDATE messaging.checkpoints SET next_offset = next_offset + 1000000 WHERE consumer = $1"
    await pipeline.routing.pool.execute(beyond, pipeline.name)
    one = reading(pipeline.routing, pipeline.name, pipeline.kafka, {TICKETS: ProjectionHandler(Texts())})

    async def halted() -> str:
        assert not await one.has_its_partitions()
        return await _halted(pipeline)

    async with running(one):
        assert "the topic was lost" in await until(halted)
        assert not await one.has_its_partitions()
