"""A row for each ticket with what notices need of it: the events of timers name neither its number nor its queue nor its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notify.addresses import mailable, plain
from services.notify.known import LastWords, Remembered
from services.notify.letters import LONGEST_QUOTE
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import OwnerChanged, TicketMoved, TicketQueued, TicketRenamed
from shared.database import Connection

# Each fact has the version of the event that told it, so that events of a ticket may come again, or late, in any order.
SAVE = """
INSERT INTO notify.tickets AS t (ticket_id, number, title, title_version, queue, queue_version, owner, owner_version)
SELECT d.i, d.n, d.t, d.tv, d.q::jsonb, d.qv, d.o::jsonb, d.ov
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::integer[], $7::text[], $8::integer[])
       AS d(i, n, t, tv, q, qv, o, ov)
 ORDER BY d.i
    ON CONFLICT (ticket_id) DO UPDATE
   SET number        = CASE WHEN excluded.number <> '' THEN excluded.number ELSE t.number END,
       title         = CASE WHEN excluded.title_version > t.title_version THEN excluded.title ELSE t.title END,
       title_version = greatest(excluded.title_version, t.title_version),
       queue         = CASE WHEN excluded.queue_version > t.queue_version THEN excluded.queue ELSE t.queue END,
       queue_version = greatest(excluded.queue_version, t.queue_version),
       owner         = CASE WHEN excluded.owner_version > t.owner_version THEN excluded.owner ELSE t.owner END,
       owner_version = greatest(excluded.owner_version, t.owner_version)
 WHERE excluded.title_version > t.title_version
    OR excluded.queue_version > t.queue_version
    OR excluded.owner_version > t.owner_version
    OR excluded.number <> t.number AND excluded.number <> ''
"""
RECALL = """
SELECT ticket_id, number, title, queue::text AS queue, owner::text AS owner
  FROM notify.tickets
 WHERE ticket_id = ANY($1) AND number <> '' AND queue IS NOT NULL
"""


MOST_READERS = 100
SAVE_WORDS = """
INSERT INTO notify.last_words AS w (ticket_id, version, words, writer, said_at, readers, message_id)
SELECT d.i, d.v, d.words, d.writer, d.at, string_to_array(d.readers, ' '), d.m
  FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])
       AS d(i, v, words, writer, at, readers, m)
 ORDER BY d.i
    ON CONFLICT (ticket_id) DO UPDATE
   SET version = excluded.version, words = excluded.words, writer = excluded.writer, said_at = excluded.said_at,
       readers = excluded.readers, message_id = excluded.message_id
 WHERE excluded.version > w.version
"""
RECALL_WORDS = (
    "SELECT ticket_id, words, writer, said_at, readers, message_id FROM notify.last_words WHERE ticket_id = ANY($1)"
)


@dataclass(slots=True)
class _Row:
    """What a batch tells of one ticket; a version of 0 stands for nothing."""

    number: str = ""
    title: str = ""
    title_version: int = 0
    queue: QueueRef | None = None
    queue_version: int = 0
    owner: PersonRef | None = None
    owner_version: int = 0


async def remember(connection: Connection, events: Sequence[Recorded]) -> None:
    """Keeps what routing's events tell, in the transaction of what is made of them."""
    rows: dict[UUID, _Row] = {}
    for event in sorted(events, key=lambda each: each.version):
        row = rows.get(event.stream) or _Row()
        match event.payload:
            case TicketQueued(number=number, title=title, queue=queue):
                row.number, row.title, row.queue = number, title, queue
                row.title_version = row.queue_version = event.version
            case TicketRenamed(to=title):
                row.title, row.title_version = title, event.version
            case TicketMoved(to=queue):
                row.queue, row.queue_version = queue, event.version
            case OwnerChanged(to=owner):
                row.owner, row.owner_version = owner, event.version
            case _:
                continue
        rows[event.stream] = row
    if rows:
        told = rows.values()
        await connection.execute(
            SAVE,
            list(rows),
            [row.number for row in told],
            [row.title for row in told],
            [row.title_version for row in told],
            [row.queue.model_dump_json() if row.queue else None for row in told],
            [row.queue_version for row in told],
            [row.owner.model_dump_json() if row.owner else None for row in told],
            [row.owner_version for row in told],
        )


async def recall(connection: Connection, tickets: Sequence[UUID]) -> dict[UUID, Remembered]:
    """What is known of these tickets; those that routing has not queued are missing."""
    return {
        row["ticket_id"]: Remembered(
            row["number"],
            row["title"],
            QueueRef.model_validate_json(row["queue"]),
            PersonRef.model_validate_json(row["owner"]) if row["owner"] is not None else None,
        )
        for row in await connection.fetch(RECALL, tickets)
    }


async def remember_words(connection: Connection, events: Sequence[Recorded]) -> None:
    """Keeps what those who take part in a ticket said last, for quotes; no more of it than a quote takes."""
    newest: dict[UUID, tuple[Recorded, CustomerRef, Message]] = {}
    for event in sorted(events, key=lambda each: each.version):
        match event.payload:
            case TicketOpened(opened_by=None, customer=customer, message=message):
                newest[event.stream] = (event, customer, message)
            case CustomerMessageReceived(standing="participant", customer=customer, message=message):
                newest[event.stream] = (event, customer, message)
            case _:
                continue
    if newest:
        said = newest.values()
        await connection.execute(
            SAVE_WORDS,
            list(newest),
            [event.version for event, _, _ in said],
            [_cut(message) for _, _, message in said],
            [(customer.name or customer.email) for _, customer, _ in said],
            [message.written_at or event.time for event, _, message in said],
            [" ".join(_readers(customer, message)) for _, customer, message in said],
            [message.message_id for _, _, message in said],
        )


def _cut(message: Message) -> str:
    words = message.text if message.new_text is None else message.new_text
    return words[: LONGEST_QUOTE + 1]


def _readers(customer: CustomerRef, message: Message) -> list[str]:
    everybody = [customer.email, *([message.sender.email] if message.sender else [])]
    everybody += [each.email for each in (*message.to, *message.cc)]
    return [plain(each) for each in everybody if mailable(each)][:MOST_READERS]


async def recall_words(connection: Connection, tickets: Sequence[UUID]) -> dict[UUID, LastWords]:
    """What was said last on these tickets."""
    return {
        row["ticket_id"]: LastWords(
            row["words"], row["writer"], row["said_at"], frozenset(row["readers"]), row["message_id"]
        )
        for row in await connection.fetch(RECALL_WORDS, tickets)
    }
