"""Intake's tables: one query before a decision, one statement that records everything that was decided."""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from uuid_utils.compat import uuid7

from services.intake import ticket
from services.intake.mailroom.writer_standing import ThreadedBy
from services.intake.records.receipts import day_ago
from services.intake.ticket import Ticket
from shared.contracts.event import parse
from shared.contracts.parts import CustomerRef, TicketRef
from shared.database import Pool
from shared.eventstore.folds import Folded
from shared.eventstore.store import APPEND, APPEND_ARGUMENTS, Append, Appended, CommandId, Store, conflict
from shared.testing.failpoints import hit

MAIL_COLUMNS = (
    "mail_id, digest, received_at, envelope_from, envelope_to, blob, size, outcome, reason, ticket_id, number, found"
)

CUSTOMER = """
SELECT e.fingerprint, e.answer, c.customer_id, c.name, coalesce(c.is_person, false) AS is_person, intake.company_of($2) AS company
  FROM (SELECT) AS always
  LEFT JOIN es.commands e ON e.command_id = $1
  LEFT JOIN intake.customers c ON c.email = $2
"""
KNOWN = """
SELECT k.*, coalesce(c.is_person, false) AS is_person
  FROM intake.known($1, $2, $3, $4, $5, $6, $7) AS k
  LEFT JOIN intake.customers c ON c.customer_id = k.customer_id
"""

MOST_PARTICIPANTS = 100
"""Of one ticket; whom mails bring in beyond these does not take part."""


@dataclass(frozen=True, slots=True)
class Addition:
    """Rows that go into one of intake's tables together with events: the types of their columns, and the statement that adds them, in which
    `{rows}` stands for one array a column."""

    columns: tuple[str, ...]
    statement: str


ADDITIONS = {
    "customers": Addition(
        ("uuid", "text", "text"),
        """
    INSERT INTO intake.customers (customer_id, email, name)
    SELECT n.* FROM appended a, unnest({rows}) AS n WHERE a.status = 'appended'
""",
    ),
    "tickets": Addition(
        ("uuid", "text", "uuid", "text", "text"),
        """
    INSERT INTO intake.tickets (ticket_id, number, customer_id, receipt_mailbox, receipt_at, answers_to)
    SELECT n.ticket_id, n.number, n.customer_id, n.mailbox, CASE WHEN n.mailbox IS NOT NULL THEN now() END,
           string_to_array(n.answers_to, E'\\n')
      FROM appended a, unnest({rows}) AS n(ticket_id, number, customer_id, mailbox, answers_to)
     WHERE a.status = 'appended'
""",
    ),
    "message_ids": Addition(
        ("bytea", "uuid"),
        """
    INSERT INTO intake.message_ids (hash, ticket_id)
    SELECT n.* FROM appended a, unnest({rows}) AS n WHERE a.status = 'appended'
        ON CONFLICT DO NOTHING
""",
    ),
    "participants": Addition(
        ("uuid", "text"),
        f"""
    INSERT INTO intake.participants AS p (ticket_id, email, outsider, person_id)
    SELECT n.ticket_id, n.email, false, intake.person_with(n.email)
      FROM appended a, unnest({{rows}}) AS n(ticket_id, email)
     WHERE a.status = 'appended'
       AND (SELECT count(*) FROM intake.participants o WHERE o.ticket_id = n.ticket_id) < {MOST_PARTICIPANTS}
        ON CONFLICT (ticket_id, email) DO UPDATE SET outsider = false WHERE p.outsider
""",
    ),
    "answers_to": Addition(
        ("uuid", "text"),
        """
    UPDATE intake.tickets t
       SET answers_to = string_to_array(n.emails, E'\\n')
      FROM appended a, unnest({rows}) AS n(ticket_id, emails)
     WHERE a.status = 'appended' AND t.ticket_id = n.ticket_id
""",
    ),
    "hidden_copies": Addition(
        ("uuid", "uuid", "uuid"),
        """
    INSERT INTO intake.hidden_copies (mail_id, queue_id, ticket_id)
    SELECT n.* FROM appended a, unnest({rows}) AS n WHERE a.status = 'appended'
""",
    ),
    "automatic": Addition(
        ("uuid",),
        """
    UPDATE intake.tickets t
       SET automatic = t.automatic + 1
      FROM appended a, unnest({rows}) AS n(ticket_id)
     WHERE a.status = 'appended' AND t.ticket_id = n.ticket_id
""",
    ),
    "mails": Addition(
        ("uuid", "bytea", "timestamptz", "text", "text", "text", "bigint", "text", "text", "uuid", "text", "text"),
        """
    INSERT INTO intake.mails AS m (mail_id, digest, received_at, envelope_from, envelope_to, blob, size, outcome, reason, ticket_id,
                                   number, found)
    SELECT n.mail_id, n.digest, n.received_at, n.envelope_from, string_to_array(n.envelope_to, E'\\n'), n.blob, n.size, n.outcome,
           n.reason, n.ticket_id, n.number, n.found::jsonb
      FROM appended a,
           unnest({rows})
             AS n(mail_id, digest, received_at, envelope_from, envelope_to, blob, size, outcome, reason, ticket_id, number, found)
     WHERE a.status = 'appended'
        ON CONFLICT (mail_id) DO UPDATE
       SET outcome = excluded.outcome, reason = excluded.reason, ticket_id = excluded.ticket_id, number = excluded.number,
           found = excluded.found
     WHERE m.ticket_id IS NULL
""",
    ),
}


@cache
def recording(names: tuple[str, ...]) -> str:
    """The statement that appends events (its arguments are `Store.arguments`) and adds rows to the tables named, in one round trip.

    PostgreSQL sets up every part of a statement each time, with rows or without: so only those that are needed stand in it. `es.append`
    comes first, because everything else reads its row: nothing is written beside a command that was known already.
    """
    place = itertools.count(APPEND_ARGUMENTS + 1)
    parts = [f"WITH appended AS MATERIALIZED ({APPEND})"]
    for name in names:
        rows = ", ".join(f"${next(place)}::{kind}[]" for kind in ADDITIONS[name].columns)
        parts.append(f"{name} AS ({ADDITIONS[name].statement.format(rows=rows)})")
    return f"{', '.join(parts)} SELECT * FROM appended"


MAIL = f"SELECT {MAIL_COLUMNS} FROM intake.mails WHERE mail_id = $1"
WAY = """
SELECT t.ticket_id, t.queue_id, t.email IS NOT NULL AS renamed, coalesce(t.desk_customer, c.customer_id) AS customer_id, t.company,
       l.ticket_id AS living_id, l.queue_id AS living_queue_id, l.email IS NOT NULL AS living_renamed,
       coalesce(l.desk_customer, d.customer_id) AS living_customer_id, l.company AS living_company
  FROM intake.tickets t
  JOIN intake.tickets l ON l.ticket_id = intake.living(t.ticket_id)
  LEFT JOIN intake.customers c ON c.email = t.email
  LEFT JOIN intake.customers d ON d.email = l.email
 WHERE t.{column} = $1
"""
NEWEST = """
SELECT s.version AS stream_version, t.automatic, e.type, e.data, e.stream_id
  FROM unnest($1::uuid[]) AS k(stream)
  JOIN es.streams s ON s.stream_id = k.stream
  JOIN es.events e ON e.stream_id = k.stream AND e.version = 1
  JOIN intake.tickets t ON t.ticket_id = k.stream
"""
TAKING_PART = """
SELECT e.email
  FROM unnest($2::text[]) AS e(email)
  JOIN intake.tickets t ON t.ticket_id = $1
 WHERE e.email <> ALL (t.answers_to) AND intake.takes_part(t.ticket_id, e.email) IS NOT NULL
"""
NUMBERS = "SELECT ticket_id, number FROM intake.tickets WHERE ticket_id = ANY($1) ORDER BY ticket_id"
HIDDEN_COPIES = "SELECT queue_id, ticket_id FROM intake.hidden_copies WHERE mail_id = $1"
MAILS = f"""
SELECT {MAIL_COLUMNS}
  FROM intake.mails
 WHERE $1::uuid IS NULL OR mail_id < $1
 ORDER BY mail_id DESC
 LIMIT $2
"""


Copies = dict[UUID, UUID]
"""Queue -> the ticket that a mail has opened there."""


class Raced(Exception):
    """Somebody else recorded the same customer, number or mail at this moment: look again and decide anew."""


def hash_of(message_id: str) -> bytes:
    """What a Message-ID is remembered by; systems on the way do not all keep the case of its domain."""
    return hashlib.sha256(message_id.lower().encode()).digest()


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that arrived, and what became of it."""

    id: UUID
    digest: bytes
    received_at: datetime
    envelope_from: str
    envelope_to: tuple[str, ...]
    blob: str
    size: int
    outcome: str
    reason: str
    ticket_id: UUID | None
    number: str | None
    found: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a request is for, and its first answer if it was carried out before."""

    customer: CustomerRef
    new_customer: bool
    fingerprint: bytes | None = None
    answer: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a mail before it is decided on: its sender's customer, the ticket it answers, itself if it came before.

    `known_as` is what the sender is to that ticket, `queue_id` the queue to which the desk has moved it; `opened` how many tickets the
    sender has opened lately, `newest` the last of them.
    """

    customer: CustomerRef
    new_customer: bool
    ticket_id: UUID | None = None
    number: str | None = None
    threaded_by: ThreadedBy = ""
    mail_id: UUID | None = None
    known_as: Literal["participant", "outsider"] | None = None
    queue_id: UUID | None = None
    opened: int = 0
    newest: TicketRef | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A ticket, and what the desk has made of it since it was opened: `queue_id` null where it has not moved it; `renamed`: it is another
    customer's now."""

    ticket_id: UUID
    queue_id: UUID | None
    renamed: bool
    customer_id: UUID | None
    company: str | None


@dataclass(frozen=True, slots=True)
class Way:
    """The ticket that was named, and the one that takes its messages: itself, or where merges lead."""

    named: Place
    living: Place


class OpenedTicket(NamedTuple):
    """A ticket that is opened. `receipt_mailbox`: where its receipt goes, if one does; `answers_to`: the addresses that its customer wants answers
    at, if not at their own."""

    id: UUID
    number: str
    customer: UUID
    receipt_mailbox: str | None
    answers_to: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """What a decision adds to intake's own tables. `answers_to`: where answers on these tickets go from now on; `hidden_copies` by mail, queue
    and ticket; `automatic` are the tickets that got a machine's mail."""

    customers: Sequence[CustomerRef] = ()
    tickets: Sequence[OpenedTicket] = ()
    message_ids: Sequence[tuple[str, UUID]] = ()
    participants: Sequence[tuple[UUID, str]] = ()
    answers_to: Sequence[tuple[UUID, Sequence[str]]] = ()
    hidden_copies: Sequence[tuple[UUID, UUID, UUID]] = ()
    automatic: Sequence[UUID] = ()
    mails: Sequence[Mail] = field(default=())

    def additions(self) -> dict[str, list[tuple[Any, ...]]]:
        """Name of one of ADDITIONS -> its rows, for those that have any."""
        found: dict[str, list[tuple[Any, ...]]] = {
            "customers": [(c.id, c.email, c.name) for c in self.customers],
            "tickets": [
                (each.id, each.number, each.customer, each.receipt_mailbox, "\n".join(each.answers_to))
                for each in self.tickets
            ],
            "message_ids": [(hash_of(message_id), stream) for message_id, stream in self.message_ids],
            "participants": list(self.participants),
            "answers_to": [(stream, "\n".join(emails)) for stream, emails in self.answers_to],
            "hidden_copies": list(self.hidden_copies),
            "automatic": [(stream,) for stream in self.automatic],
            "mails": [_columns(mail) for mail in self.mails],
        }
        return {name: rows for name, rows in found.items() if rows}


class Records:
    """Intake's tables over the event store of the same database."""

    def __init__(self, pool: Pool, store: Store) -> None:
        self.pool, self.store = pool, store

    async def caller(self, email: str, name: str, command: CommandId, person: UUID | None = None) -> Caller:
        """Whom a request is for: the `person` who sends it, or whoever has this address. An address that is not known gets a new customer's id."""
        row = await self.pool.fetchrow(CUSTOMER, command.id, email)
        assert row is not None
        customer, new = _customer(row, email, name)
        if person is not None:
            customer, new = customer.model_copy(update={"id": person, "name": name}), False
        return Caller(customer, new, row["fingerprint"], row["answer"])

    async def known(
        self,
        *,
        digest: bytes | None,
        email: str,
        name: str,
        message_ids: Sequence[str],
        tickets: Sequence[UUID | None],
        numbers: Sequence[str],
        most: int = 0,
    ) -> Known:
        """What is known of a mail. A sender who is not known gets a new customer's id.

        `message_ids` are those that it refers to, the nearest first; `tickets` has the ticket for each of them that is our own. Of the
        tickets that the sender has opened within a day, at most `most` are counted.
        """
        hashes = [hash_of(each) for each in message_ids]
        row = await self.pool.fetchrow(KNOWN, digest, email, list(tickets), hashes, list(numbers), day_ago(), most)
        assert row is not None
        customer, new = _customer(row, email, name)
        return Known(
            customer,
            new,
            row["ticket_id"],
            row["number"],
            row["threaded_by"] or "",
            row["mail_id"],
            row["standing"],
            row["queue_id"],
            row["opened"],
            TicketRef(id=row["newest_id"], number=row["newest_number"]) if row["newest_id"] else None,
        )

    async def record(
        self,
        appends: Sequence[Append],
        rows: Rows,
        *,
        command: CommandId | None = None,
        answer: dict[str, Any] | None = None,
    ) -> Appended:
        """Events and rows, all or nothing, in one round trip.

        Raises Raced, and what `Store.append` raises. A command that was known writes nothing and is answered as `duplicate`.
        """
        hit("intake.before_commit")
        additions = rows.additions()
        try:
            row = await self.pool.fetchrow(
                recording(tuple(additions)),
                *self.store.arguments(appends, command, answer),
                *(list(column) for rows in additions.values() for column in zip(*rows, strict=True)),
            )
        except asyncpg.UniqueViolationError as error:
            if error.schema_name == "intake":
                raise Raced(error.constraint_name) from error
            raise
        except asyncpg.PostgresError as error:
            raise conflict(error, appends) from error
        assert row is not None
        hit("intake.after_commit")
        return self.store.outcome(row, appends)

    async def newest(self, tickets: Sequence[UUID]) -> dict[UUID, Folded[Ticket]]:
        """What the rules look at of each ticket, at its stream's version; one that is not open here is left out.

        It costs the same for a ticket of two messages and of a hundred thousand: the first event, and what is counted beside it.
        """
        found: dict[UUID, Folded[Ticket]] = {}
        for row in await self.pool.fetch(NEWEST, list(tickets)):
            opened = ticket.evolve(ticket.initial(), parse(row["type"], row["data"]))
            found[row["stream_id"]] = Folded(replace(opened, automatic=row["automatic"]), row["stream_version"])
        return found

    async def taking_part(self, ticket_id: UUID, emails: Sequence[str]) -> set[str]:
        """Those of the addresses whose owners have to do with a ticket, but for those that its customer wanted answers at."""
        return {row["email"] for row in await self.pool.fetch(TAKING_PART, ticket_id, emails)}

    async def numbers(self, tickets: Sequence[UUID]) -> dict[UUID, str]:
        """The number of each ticket."""
        return {row["ticket_id"]: row["number"] for row in await self.pool.fetch(NUMBERS, tickets)}

    async def copies(self, mail: Mail) -> Copies:
        """The tickets that a mail has opened so far."""
        assert mail.ticket_id is not None
        found = await self.pool.fetch(HIDDEN_COPIES, mail.id)
        copies = {row["queue_id"]: row["ticket_id"] for row in found}
        first = (await self.newest([mail.ticket_id]))[mail.ticket_id].state
        others = await self.newest([*first.also_opened])
        for stream, (state, _) in ((mail.ticket_id, Folded(first, 1)), *others.items()):
            if state.opened_in is not None:
                copies[state.opened_in.id] = stream
        return copies

    async def way(self, *, number: str | None = None, ticket_id: UUID | None = None) -> Way | None:
        """The ticket with this number or id, and where its messages go."""
        column = "number" if number is not None else "ticket_id"
        row = await self.pool.fetchrow(WAY.format(column=column), number if number is not None else ticket_id)
        if row is None:
            return None
        return Way(
            Place(row["ticket_id"], row["queue_id"], row["renamed"], row["customer_id"], row["company"]),
            Place(
                row["living_id"],
                row["living_queue_id"],
                row["living_renamed"],
                row["living_customer_id"],
                row["living_company"],
            ),
        )

    async def mail(self, mail_id: UUID) -> Mail | None:
        row = await self.pool.fetchrow(MAIL, mail_id)
        return _mail(row) if row else None

    async def mails(self, *, before: UUID | None, limit: int) -> list[Mail]:
        """The newest mails first, from the one before `before`."""
        return [_mail(row) for row in await self.pool.fetch(MAILS, before, limit)]


def _customer(row: asyncpg.Record, email: str, name: str) -> tuple[CustomerRef, bool]:
    """The customer with this address, by the name in their record if they have one; and whether nobody has it yet."""
    new = row["customer_id"] is None
    called = row["name"] if row["is_person"] else name or row["name"] or ""
    customer = CustomerRef(id=row["customer_id"] or uuid7(), email=email, name=called, company=row["company"])
    return customer, new


def _columns(mail: Mail) -> tuple[Any, ...]:
    """A row of the addition `mails`."""
    return (
        mail.id, mail.digest, mail.received_at, mail.envelope_from, "\n".join(mail.envelope_to), mail.blob, mail.size, mail.outcome,
        mail.reason, mail.ticket_id, mail.number, orjson.dumps(mail.found).decode(),
    )  # fmt: skip


def _mail(row: asyncpg.Record) -> Mail:
    return Mail(
        id=row["mail_id"],
        digest=row["digest"],
        received_at=row["received_at"],
        envelope_from=row["envelope_from"],
        envelope_to=tuple(row["envelope_to"]),
        blob=row["blob"],
        size=row["size"],
        outcome=row["outcome"],
        reason=row["reason"],
        ticket_id=row["ticket_id"],
        number=row["number"],
        found=row["found"],
    )
