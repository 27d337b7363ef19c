"""What a mail matches before it is decided on: its sender's customer, the ticket that it answers, and the same mail if
it came before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.intake.records.customers import customer_in
from services.intake.records.message_ids import hash_of
from services.intake.records.receipts import day_ago
from services.intake.ticket.commands import ThreadedBy
from shared.contracts.parts import CustomerRef, TicketRef
from shared.database import Pool

MATCH = """
SELECT k.*, coalesce(c.is_person, false) AS is_person
  FROM intake.known($1, $2, $3, $4, $5, $6, $7) AS k
  LEFT JOIN intake.customers c ON c.customer_id = k.customer_id
"""


@dataclass(frozen=True, slots=True)
class MailMatch:
    """`mail_id` is the same mail, if it came before. `known_as` is the sender's standing on the ticket, `queue_id` the
    queue to which the desk has moved the ticket. `opened` counts the tickets that the sender opened within a day,
    `newest` is the last of them."""

    customer: CustomerRef
    is_new_customer: bool
    ticket_id: UUID | None = None
    number: str | None = None
    threaded_by: ThreadedBy = ""
    mail_id: UUID | None = None
    known_as: Literal["participant", "outsider"] | None = None
    queue_id: UUID | None = None
    opened: int = 0
    newest: TicketRef | None = None


@dataclass(frozen=True, slots=True)
class MailMatches:
    pool: Pool

    async def find(
        self,
        *,
        digest: bytes | None,
        email: str,
        name: str,
        message_ids: Sequence[str],
        tickets: Sequence[UUID | None],
        numbers: Sequence[str],
        most: int = 0,
    ) -> MailMatch:
        """Looks for everything that a mail matches. An unknown sender gets a new customer's id.

        `message_ids` are those that the mail refers to, the nearest first; `tickets` has, for each of them that this
        desk made, its ticket. At most `most` of the tickets that the sender opened within a day are counted.
        """
        hashes = [hash_of(each) for each in message_ids]
        row = await self.pool.fetchrow(MATCH, digest, email, list(tickets), hashes, list(numbers), day_ago(), most)
        assert row is not None
        customer, is_new = customer_in(row, email, name)
        return MailMatch(
            customer,
            is_new,
            row["ticket_id"],
            row["number"],
            row["threaded_by"] or "",
            row["mail_id"],
            row["standing"],
            row["queue_id"],
            row["opened"],
            TicketRef(id=row["newest_id"], number=row["newest_number"]) if row["newest_id"] else None,
        )
