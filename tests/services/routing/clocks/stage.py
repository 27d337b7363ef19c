"""SLAs, calendars and customers' mails as routing's consumer takes them, and the clocks of tickets."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.app import handlers
from services.routing.recounts.worker import Recounts
from shared.clocks.deadlines import Deadline
from shared.contracts.directory import Calendar, CalendarRetired, CalendarSaved, Sla, SlaRetired, SlaSaved
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef, Message, QueueRef
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.eventstore.store import utc_now
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from tests.services.routing.workplace import CUSTOMER, IT, Workplace

GOLD = UUID(int=71)
OFFSETS = count()


def sla(slug: str = "gold", identifier: UUID = GOLD, **more: Any) -> Sla:
    promised = {"first_answer_minutes": 20.0, "update_minutes": 15.0, "solution_minutes": 120.0}
    document = {
        "id": identifier,
        "slug": slug,
        "name": slug.title(),
        "queues": (IT.slug,),
        "pauses_in": ("pending-reminder",),
    }
    return Sla.model_validate(document | promised | more)


async def deliver(
    desk: Workplace, topic: str, source: str, stream: UUID, payload: Event, version: int, at: datetime | None = None
) -> None:
    """Gives an event of another service to routing's consumer."""
    event = Recorded(
        uuid7(), payload.TYPE, f"/services/{source}", stream, version, at or utc_now(), utc_now(), uuid7(), None,
        Actor("system"), None, payload,
    )  # fmt: skip
    handler = handlers(desk.store, desk.operations.directory)[topic]
    delivered = Delivered(Position(topic, 0, next(OFFSETS)), stream, encode(event), event)
    async with desk.pool.acquire() as connection, connection.transaction():
        assert await handler.work(connection, [delivered], set()) == []
    handler.committed()


async def save(desk: Workplace, document: Sla | Calendar, version: int = 1, *, retired: bool = False) -> None:
    """An administrator has saved an SLA or a calendar, or retired it."""
    payload: Event
    if isinstance(document, Sla):
        payload = SlaRetired(document=document) if retired else SlaSaved(document=document)
    else:
        payload = CalendarRetired(document=document) if retired else CalendarSaved(document=document)
    await deliver(desk, DIRECTORY, "gateway", document.id, payload, version)
    await desk.operations.directory.load()


async def opened(desk: Workplace, at: datetime | None = None, **more: Any) -> str:
    """A ticket that intake has opened."""
    stream, number = uuid7(), f"2026112999{next(OFFSETS):06d}"
    fields = {
        "number": number, "title": "It hums", "queue": QueueRef(id=IT.id, slug=IT.slug, name=IT.name),
        "customer": CUSTOMER, "channel": "email", "priority": 3,
        "message": Message(id=uuid7(), channel="email", text="It hums."),
    }  # fmt: skip
    await deliver(desk, TICKETS, "intake", stream, TicketOpened.model_validate(fields | more), 1, at)
    return number


async def message(desk: Workplace, number: str, version: int = 2, customer: CustomerRef = CUSTOMER) -> datetime:
    """The customer has written again. Returns when."""
    stream, at = await desk.operations.find(number), utc_now()
    assert stream is not None
    words = Message(id=uuid7(), channel="email", text="Again.")
    payload = CustomerMessageReceived(number=number, customer=customer, message=words)
    await deliver(desk, TICKETS, "intake", stream, payload, version, at)
    return at


async def clocks(desk: Workplace, number: str) -> dict[str, Deadline]:
    return dict((await desk.state(number)).timeline.deadlines)


async def states(desk: Workplace, number: str) -> dict[str, str]:
    return {clock: each.state for clock, each in (await clocks(desk, number)).items()}


async def waiting(desk: Workplace) -> dict[str, datetime]:
    """The timers of clocks, by kind; of one ticket."""
    rows = await desk.pool.fetch(
        "SELECT kind, due_at FROM routing.timers WHERE kind NOT IN ('pending', 'lock', 'left')"
    )
    return {row["kind"]: row["due_at"] for row in rows}


async def settle(desk: Workplace) -> None:
    """Lets the time pass after which every process knows the newest change."""
    await desk.pool.execute("UPDATE routing.recounts SET requested_at = requested_at - interval '6 seconds'")


def worker(desk: Workplace) -> Recounts:
    return Recounts(desk.store, desk.clock.conclude, desk.operations.directory)


async def recount(desk: Workplace) -> None:
    """Works until every recount is over."""
    work = worker(desk)
    while await work.work():
        pass
    await settle(desk)
    while await work.work():
        pass
    assert await desk.pool.fetchval("SELECT count(*) FROM routing.recounts WHERE finished_at IS NULL") == 0


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)
