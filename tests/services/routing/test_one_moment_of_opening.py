"""A ticket is opened by intake and queued by the desk at one moment, however many the desk handles at once."""

from datetime import timedelta

from uuid_utils.compat import uuid7

from services.routing.app import handlers
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import Message, QueueRef
from shared.contracts.topics import TICKETS
from shared.eventstore.store import utc_now
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from tests.services.routing.workplace import CUSTOMER, IT, Workplace


async def test_a_ticket_is_queued_at_the_time_of_its_opening_and_reopened_when_the_desk_hears_of_it(
    desk: Workplace,
) -> None:
    opened_at = utc_now() - timedelta(hours=1)
    streams = [uuid7() for _ in range(3)]
    deliveries = []
    for n, stream in enumerate(streams):
        words = Message(id=uuid7(), channel="email", text="It hums.")
        place = QueueRef(id=IT.id, slug=IT.slug, name=IT.name)
        number = f"20261129990000{n:02}"
        opened = TicketOpened(
            number=number, title="It hums", queue=place, customer=CUSTOMER, channel="email", priority=3, message=words
        )
        event = Recorded(
            uuid7(), opened.TYPE, "/services/intake", stream, 1, opened_at + timedelta(milliseconds=n), utc_now(),
            uuid7(), None, Actor("customer"), None, opened,
        )  # fmt: skip
        deliveries.append(Delivered(Position(TICKETS, 0, n), stream, encode(event), event))
    handler = handlers(desk.store, desk.operations.directory)[TICKETS]
    async with desk.pool.acquire() as connection, connection.transaction():
        assert await handler.work(connection, deliveries, set()) == []
    queued = [(await desk.store.load(stream))[0] for stream in streams]
    assert [event.type for event in queued] == ["helpdesk.TicketQueued.v1"] * 3
    assert [event.time for event in queued] == [d.event.time for d in deliveries if d.event is not None]
    assert all(event.recorded_at - event.time > timedelta(minutes=59) for event in queued)

    await desk.done("2026112999000000", "close", {})
    message = CustomerMessageReceived(
        number="2026112999000000", customer=CUSTOMER, message=Message(id=uuid7(), channel="email", text="Again.")
    )
    event = Recorded(
        uuid7(), message.TYPE, "/services/intake", streams[0], 2, opened_at, utc_now(), uuid7(), None,
        Actor("customer"), None, message,
    )  # fmt: skip
    async with desk.pool.acquire() as connection, connection.transaction():
        delivered = Delivered(Position(TICKETS, 0, 9), streams[0], encode(event), event)
        assert await handler.work(connection, [delivered], set()) == []
    log = await desk.store.load(streams[0])
    assert [event.time for event in log] == sorted(event.time for event in log)
