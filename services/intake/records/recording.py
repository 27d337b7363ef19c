"""The rows of intake's tables that are written together with events, all in one statement and so in one round trip."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from services.intake.records.mails import Mail, columns_of
from services.intake.records.message_ids import hash_of
from shared.contracts.parts import CustomerRef
from shared.eventstore.store import APPEND, APPEND_ARGUMENTS

MOST_PARTICIPANTS = 100
"""Of one ticket. Further people whom mails name do not become participants."""


@dataclass(frozen=True, slots=True)
class Addition:
    """Rows of one table: the types of their columns, and the statement that writes them. `{rows}` stands for one array
    a column."""

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
    """The statement that appends events (its arguments are those of `Store.arguments`) and writes rows to the tables
    named.

    It has only the tables that get rows, because PostgreSQL plans every part of a statement each time. The others read
    the row that `es.append` returns: if the command was known already, nothing is written.
    """
    place = itertools.count(APPEND_ARGUMENTS + 1)
    parts = [f"WITH appended AS MATERIALIZED ({APPEND})"]
    for name in names:
        rows = ", ".join(f"${next(place)}::{kind}[]" for kind in ADDITIONS[name].columns)
        parts.append(f"{name} AS ({ADDITIONS[name].statement.format(rows=rows)})")
    return f"{', '.join(parts)} SELECT * FROM appended"


class OpenedTicket(NamedTuple):
    """A ticket that is opened. `receipt_mailbox`: the mailbox that gets a receipt, if one does; `answers_to`: the
    addresses at which the customer wants replies, if not at their own."""

    id: UUID
    number: str
    customer: UUID
    receipt_mailbox: str | None
    answers_to: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that a decision writes. `answers_to`: where replies on these tickets go from now on; `hidden_copies` by
    mail, queue and ticket; `automatic`: the tickets that got an automatic mail."""

    customers: Sequence[CustomerRef] = ()
    tickets: Sequence[OpenedTicket] = ()
    message_ids: Sequence[tuple[str, UUID]] = ()
    participants: Sequence[tuple[UUID, str]] = ()
    answers_to: Sequence[tuple[UUID, Sequence[str]]] = ()
    hidden_copies: Sequence[tuple[UUID, UUID, UUID]] = ()
    automatic: Sequence[UUID] = ()
    mails: Sequence[Mail] = ()

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
            "mails": [columns_of(mail) for mail in self.mails],
        }
        return {name: rows for name, rows in found.items() if rows}
