"""A row for each ticket with what notices need of it: most events name neither its number nor its queue nor its people."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from services.notify.deciding.inputs import Remembered
from shared.contracts.envelope import Recorded
from shared.contracts.event import Value
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Address, CustomerRef, PersonRef, QueueRef
from shared.contracts.routing import (
    AgentReplied,
    CustomerAnswered,
    CustomerChanged,
    MergeUndone,
    OwnerChanged,
    ResponsibleChanged,
    StateChanged,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketRenamed,
)
from shared.database import Connection

FACTS = {
    "title": "text",
    "queue": "jsonb",
    "owner": "jsonb",
    "responsible": "jsonb",
    "customer": "jsonb",
    "message_id": "text",
    "answers_to": "jsonb",
    "state": "text",
    "merged_into": "uuid",
}
"""Column and type. Each fact has the version of the event that told it, so that events of a ticket may come again, or late, in any order."""


def _save() -> str:
    """The statement that takes what is newer than what stands there. Its arguments: ids, numbers, `by_machine`, `proven`, then values and
    versions of each fact."""
    columns = [part for fact in FACTS for part in (fact, f"{fact}_version")]
    values = [part for fact, kind in FACTS.items() for part in (f"d.{fact}::{kind}", f"d.{fact}_version")]
    arrays = [f"${n}::{'text' if n % 2 else 'integer'}[]" for n in range(5, 5 + len(columns))]
    changes = [
        change
        for fact in FACTS
        for change in (
            f"{fact} = CASE WHEN excluded.{fact}_version > t.{fact}_version THEN excluded.{fact} ELSE t.{fact} END",
            f"{fact}_version = greatest(excluded.{fact}_version, t.{fact}_version)",
        )
    ]
    newer = [f"excluded.{fact}_version > t.{fact}_version" for fact in FACTS]
    return f"""
INSERT INTO notify.tickets AS t (ticket_id, number, by_machine, proven, {", ".join(columns)})
SELECT d.id, d.number, d.by_machine, d.proven, {", ".join(values)}
  FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::boolean[], {", ".join(arrays)})
       AS d(id, number, by_machine, proven, {", ".join(columns)})
 ORDER BY d.id
    ON CONFLICT (ticket_id) DO UPDATE
   SET number = CASE WHEN excluded.number <> '' THEN excluded.number ELSE t.number END,
       by_machine = t.by_machine OR excluded.by_machine,
       proven = t.proven OR excluded.proven,
       {", ".join(changes)}
 WHERE excluded.number <> '' AND excluded.number <> t.number OR excluded.by_machine AND NOT t.by_machine
    OR excluded.proven AND NOT t.proven OR {" OR ".join(newer)}
"""


_ADDRESSES = TypeAdapter(tuple[Address, ...])
SAVE = _save()
RECALL = """
SELECT ticket_id, number, by_machine, proven, title, queue::text AS queue, owner::text AS owner, responsible::text AS responsible,
       customer::text AS customer, message_id, answers_to::text AS answers_to, state, merged_into
  FROM notify.tickets
 WHERE ticket_id = ANY($1) AND number <> '' AND queue IS NOT NULL
"""


@dataclass(slots=True)
class _Row:
    """What a batch tells of one ticket: the newest value of each fact with its version."""

    number: str = ""
    by_machine: bool = False
    proven: bool = False
    facts: dict[str, tuple[str | None, int]] = field(default_factory=dict)


async def remember(connection: Connection, events: Sequence[Recorded]) -> None:
    """Keeps what the events tell, in the transaction of what is made of them."""
    rows: dict[UUID, _Row] = {}
    for event in sorted(events, key=lambda each: each.version):
        told: dict[str, str | None] = {}
        row = rows.get(event.stream) or _Row()
        match event.payload:
            case TicketOpened() as opened if opened.proven or (not opened.receipt and opened.opened_by is None):
                row.by_machine = not opened.receipt and opened.opened_by is None
                row.proven = opened.proven
            case AgentReplied():
                row.proven = True  # an agent has written to the customer under this title
            case TicketQueued() as queued:
                row.number = queued.number
                told = {"title": queued.title, "queue": _json(queued.queue), "customer": _json(queued.customer)}
                told |= {
                    "message_id": queued.message_id,
                    "answers_to": _addresses(queued.answers_to),
                    "state": queued.state.type,
                }
            case StateChanged(to=state):
                told = {"state": state.type}
            case TicketMerged(into=living):
                told = {"state": "merged", "merged_into": str(living.id)}
            case MergeUndone(state=state):
                told = {"state": state.type, "merged_into": None}
            case TicketRemoved():
                told = {"state": "removed"}
            case TicketRenamed(to=title):
                told = {"title": title}
            case TicketMoved(to=queue):
                told = {"queue": _json(queue)}
            case OwnerChanged(to=owner):
                told = {"owner": _json(owner)}
            case ResponsibleChanged(to=responsible):
                told = {"responsible": _json(responsible)}
            case CustomerChanged(to=customer):
                told = {"customer": _json(customer), "answers_to": _addresses(())}
            case CustomerAnswered() as answered:
                if answered.message_id is not None:
                    told["message_id"] = answered.message_id
                if answered.answers_to is not None:
                    told["answers_to"] = _addresses(answered.answers_to)
            case _:
                continue
        row.facts |= {fact: (value, event.version) for fact, value in told.items()}
        rows[event.stream] = row
    if rows:
        columns: list[list[Any]] = []
        for fact in FACTS:
            unknown = "" if fact == "title" else None
            columns.append([row.facts.get(fact, (unknown, 0))[0] for row in rows.values()])
            columns.append([row.facts.get(fact, (unknown, 0))[1] for row in rows.values()])
        await connection.execute(
            SAVE,
            list(rows),
            [row.number for row in rows.values()],
            [row.by_machine for row in rows.values()],
            [row.proven for row in rows.values()],
            *columns,
        )


def _addresses(addresses: tuple[Address, ...]) -> str:
    return _ADDRESSES.dump_json(addresses).decode()


def _json(part: Value | None) -> str | None:
    return part.model_dump_json() if part is not None else None


async def recall(connection: Connection, tickets: Sequence[UUID]) -> dict[UUID, Remembered]:
    """What is known of these tickets, or of those in which they go on; those that routing has not queued are missing."""
    found: dict[UUID, Remembered] = {}
    goes_on_in = {ticket: ticket for ticket in tickets}
    seen: set[UUID] = set()
    while wanted := set(goes_on_in.values()) - seen:
        seen |= wanted
        for row in await connection.fetch(RECALL, list(wanted)):
            named = [ticket for ticket, living in goes_on_in.items() if living == row["ticket_id"]]
            remembered = _remembered(row)
            for ticket in named:
                found[ticket] = remembered
                goes_on_in[ticket] = row["merged_into"] or row["ticket_id"]
    return found


def _remembered(row: asyncpg.Record) -> Remembered:
    return Remembered(
        number=row["number"],
        title=row["title"],
        queue=QueueRef.model_validate_json(row["queue"]),
        owner=_person(row["owner"]),
        responsible=_person(row["responsible"]),
        customer=CustomerRef.model_validate_json(row["customer"]) if row["customer"] is not None else None,
        message_id=row["message_id"],
        by_machine=row["by_machine"],
        proven=row["proven"],
        answers_to=_ADDRESSES.validate_json(row["answers_to"] or "[]"),
        state=row["state"],
    )


def _person(json: str | None) -> PersonRef | None:
    return PersonRef.model_validate_json(json) if json is not None else None
