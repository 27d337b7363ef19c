"""People, a queue, events and mails for notify's specs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.notify import ticket
from services.notify.notices.mails import mail_of
from services.notify.policies import Policies
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.ticket import Ticket
from services.notify.ticket.commands import Command, GiveNotice, RequestNotice
from services.notify.writing.mail_builder import MailBuilder
from shared.contracts.directory import Member, Person, Queue, Salutation, Signature
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.intake import TicketOpened
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    FollowUpRejected,
    ReminderReached,
    TicketQueued,
    TicketUnlocked,
)
from shared.directory.copy import Configuration, Queues
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


def queued(**more: object) -> TicketQueued:
    fields: dict[str, object] = {
        "number": NUMBER,
        "title": TITLE,
        "queue": IT,
        "customer": PER,
        "state": {"slug": "new", "name": "new", "type": "new"},
        "priority": 3,
        "channel": "email",
    }
    return TicketQueued.model_validate({**fields, **more})


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


QUESTION = Message(
    id=UUID(int=100),
    channel="email",
    sender=Address(email=PER.email, name=PER.name),
    to=(Address(email="it@help.example.org"),),
    subject=TITLE,
    text="Since this morning.\nLoudly.",
    message_id=FIRST,
    written_at=MOMENT,
)
"""The article that is forwarded or bounced."""


def forwarded(**more: object) -> ArticleForwarded:
    fields: dict[str, object] = {
        "by": KARI,
        "message": Message(
            id=UUID(int=102), channel="email", to=(Address(email="fix@repair.example"),), text="Can you repair this?"
        ),
        "article": QUESTION.id,
        "original": QUESTION,
        "number": NUMBER,
        "title": TITLE,
        "queue": IT,
        "customer": PER,
    }
    return ArticleForwarded.model_validate({**fields, **more})


def bounced(**more: object) -> ArticleBounced:
    fields: dict[str, object] = {
        "by": KARI,
        "bounce": UUID(int=103),
        "article": QUESTION.id,
        "to": (Address(email="house@help.example"),),
        "original": QUESTION,
        "number": NUMBER,
        "title": TITLE,
        "queue": IT,
    }
    return ArticleBounced.model_validate({**fields, **more})


def rejected(**more: object) -> FollowUpRejected:
    fields: dict[str, object] = {
        "article": UUID(int=104),
        "number": NUMBER,
        "title": TITLE,
        "queue": IT,
        "customer": PER,
        "message_id": "<second@customer.example>",
    }
    return FollowUpRejected.model_validate({**fields, **more})


def expired(was: PersonRef = KARI, because: str = "expired") -> TicketUnlocked:
    return TicketUnlocked(was=was, because=because, due_at=MOMENT, fired_at=MOMENT)


def reached() -> ReminderReached:
    return ReminderReached(due_at=MOMENT, fired_at=MOMENT)


def person(number: int, name: str, **more: object) -> Person:
    fields: dict[str, object] = {
        "id": UUID(int=number),
        "login": name.lower(),
        "name": name,
        "email": f"{name.lower()}@help.example",
        "roles": ("agent",),
    }
    return Person.model_validate({**fields, **more})


def team(*people: Person, rights: tuple[str, ...] = ("read", "work")) -> Queue:
    """The queue with these people as members."""
    members = tuple(Member.model_validate({"person": each.id, "rights": rights}) for each in people)
    return IT_QUEUE.model_copy(update={"members": members})


def knowing(
    *documents: Queue,
    people: Sequence[Person] = (),
    owner: PersonRef | None = None,
    salutations: Sequence[Salutation] = (),
    signatures: Sequence[Signature] = (),
    zone: str = "UTC",
    wanting: Sequence[Person] = (),
    **ticket: Any,
) -> Policies:
    """Policies for which the ticket and these people were looked up; `wanting` are the subscribers."""
    snapshot = queues(*documents)
    configuration = Configuration(
        salutations={each.slug: each for each in salutations}, signatures={each.slug: each for each in signatures}
    )
    builder = MailBuilder(lambda: snapshot, KEY, DOMAIN, lambda: configuration, ZoneInfo(zone))
    made = Policies(builder, lambda: MOMENT)
    made.inputs.tickets[TICKET] = TicketFacts(NUMBER, TITLE, IT, owner, **ticket)
    made.inputs.subscribers.extend(wanting)
    made.inputs.people.update({each.id: each for each in people})
    return made


def given_by(made: Policies, payload: Event, actor: str | None = None) -> list[GiveNotice]:
    """The notices that an event leads to."""
    return [each for each in made.react(recorded(payload, actor=actor)) if isinstance(each, GiveNotice)]


def mails_by(made: Policies, payload: Event, actor: str | None = None) -> list[RequestNotice]:
    """The mails of the notices that an event leads to, if each leaves alone."""
    ticket = made.inputs.tickets.get(TICKET) or TicketFacts(NUMBER, TITLE, IT)
    people = {**made.inputs.people, **{each.id: each for each in made.inputs.subscribers}}
    return [
        mail_of(made.builder, TICKET, ticket, people[held.person], [(given.notice, held.wording, held.details)])
        for given in given_by(made, payload, actor)
        for held in given.mails
    ]


def recorded(payload: Event, event_id: int = 500, actor: str | None = None) -> Recorded:
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
        actor=Actor("agent", actor),
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
    return Policies(MailBuilder(lambda: snapshot, KEY, DOMAIN))
