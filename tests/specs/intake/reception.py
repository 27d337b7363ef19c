"""The people, queue, commands and mails that intake's specs are about."""

from uuid import UUID

from services.intake import ticket
from services.intake.mail.reading import Reading
from services.intake.ticket import Ticket
from services.intake.ticket.commands import Command, OpenTicket
from shared.contracts.event import Event
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Address, Channel, CustomerRef, Message, PersonRef, QueueRef
from shared.testing.specs import Given
from shared.testing.specs import given as given_for

KARI = PersonRef(id=UUID(int=1), name="Kari")
IT = QueueRef(id=UUID(int=10), slug="it", name="IT support")
PER = CustomerRef(id=UUID(int=20), email="per@customer.example", name="Per Hansen")
NOBODY = CustomerRef(id=UUID(int=21), email="")
NUMBER = "2026112310000018"
WORDS = Message(id=UUID(int=100), channel="email", text="Since this morning it hums.")


def given(*past: Event) -> Given[Command, Ticket]:
    return given_for(ticket, *past)


def opening(
    channel: Channel = "email",
    *,
    by: PersonRef | None = None,
    customer: CustomerRef = PER,
    automatic: bool = False,
) -> OpenTicket:
    return OpenTicket(NUMBER, "My computer hums", IT, customer, channel, WORDS, opened_by=by, automatic=automatic)


def opened(
    channel: Channel = "email", *, by: PersonRef | None = None, customer: CustomerRef = PER, receipt: bool = True
) -> TicketOpened:
    return TicketOpened(
        number=NUMBER,
        title="My computer hums",
        queue=IT,
        customer=customer,
        channel=channel,
        message=WORDS,
        opened_by=by,
        receipt=receipt,
        proven=by is not None,
    )


def letter(**more: object) -> Reading:
    """A mail that a person wrote, with the changes of the test."""
    return Reading(sender=Address(email=PER.email), subject="My computer hums", text="It hums.", **more)  # type: ignore[arg-type]
