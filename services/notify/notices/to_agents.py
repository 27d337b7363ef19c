"""The notices to agents: event, readers, subject and text of each. CONTRIBUTING.md has the recipe for another one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.notify.notices.audience import Audience
from services.notify.notices.declaration import AgentNotice, Occasion
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.writing import mail_body, wording
from shared import templates
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef, Message, PersonRef
from shared.contracts.routing import ReminderReached, TicketMoved, TicketUnlocked

LONGEST_MESSAGE = 4_000
"""Characters of a customer's message in a notice; the ticket has all of it."""


def owner(_: Event, ticket: TicketFacts) -> Sequence[PersonRef | None]:
    return (ticket.owner,)


def responsible_then_owner(_: Event, ticket: TicketFacts) -> Sequence[PersonRef | None]:
    return (ticket.responsible, ticket.owner)


def holder_of_lock(unlocked: TicketUnlocked, _: TicketFacts) -> Sequence[PersonRef | None]:
    return (unlocked.was,)


def has_expired(unlocked: TicketUnlocked) -> bool:
    return unlocked.because == "expired"


def _what_customer_wrote(event: TicketOpened | CustomerMessageReceived, _: Occasion) -> templates.Variables:
    return {"customer": _customer(event.customer), "message": _message(event.message)}


def _customer(customer: CustomerRef) -> Mapping[str, str]:
    return {"name": customer.called, "email": customer.email}


def _message(message: Message) -> Mapping[str, str]:
    text = (message.new_text if message.new_text is not None else message.text).strip()
    return {"text": text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} {wording.LEFT_OUT}"}


def _end_of_lock(unlocked: TicketUnlocked, occasion: Occasion) -> templates.Variables:
    return {"holder": {"name": mail_body.line(unlocked.was.name)}} | _due(
        unlocked.due_at or occasion.event.time, occasion
    )


def _reminder(reached: ReminderReached, occasion: Occasion) -> templates.Variables:
    owner = occasion.ticket.owner
    owns = owner is not None and owner.id in {person.id for person in occasion.readers}
    return {"agent": {"owns": "yes" if owns else ""}} | _due(reached.due_at, occasion)


def _due(when: datetime, occasion: Occasion) -> dict[str, Mapping[str, str]]:
    return {"time": {"due": mail_body.moment(when, occasion.zone)}}


TO_AGENTS: Sequence[AgentNotice[Any]] = (
    AgentNotice(
        kind="new_ticket",
        event=TicketOpened,
        to=Audience(subscription="new_ticket"),
        subject="New ticket",
        text="""\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

{{ customer.name }} has a new ticket {{ ticket.number }} in {{ queue.name }}:

    {{ ticket.title }}

{{ message.text }}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
""",
        variables=_what_customer_wrote,
    ),
    AgentNotice(  # to whoever is responsible for the ticket or owns it (A6.11), and to those who want to know
        kind="follow_up",
        event=CustomerMessageReceived,
        to=Audience(responsible_then_owner, "if all candidates have left", "follow_up"),
        subject="New message",
        text="""\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

{{ customer.name }} wrote on ticket {{ ticket.number }} in {{ queue.name }}:

    {{ ticket.title }}

{{ message.text }}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
""",
        variables=_what_customer_wrote,
    ),
    AgentNotice(  # it does not name the queue that the ticket came from: its readers may not know that one
        kind="moved",
        event=TicketMoved,
        to=Audience(subscription="moved"),
        subject="Moved here",
        text="""\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

Ticket {{ ticket.number }} was moved to {{ queue.name }}:

    {{ ticket.title }}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
""",
    ),
    AgentNotice(  # A6.06
        kind="lock_expired",
        event=TicketUnlocked,
        when=has_expired,
        to=Audience(holder_of_lock),
        subject="Your lock has expired",
        text="""\
Hello {{ agent.name }},

Your lock on ticket {{ ticket.number }} in {{ queue.name }} ended at {{ time.due }}, because its time was over:

    {{ ticket.title }}

Others can work on the ticket now. To go on with it, please lock it again.

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
""",
        variables=_end_of_lock,
    ),
    AgentNotice(
        kind="lock_expired",
        distinct="those who want to know",
        event=TicketUnlocked,
        when=has_expired,
        to=Audience(subscription="lock_expired"),
        subject="A lock has expired",
        text="""\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

The lock of {{ holder.name }} on ticket {{ ticket.number }} in {{ queue.name }} ended at {{ time.due }}, because its \
time was over:

    {{ ticket.title }}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
""",
        variables=_end_of_lock,
    ),
    AgentNotice(  # A5.05, A3.14
        kind="reminder",
        event=ReminderReached,
        to=Audience(owner, "if nobody else"),
        subject="Reminder",
        text="""\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

Ticket {{ ticket.number }} in {{ queue.name }} was to wait until {{ time.due }}. That time has come:

    {{ ticket.title }}

{% if agent.owns %}You own it.{% else %}Nobody owns it.{% endif %}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
""",
        variables=_reminder,
    ),
)

KINDS_TO_AGENTS = frozenset(notice.kind for notice in TO_AGENTS)


def notices_about(event: Event) -> list[AgentNotice[Any]]:
    """The notices to which this event may lead, in the order in which they are decided."""
    return [notice for notice in TO_AGENTS if isinstance(event, notice.event) and notice.when(event)]
