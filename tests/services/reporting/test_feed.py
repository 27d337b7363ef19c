"""The event feed over a real read model: every event once, in order, whatever happens to the read model meanwhile."""

import random
from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from services.reporting.app import replayed
from services.reporting.feed.feed import HOLD_SECONDS, Feed, Page
from services.reporting.feed.place import Place, UnknownPlace
from services.reporting.generations.projection_sets import projection_sets
from shared.contracts.envelope import Recorded, encode
from shared.contracts.routing import TagsAdded
from shared.contracts.topics import TICKETS
from shared.eventstore.store import Store
from shared.messaging.consuming import checkpoints, parking
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.parking import park, parked_streams
from shared.messaging.consuming.projection import Position
from shared.projections import sets
from tests.services.reporting.reporting_database import ZONE, Log, Reporting
from tests.services.reporting.test_deadlines import clock
from tests.services.reporting.test_projections_and_lists import opened, queued

ONE, TWO = (f"202611271000{n:04}" for n in (1, 2))
DESK = projection_sets(ZONE)["desk"]


class Topic:
    """The topic in memory, and consumers of generations that apply parts of it as `Consumer` does."""

    def __init__(self, desk: Reporting) -> None:
        self.desk = desk
        self.partitions: list[list[Recorded]] = [[] for _ in range(12)]
        self.broken: set[UUID] = set()

    def add(self, *events: Recorded) -> None:
        for event in events:
            self.partitions[event.stream.int % 12].append(event)

    async def apply(self, generation: int, upto: Sequence[int] | None = None) -> None:
        """Applies everything, or each partition up to an offset. Events of `broken` tickets cannot be handled."""
        name, handler = DESK.consumer(generation), DESK.handlers(generation)[TICKETS]
        async with self.desk.pool.acquire() as connection, connection.transaction():
            numbers = list(range(12))
            await connection.execute(checkpoints.CREATE, name, [TICKETS] * 12, numbers)
            rows = await connection.fetch(checkpoints.LOCK, name, [TICKETS] * 12, numbers)
            at = {row["partition"]: row["next_offset"] for row in rows}
            ends = [
                len(events) if upto is None else min(upto[n], len(events)) for n, events in enumerate(self.partitions)
            ]
            deliveries = [self._delivered(n, offset) for n in numbers for offset in range(at[n], max(at[n], ends[n]))]
            if not deliveries:
                return
            keys = list({each.key for each in deliveries})
            put_aside = await handler.work(connection, deliveries, await parked_streams(connection, name, keys))
            await park(connection, name, put_aside)
            _, following = checkpoints.spans(each.position for each in deliveries)
            await checkpoints.move(connection, name, following)

    def _delivered(self, partition: int, offset: int) -> Delivered:
        event = self.partitions[partition][offset]
        readable = event if event.stream not in self.broken else None
        return Delivered(Position(TICKETS, partition, offset), event.stream, encode(event), readable, "broken")

    async def replay(self, generation: int) -> int:
        """Replays what the generation's consumer has parked, as the command does."""
        name = DESK.consumer(generation)
        make = replayed(name)
        assert make is not None
        rows = await self.desk.pool.fetch("SELECT DISTINCT stream FROM messaging.parked WHERE consumer = $1", name)
        store = Store(self.desk.pool, "reporting")
        return sum([await parking.replay(self.desk.pool, name, make(store)[TICKETS], row["stream"]) for row in rows])


async def read(feed: Feed, place: Place, limit: int) -> tuple[list[UUID], Place]:
    """Everything after a place."""
    told: list[UUID] = []
    while True:
        page: Page = await feed.changes(place, limit)
        assert len(page.changes) <= limit
        told += [change.id for change, _ in page.changes]
        place = page.place
        if page.at_end:
            return told, place


def tickets(count: int, changes: int, chance: random.Random) -> list[Recorded]:
    """The events of some tickets in the order in which they happened. Some follow from an event of another ticket."""
    log = Log()
    ids = [UUID(int=5000 + n) for n in range(count)]
    for n, ticket in enumerate(ids):
        log.add(ticket, opened(f"20261127100{n:05}"), queued(f"20261127100{n:05}"))
    for n in range(changes):
        log.add(chance.choice(ids), TagsAdded(tags=(f"tag-{n}",)))
        if chance.random() < 0.4:
            log.events[-1] = replace(log.events[-1], causation_id=chance.choice(log.events[:-1]).id)
    return log.events


def check_order(told: Sequence[UUID], events: Sequence[Recorded], late: Collection[UUID] = ()) -> None:
    """Every event once, each ticket's in order, and no effect before its cause, but for tickets that came late."""
    assert len(told) == len(set(told))
    assert set(told) == {event.id for event in events}
    order = {event: n for n, event in enumerate(told)}
    by_id = {event.id: event for event in events}
    last: dict[UUID, int] = {}
    for event in events:
        assert order[event.id] > last.get(event.stream, -1)
        last[event.stream] = order[event.id]
        cause = by_id.get(event.causation_id) if event.causation_id is not None else None
        if cause is not None and not {event.stream, cause.stream} & set(late):
            assert order[cause.id] < order[event.id]


@pytest.mark.parametrize("seed", range(6))
async def test_readers_of_any_speed_are_told_each_event_once_and_in_order(live_desk: Reporting, seed: int) -> None:
    """Partitions are applied at different speeds. A ticket is parked, and comes late by a replay or a promotion."""
    chance, topic, now = random.Random(seed), Topic(live_desk), [0.0]
    events = tickets(9, 120, chance)
    topic.add(*events)
    feed = Feed(live_desk.pool, lambda: now[0])
    readers: list[tuple[list[UUID], Place]] = [([], await feed.first()) for _ in range(4)]
    generation, broken = 1, chance.choice(events).stream
    topic.broken.add(broken)
    reached = [0] * 12
    for step in range(12):
        reached = [at + chance.randrange(8) for at in reached]
        await topic.apply(generation, None if step == 11 else reached)
        if step == 7:
            topic.broken.clear()
            if seed % 2:
                generation = await sets.begin(live_desk.owner, DESK, live_desk.app_url)
                await topic.apply(generation, [chance.randrange(at + 3) for at in reached])
                await sets.promote(live_desk.owner, DESK, generation, live_desk.app_url)
            else:
                assert await topic.replay(generation)
        for n, (told, place) in enumerate(readers):
            if chance.random() < 0.6:
                page = await feed.changes(place, chance.choice((1, 3, 7, 50)))
                readers[n] = ([*told, *(change.id for change, _ in page.changes)], page.place)
    for told, place in readers:
        check_order([*told, *(await read(feed, place, chance.choice((2, 30))))[0]], events, {broken})


async def test_an_effect_waits_for_its_cause_but_not_for_ever(live_desk: Reporting) -> None:
    """Another replica applies the cause's partition. If the cause never comes, the effect is told all the same."""
    log, topic, now = Log(), Topic(live_desk), [100.0]
    first, second = UUID(int=12), UUID(int=13)
    for ticket, number in ((first, ONE), (second, TWO)):
        log.add(ticket, opened(number), queued(number))
    log.events[2] = replace(log.events[2], causation_id=log.events[1].id)
    log.events[3] = replace(log.events[3], causation_id=uuid4())  # lost in a restore
    topic.add(*log.events)
    feed = Feed(live_desk.pool, lambda: now[0])
    await topic.apply(1, [0, 2, *[0] * 10])
    for passed in (0, HOLD_SECONDS / 2):
        now[0] += passed
        page = await feed.changes(await feed.first(), 9)
        assert (page.changes, page.at_end) == ([], True)
    await topic.apply(1)
    told, place = await read(feed, await feed.first(), 9)
    assert told == [event.id for event in log.events[:3]]
    now[0] += HOLD_SECONDS
    assert (await read(feed, place, 9))[0] == [log.events[3].id]


async def test_what_a_document_has_caused_does_not_wait(live_desk: Reporting) -> None:
    """A changed calendar moves deadlines. The feed never shows the change of the calendar itself."""
    log, topic = Log(), Topic(live_desk)
    ticket = UUID(int=12)
    log.add(ticket, opened(ONE), queued(ONE), clock("moved"), TagsAdded(tags=("red",)))
    log.events[2] = replace(log.events[2], causation_id=uuid4())
    topic.add(*log.events)
    await topic.apply(1)
    feed = Feed(live_desk.pool)
    assert (await read(feed, await feed.first(), 9))[0] == [event.id for event in log.events]


async def test_a_reader_of_a_topic_that_was_lost_begins_anew(live_desk: Reporting) -> None:
    """Republished events are told at their new offsets, also by the generation that had them before."""
    log, topic = Log(), Topic(live_desk)
    for n in range(5):
        log.add(UUID(int=12 + n), opened(f"202611271000{n:04}"), queued(f"202611271000{n:04}"))
    topic.add(*reversed(log.events[:2]), *log.events)  # another order, and repeats
    await topic.apply(1)
    feed = Feed(live_desk.pool)
    place = await feed.end()
    republished = Topic(live_desk)
    republished.add(*sorted(log.events, key=lambda event: event.stream, reverse=True), log.events[-1])
    await live_desk.pool.execute("UPDATE messaging.checkpoints SET next_offset = 0")
    await live_desk.pool.execute("DELETE FROM messaging.parked")
    await live_desk.pool.execute("SELECT projections.topic_republished()")
    with pytest.raises(UnknownPlace):
        await feed.changes(place, 9)
    readers: list[tuple[list[UUID], Place]] = [([], await feed.first())]
    await republished.apply(1, [1] * 12)
    readers = [await read(feed, at, 9) for _, at in readers] + [await read(feed, await feed.first(), 1)]
    await republished.apply(1)
    for told, at in readers:
        check_order([*told, *(await read(feed, at, 2))[0]], log.events)
    rows = "SELECT id, partition, position FROM desk_v{}.history ORDER BY id"
    rebuilt = await sets.begin(live_desk.owner, DESK, live_desk.app_url)
    await republished.apply(rebuilt)
    assert await live_desk.owner.fetch(rows.format(1)) == await live_desk.owner.fetch(rows.format(rebuilt))


async def test_going_back_to_a_generation_that_is_behind_loses_nothing(live_desk: Reporting) -> None:
    """Places that it has not reached stay valid, and what it had parked is told when it is replayed."""
    chance = random.Random(1)
    events, topic, feed = tickets(4, 60, chance), Topic(live_desk), Feed(live_desk.pool, lambda: 0.0)
    topic.add(*events)
    await topic.apply(1, [5] * 12)
    newer = await sets.begin(live_desk.owner, DESK, live_desk.app_url)
    await topic.apply(newer, [5] * 12)
    await sets.promote(live_desk.owner, DESK, newer, live_desk.app_url)
    broken = topic.broken = {events[-1].stream}
    await topic.apply(newer, [9] * 12)
    told, place = await read(feed, await feed.first(), 7)
    topic.broken = set()
    await sets.promote(live_desk.owner, DESK, 1, live_desk.app_url)
    behind = await feed.changes(place, 9)
    assert (behind.changes, behind.place.offsets, behind.at_end) == ([], place.offsets, True)
    for reached in ([7] * 12, [8] * 12, None):
        await topic.apply(1, reached)
        more, place = await read(feed, place, 3)
        told += more
    check_order(told, events, broken)


async def test_a_ticket_that_was_late_twice_is_told_once(live_desk: Reporting) -> None:
    """The promoted generation has parked the ticket again, a little later in its life."""
    log, topic, feed = Log(), Topic(live_desk), Feed(live_desk.pool)
    ticket = UUID(int=12)
    log.add(ticket, opened(ONE), queued(ONE), *(TagsAdded(tags=(f"t{n}",)) for n in range(4)))
    topic.add(*log.events)
    topic.broken = {ticket}
    await topic.apply(1)
    quick, slow = await feed.end(), await feed.end()
    newer = await sets.begin(live_desk.owner, DESK, live_desk.app_url)
    topic.broken = set()
    await topic.apply(newer, [3] * 12)
    topic.broken = {ticket}
    await topic.apply(newer)
    await sets.promote(live_desk.owner, DESK, newer, live_desk.app_url)
    told, quick = await read(feed, quick, 2)
    assert told == [event.id for event in log.events[:3]]
    await topic.replay(newer)
    told += (await read(feed, quick, 2))[0]
    assert told == (await read(feed, slow, 2))[0] == [event.id for event in log.events]
