"""How many receipts are sent in a day, to one mailbox and to all: mails with forged senders must not make the desk
write to many strangers."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from services.intake.records.delivery_mailbox import delivery_mailbox
from shared.contracts.event import Event
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import CustomerRef, Message
from shared.database import Connection, Pool

CACHE_SECONDS = 30.0
"""How long the count of all receipts is cached; receipts that this process grants meanwhile are added."""

TO_MAILBOX = """
SELECT count(*)
  FROM (SELECT FROM intake.tickets WHERE receipt_mailbox = $1 AND receipt_at > now() - interval '1 day' LIMIT $2) AS lately
"""
LATELY = """
SELECT count(*)
  FROM (SELECT FROM intake.tickets WHERE ticket_id >= $1 AND split_from IS NULL AND receipt_at IS NOT NULL LIMIT $2) AS lately
"""


def day_ago() -> UUID:
    """The smallest id (UUID version 7) of a ticket that was opened within the last day."""
    return UUID(int=(time.time_ns() // 1_000_000 - 86_400_000) << 80)


def receipt_address(message: Message, customer: CustomerRef) -> str:
    """The address to which a receipt goes: where the sender wants replies, else the customer's."""
    return message.answers_to[0].email if message.answers_to else customer.email


def receipt_mailbox(decided: Sequence[Event]) -> str | None:
    """The mailbox that gets a receipt because of these events; None if nobody does."""
    opened = next((each for each in decided if isinstance(each, TicketOpened) and each.receipt), None)
    return delivery_mailbox(receipt_address(opened.message, opened.customer)) if opened is not None else None


class Receipts:
    """`a_day`: to one mailbox, however its address is written; `all_a_day`: to all together. 0: no limit."""

    def __init__(self, a_day: int, all_a_day: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.a_day, self.all_a_day = a_day, all_a_day
        self._clock = clock
        self._counted_at = float("-inf")
        self._all = 0

    async def refusal(self, connection: Connection | Pool, email: str) -> str:
        """Why no receipt is sent to an address. Empty if it may be sent; then it counts as sent."""
        if self.a_day:
            given = await connection.fetchval(TO_MAILBOX, delivery_mailbox(email), self.a_day)
            if given >= self.a_day:
                return f"its sender got {given} receipts within a day"
        if not self.all_a_day:
            return ""
        if self._clock() - self._counted_at > CACHE_SECONDS:
            self._counted_at = self._clock()
            self._all = await connection.fetchval(LATELY, day_ago(), self.all_a_day)
        if self._all >= self.all_a_day:
            return f"{self.all_a_day} receipts were sent within a day"
        self._all += 1
        return ""
