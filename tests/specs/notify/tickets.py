"""The people, queue, events and mails that notify's specs are about."""

from datetime import UTC, datetime
from uuid import UUID

from services.notify import ticket
from services.notify.commands import Command
from services.notify.policies import Policies
from services.notify.ticket import Ticket
from shared.contracts.directory import Queue
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.intake import TicketOpened
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import AgentReplied
from shared.directory.copy import Queues
from shared.testing.specs import Given
from shared.testing.specs import given as given_for

NUMBER = "2026112310000018"
TITLE = "My computer hums"
MOMENT = datetime(2026, 11, 23, 8, 30, 15, 123456, tzinfo=UTC)
TICKET = UUID(int=42)
KARI = PersonRef(id=UUID(int=1), name="Kari")
IT = QueueRef(id=UUID(int=10), slug="it", name="IT support")
PER = CustomerRef(id=UUID(int=20), email="per@customer.example", name="Per Hansen")
FIRST = "<first@customer.example>"
IT_QUEUE = Queue(
    id=IT.id,
    slug="it",
    name="IT support",
    address="it@help.example.org",
    display_name="IT desk",
    salutation="Hei {{ customer.name }},",
    signature="Vennlig hilsen\n{{ agent.name }}\nIT support",
)
KEY = b"key"
DOMAIN = "help.example.org"


def given(*past: Event) -> Given[Command, Ticket]:
    return given_for(ticket, *past)


def mail(address: str = PER.email, **more: object) -> OutgoingMail:
    fields: dict[str, object] = {
        "message_id": "<ld.1@help.example.org>",
        "sender": Address(email="it@help.example.org", name="IT desk"),
        "to": (Address(email=address, name=PER.name),),
        "subject": f"Re: [Ticket#{NUMBER}] {TITLE}",
        "text": "Please send us the serial number.\n",
    }
    return OutgoingMail.model_validate({**fields, **more})


def opened(**more: object) -> TicketOpened:
    fields: dict[str, object] = {
        "number": NUMBER,
        "title": TITLE,
        "queue": IT,
        "customer": PER,
        "channel": "email",
        "message": Message(
            id=UUID(int=100), channel="email", subject=TITLE, text="Since this morning.", message_id=FIRST
        ),
    }
    return TicketOpened.model_validate({**fields, **more})


def replied(text: str = "Please send us the serial number.", **more: object) -> AgentReplied:
    fields: dict[str, object] = {
        "by": KARI,
        "message": Message(
            id=UUID(int=101), channel="email", to=(Address(email=PER.email, name=PER.name),), subject=TITLE, text=text
        ),
        "number": NUMBER,
        "title": TITLE,
        "queue": IT,
        "customer": PER,
        "references": (FIRST, "<second@customer.example>"),
    }
    return AgentReplied.model_validate({**fields, **more})


def recorded(payload: Event, event_id: int = 500) -> Recorded:
    return Recorded(
        id=UUID(int=event_id),
        type=payload.TYPE,
        source=f"/services/{payload.OWNER}",
        stream=TICKET,
        version=1,
        time=MOMENT,
        recorded_at=MOMENT,
        correlation_id=UUID(int=1),
        causation_id=None,
        actor=Actor("agent"),
        traceparent=None,
        payload=payload,
    )


def queues(*documents: Queue) -> Queues:
    return Queues(
        by_id={queue.id: queue for queue in documents},
        by_slug={queue.slug: queue for queue in documents},
        by_address={queue.address: queue for queue in documents if queue.address},
    )


def policies(*documents: Queue) -> Policies:
    snapshot = queues(*documents)
    return Policies(lambda: snapshot, KEY, DOMAIN)
