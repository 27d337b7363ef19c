"""What a change of a ticket means for those who follow it. Pure: no database, no stream.

An update is worked out once. Each person then gets one of a few messages, or none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

import orjson

from services.reporting.actors import actor_shown
from services.reporting.live.sight import Facts, Sight

MOVED = "helpdesk.TicketMoved.v1"
CUSTOMER_CHANGED = "helpdesk.CustomerChanged.v1"
NOTICE_GIVEN = "helpdesk.NoticeGiven.v1"
REMOVED = "helpdesk.TicketRemoved.v1"


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a ticket. `for_customers`: whether the ticket's customer may know of it."""

    producer: str
    version: int
    type: str
    actor_kind: str
    actor_id: str | None
    data: Mapping[str, Any]
    for_customers: bool


@dataclass(frozen=True, slots=True)
class Present:
    """A ticket as the lists show it now. `queue` is as in lists."""

    id: UUID
    number: str
    facts: Facts
    queue: Mapping[str, Any]
    versions: Mapping[str, int]


class View(Enum):
    """The messages of one update."""

    AGENT = "agent"
    AGENT_WITHOUT_FORMER_QUEUE = "agent without former queue"
    CUSTOMER = "customer"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Update:
    """Consecutive events of one ticket. `earlier`: what decided who might see it before each of them."""

    ticket: Present
    types: tuple[str, ...]
    customer_types: tuple[str, ...]
    actor: Mapping[str, Any]
    customer_actor: Mapping[str, Any]
    was_queue: Mapping[str, Any] | None
    earlier: tuple[Facts, ...]
    versions: Mapping[str, int]


def update(ticket: Present, events: Sequence[Happened], names: Mapping[str, str]) -> Update:
    """The update of these events, in log order. `names` are those of people and rules by their id.

    `versions` are those of the lists, but the last event's own for its service: a client that has read the ticket since
    sees that it knows the event already.
    """
    earlier: list[Facts] = []
    was_queue: Mapping[str, Any] | None = None
    for event in events:
        before = _before(ticket.facts, event)
        if before is not None:
            earlier.append(before)
        if before is not None and event.type == MOVED and was_queue is None:
            was_queue = {name: event.data["was"].get(name) for name in ("id", "slug", "name")}
    last = events[-1]
    seen = [event for event in events if event.for_customers]
    actor = actor_shown(last.actor_kind, last.actor_id, names)
    actor.setdefault("name", names.get(last.actor_id or ""))
    return Update(
        ticket=ticket,
        types=tuple(event.type for event in events),
        customer_types=tuple(event.type for event in seen),
        actor=actor,
        customer_actor={"kind": (seen or events)[-1].actor_kind, "id": None, "name": None},
        was_queue=was_queue,
        earlier=tuple(earlier),
        versions={**ticket.versions, last.producer: last.version},
    )


def view(shown: Update, sight: Sight) -> View | None:
    """Which message somebody gets; None for nothing."""
    now = shown.ticket.facts
    if sight.as_agent(now):
        if shown.was_queue is None or sight.knows(UUID(shown.was_queue["id"])):
            return View.AGENT
        return View.AGENT_WITHOUT_FORMER_QUEUE
    saw = [sight.as_agent(before) or sight.as_customer(before) for before in shown.earlier]
    if sight.as_customer(now):
        return View.CUSTOMER if shown.customer_types or not all(saw) else None
    return View.GONE if any(saw) else None


def data(shown: Update, wanted: View) -> str:
    """The message's data, as JSON."""
    ticket = shown.ticket
    if wanted is View.GONE:
        return _json({"id": str(ticket.id), "gone": True})
    customers = wanted is View.CUSTOMER
    return _json(
        {
            "id": str(ticket.id),
            "number": ticket.number,
            "queue": ticket.queue,
            "was_queue": shown.was_queue if wanted is View.AGENT else None,
            "versions": shown.versions,
            "types": shown.customer_types if customers else shown.types,
            "actor": shown.customer_actor if customers else shown.actor,
            "gone": False,
        }
    )


def views(shown: Update, sights: Iterable[tuple[int, Sight]]) -> dict[View, list[int]]:
    """For each message, the numbers of those who get it."""
    found: dict[View, list[int]] = {}
    for number, sight in sights:
        wanted = view(shown, sight)
        if wanted is not None:
            found.setdefault(wanted, []).append(number)
    return found


def _before(now: Facts, event: Happened) -> Facts | None:
    """What decided before this event, if the event changed it. Everything else is as now."""
    try:
        match event.type:
            case _ if event.type == MOVED:
                return now._replace(queue=UUID(event.data["was"]["id"]), removed=False)
            case _ if event.type == CUSTOMER_CHANGED:
                was = event.data["was"]
                return now._replace(customer=UUID(was["id"]), company=was.get("company"), removed=False)
            case _ if event.type == REMOVED:
                return now._replace(removed=False)
            case _:
                return None
    except (KeyError, TypeError, ValueError):
        return None  # an event of a later version, in another form


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
