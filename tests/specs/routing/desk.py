"""The people, queue and ticket that the desk's specs are about."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.routing import ticket
from services.routing.ticket import Command, Ticket
from services.routing.ticket.context import Actor, CommandContext
from services.routing.ticket.customer_messages import TakeCustomerMessage
from shared.contracts.event import Event
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import TicketQueued
from shared.rules.states import NEW
from shared.testing.specs import Given
from shared.testing.specs import given as given_for

KARI = PersonRef(id=UUID(int=1), name="Kari")
NILS = PersonRef(id=UUID(int=2), name="Nils")
IT = QueueRef(id=UUID(int=10), slug="it", name="IT support")
HR = QueueRef(id=UUID(int=11), slug="hr", name="HR")
PER = CustomerRef(id=UUID(int=20), email="per@customer.example", name="Per Hansen")
TICKET = UUID(int=42)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BY_KARI = CommandContext(Actor("agent", KARI.id, KARI.name), NOON)
BY_NILS = CommandContext(Actor("agent", NILS.id, NILS.name), NOON)
BY_RULE = CommandContext(Actor("rule", UUID(int=30), "Escalate old tickets"), NOON)
RULE = BY_RULE.actor.reference
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


def from_per(article: UUID, message_id: str | None = None, **more: Any) -> TakeCustomerMessage:
    """A message of the customer that arrived at noon."""
    words = Message(id=article, channel="email", text="thanks", message_id=message_id)
    return TakeCustomerMessage(words, NOON, TICKET, UUID(int=43), **more)


def message(text: str, number: int = 100, **more: object) -> Message:
    return Message.model_validate({"id": UUID(int=number), "channel": "email", "text": text, **more})
