"""Triggers at the desk's workplace: saved as documents, and tickets that intake opens."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from shared.contracts.directory import Macro, Template, Trigger
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.marks.declaration import Document
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import RuleActionLeftOut
from shared.contracts.topics import TICKETS
from shared.directory.projection import OWNER, DirectoryProjection, row_of
from shared.eventstore.store import utc_now
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from tests.services.routing.workplace import CUSTOMER, IT, Workplace

_numbers = count(1)
_places = count(1)


async def save(desk: Workplace, document: Document, version: int = 1, *, retired: bool = False) -> None:
    """Saves a document as the gateway does, and has the desk know it."""
    row = replace(row_of(document), retired=retired, seen={OWNER: (version, uuid4())})
    async with desk.pool.acquire() as connection:
        await DirectoryProjection().save(connection, {document.id: row})
    await desk.copy.load()


def trigger(slug: str, on: str, *then: dict[str, Any], when: dict[str, Any] | None = None, **more: Any) -> Trigger:
    return Trigger.model_validate(
        {"id": uuid7(), "slug": slug, "name": f"Rule {slug}", "on": [on], "when": when or {}, "then": then, **more}
    )


def macro(slug: str, *then: dict[str, Any], queues: tuple[str, ...] = ()) -> Macro:
    return Macro.model_validate({"id": uuid7(), "slug": slug, "name": f"Macro {slug}", "queues": queues, "then": then})


KNOWN = Template(id=UUID(int=31), slug="known", name="Known", subject="Known", text="We know of {{ ticket.number }}.")


async def rule(desk: Workplace, slug: str, on: str, *then: dict[str, Any], **more: Any) -> Trigger:
    """Saves a trigger."""
    made = trigger(slug, on, *then, **more)
    await save(desk, made)
    return made


async def opened(desk: Workplace, title: str = "It hums", *, by: PersonRef | None = None, **more: Any) -> str:
    """A ticket that intake has opened and the desk has queued. Returns its number."""
    number = f"{datetime.now(UTC):%Y%m%d}10{next(_numbers) + 500_000:06d}"
    queue = more.pop("queue", IT)
    place = QueueRef(id=queue.id, slug=queue.slug, name=queue.name)
    words = more.pop("text", "It hums since this morning.")
    event = TicketOpened.model_validate(
        {"number": number, "title": title, "queue": place, "customer": CUSTOMER, "channel": "email",
         "message": Message(id=uuid7(), channel="email", text=words), "opened_by": by, **more}
    )  # fmt: skip
    await hear(desk, uuid7(), event, 1)
    return number


async def customer_writes(desk: Workplace, number: str, text: str, customer: CustomerRef = CUSTOMER) -> UUID:
    """A further message of the customer. Returns the id of intake's event."""
    stream = await desk.operations.find(number)
    assert stream is not None
    message = Message(id=uuid7(), channel="email", text=text)
    event = CustomerMessageReceived(number=number, customer=customer, message=message)
    return await hear(desk, stream, event, next(_places) + 1)


async def hear(desk: Workplace, stream: UUID, payload: Event, version: int) -> UUID:
    """The desk reads an event of intake."""
    event = Recorded(
        uuid7(), payload.TYPE, "/services/intake", stream, version, utc_now(), utc_now(), uuid7(), None,
        Actor("customer"), None, payload,
    )  # fmt: skip
    seen = version - 1
    async with desk.pool.acquire() as connection, connection.transaction():
        if seen:
            await connection.execute(
                "INSERT INTO messaging.seen (consumer, stream, producer, version, event_id)"
                " VALUES ('routing', $1, 'intake', $2, $3) ON CONFLICT (consumer, stream, producer)"
                " DO UPDATE SET version = excluded.version",
                stream, seen, uuid7(),
            )  # fmt: skip
        delivered = Delivered(Position(TICKETS, 0, next(_places)), stream, encode(event), event)
        assert await desk.listener.work(connection, [delivered], set()) == []
    return event.id


async def settled(desk: Workplace) -> None:
    """Everything that has matched is done."""
    while await desk.worker.work(100):
        pass


async def by_rules(desk: Workplace, number: str) -> list[Recorded]:
    return [event for event in await desk.events(number) if event.actor.kind == "rule"]


async def left_out(desk: Workplace, number: str) -> list[tuple[str, str]]:
    """The actions that rules have left out, and why."""
    payloads = [event.payload for event in await desk.events(number)]
    return [(each.action, each.reason) for each in payloads if isinstance(each, RuleActionLeftOut)]


def has(field: str, *values: Any) -> dict[str, Any]:
    return {"field": field, "is": list(values)}


def says(field: str, *values: str) -> dict[str, Any]:
    return {"field": field, "contains": list(values)}
