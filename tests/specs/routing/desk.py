"""The people, queue and ticket that the desk's specs are about."""

from uuid import UUID

from services.routing import ticket
from services.routing.commands import Command
from services.routing.ticket import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import TicketQueued
from shared.contracts.states import NEW
from shared.testing.specs import Given
from shared.testing.specs import given as given_for

KARI = PersonRef(id=UUID(int=1), name="Kari")
NILS = PersonRef(id=UUID(int=2), name="Nils")
IT = QueueRef(id=UUID(int=10), slug="it", name="IT support")
PER = CustomerRef(id=UUID(int=20), email="per@customer.example", name="Per Hansen")
QUEUED = TicketQueued(
    number="2026112310000018",
    title="My computer hums",
    queue=IT,
    customer=PER,
    state=NEW,
    priority=3,
    channel="email",
    message_id="<first@customer.example>",
)
TO_PER = Address(email=PER.email, name=PER.name)


def given(*past: Event) -> Given[Command, Ticket]:
    return given_for(ticket, *past)


def message(text: str, number: int = 100, **more: object) -> Message:
    return Message.model_validate({"id": UUID(int=number), "channel": "email", "text": text, **more})
