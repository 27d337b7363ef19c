"""The desk's own addresses and Message-IDs in a mail."""

from dataclasses import dataclass
from uuid import UUID

from services.intake.mail.reading import Reading
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.queue_choice import plain_address, without_tag
from shared.directory.copy import DirectoryCopy
from shared.rules import reply_addresses
from shared.rules.message_ids import tickets_named


@dataclass(frozen=True, slots=True)
class OurAddresses:
    """`mail_key` signs the desk's Message-IDs and reply addresses."""

    mail_key: bytes
    directory: DirectoryCopy

    def is_of_a_queue(self, email: str) -> bool:
        """Whether mails to this address reach one of the desk's queues."""
        queues = self.directory.queues
        return queues.for_address(email) is not None or queues.for_address(without_tag(email)) is not None

    def ticket_of(self, message_id: str) -> UUID | None:
        """The ticket that a Message-ID of the desk's names; None for anybody else's Message-ID."""
        return next(iter(tickets_named(self.mail_key, message_id)), None)

    def tickets_addressed(self, reading: Reading, envelope: Envelope) -> list[UUID]:
        """The tickets to whose own reply addresses a mail was sent."""
        addresses = (*envelope.recipients, *(each.email for each in (*reading.to, *reading.cc)))
        named = (reply_addresses.ticket_named(self.mail_key, plain_address(each)) for each in addresses)
        return list(dict.fromkeys(each for each in named if each is not None))
