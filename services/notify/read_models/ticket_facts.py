"""A read model of tickets for notices: most events name neither the ticket's number nor its queue nor its people."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

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
"""Column and type.

Beside each fact stands the version of the event that told it, so that a ticket's events may arrive in any order, and
more than once.
"""


def _save() -> str:
    """The statement that replaces older facts.

    Arguments: ids, numbers, `by_machine`, `proven`, then values and versions of each fact.
    """
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
LOAD = """
SELECT ticket_id, number, by_machine, proven, title, queue::text AS queue, owner::text AS owner,
       responsible::text AS responsible, customer::text AS customer, message_id, answers_to::text AS answers_to, state,
       merged_into
  FROM notify.tickets
 WHERE ticket_id = ANY($1) AND number <> '' AND queue IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class TicketFacts:
    """A ticket as routing's events last described it. `message_id` is that of the customer's newest mail.

    `customer`, `message_id` and `state` (its type) are null where they are not known. `by_machine`: no person opened
    the ticket. `proven`: the title was not written by just anybody. `answers_to`: where the customer wants mails, if
    not at their own address. The facts of a merged ticket are those of the ticket that it was merged into.
    """

    number: str
    title: str
    queue: QueueRef
    owner: PersonRef | None = None
    responsible: PersonRef | None = None
    customer: CustomerRef | None = None
    message_id: str | None = None
    by_machine: bool = False
    proven: bool = False
    answers_to: tuple[Address, ...] = ()
    state: str | None = None


@dataclass(slots=True)
class _Row:
    """What a batch says about one ticket: the newest value of each fact with its version."""

    number: str = ""
    by_machine: bool = False
    proven: bool = False
    facts: dict[str, tuple[str | None, int]] = field(default_factory=dict)


async def save(connection: Connection, events: Sequence[Recorded]) -> None:
    """Saves what the events say about their tickets."""
    rows: dict[UUID, _Row] = {}
    for event in sorted(events, key=lambda each: each.version):
        facts: dict[str, str | None] = {}
        row = rows.get(event.stream) or _Row()
        match event.payload:
            case TicketOpened() as opened if opened.proven or (not opened.receipt and opened.opened_by is None):
                row.by_machine = not opened.receipt and opened.opened_by is None
                row.proven = opened.proven
            case AgentReplied():
                row.proven = True  # an agent has written to the customer under this title
            case TicketQueued() as queued:
                row.number = queued.number
                facts = {"title": queued.title, "queue": _json(queued.queue), "customer": _json(queued.customer)}
                facts |= {
                    "message_id": queued.message_id,
                    "answers_to": _addresses(queued.answers_to),
                    "state": queued.state.type,
                }
            case StateChanged(to=state):
                facts = {"state": state.type}
            case TicketMerged(into=living):
                facts = {"state": "merged", "merged_into": str(living.id)}
            case MergeUndone(state=state):
                facts = {"state": state.type, "merged_into": None}
            case TicketRemoved():
                facts = {"state": "removed"}
            case TicketRenamed(to=title):
                facts = {"title": title}
            case TicketMoved(to=queue):
                facts = {"queue": _json(queue)}
            case OwnerChanged(to=owner):
                facts = {"owner": _json(owner)}
            case ResponsibleChanged(to=responsible):
                facts = {"responsible": _json(responsible)}
            case CustomerChanged(to=customer):
                facts = {"customer": _json(customer), "answers_to": _addresses(())}
            case CustomerAnswered() as answered:
                if answered.message_id is not None:
                    facts["message_id"] = answered.message_id
                if answered.answers_to is not None:
                    facts["answers_to"] = _addresses(answered.answers_to)
            case _:
                continue
        row.facts |= {fact: (value, event.version) for fact, value in facts.items()}
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


async def load(connection: Connection, tickets: Sequence[UUID]) -> dict[UUID, TicketFacts]:
    """The facts of these tickets, or of those that they were merged into.

    Tickets that routing has not queued are missing.
    """
    found: dict[UUID, TicketFacts] = {}
    merged_into = {ticket: ticket for ticket in tickets}
    seen: set[UUID] = set()
    while wanted := set(merged_into.values()) - seen:
        seen |= wanted
        for row in await connection.fetch(LOAD, list(wanted)):
            named = [ticket for ticket, living in merged_into.items() if living == row["ticket_id"]]
            facts = _facts(row)
            for ticket in named:
                found[ticket] = facts
                merged_into[ticket] = row["merged_into"] or row["ticket_id"]
    return found


def _facts(row: asyncpg.Record) -> TicketFacts:
    return TicketFacts(
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
