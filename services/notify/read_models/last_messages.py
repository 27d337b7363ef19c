"""The last message on each ticket from somebody who takes part in it: what a reply quotes (decision 0045)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notify.ticket.addresses import mailable
from shared.addresses import comparable
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef, Message
from shared.database import Connection

MOST_READERS = 100
LONGEST_QUOTE = 8_000
"""Characters. A longer quote is cut, and says so; therefore one character more is saved."""
SAVE = """
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
LOAD = "SELECT ticket_id, words, writer, said_at, readers, message_id FROM notify.last_words WHERE ticket_id = ANY($1)"


@dataclass(frozen=True, slots=True)
class LastMessage:
    """`readers` are the addresses, as `addresses.comparable` writes them, of its writer and all its recipients."""

    text: str
    writer: str
    written_at: datetime
    readers: frozenset[str]
    message_id: str | None = None


async def save(connection: Connection, events: Sequence[Recorded]) -> None:
    """Saves the newest message of each ticket, cut to what a quote can hold."""
    newest: dict[UUID, tuple[Recorded, CustomerRef, Message]] = {}
    for event in sorted(events, key=lambda each: each.version):
        match event.payload:
            case (
                TicketOpened(opened_by=None, customer=customer, message=message)
                | CustomerMessageReceived(standing="participant", customer=customer, message=message)
            ):
                newest[event.stream] = (event, customer, message)
            case _:
                continue
    if newest:
        messages = newest.values()
        await connection.execute(
            SAVE,
            list(newest),
            [event.version for event, _, _ in messages],
            [_cut(message) for _, _, message in messages],
            [customer.called for _, customer, _ in messages],
            [message.written_at or event.time for event, _, message in messages],
            [" ".join(_readers(customer, message)) for _, customer, message in messages],
            [message.message_id for _, _, message in messages],
        )


def _cut(message: Message) -> str:
    text = message.text if message.new_text is None else message.new_text
    return text[: LONGEST_QUOTE + 1]


def _readers(customer: CustomerRef, message: Message) -> list[str]:
    everybody = [customer.email, *([message.sender.email] if message.sender else [])]
    everybody += [each.email for each in (*message.to, *message.cc, *message.answers_to)]
    return [comparable(each) for each in everybody if mailable(each)][:MOST_READERS]


async def load(connection: Connection, tickets: Sequence[UUID]) -> dict[UUID, LastMessage]:
    """The last messages of these tickets."""
    return {
        row["ticket_id"]: LastMessage(
            row["words"], row["writer"], row["said_at"], frozenset(row["readers"]), row["message_id"]
        )
        for row in await connection.fetch(LOAD, tickets)
    }
