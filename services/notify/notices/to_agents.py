"""The notices to agents: event, readers, subject and text of each. CONTRIBUTING.md has the recipe for another one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.notify.notices.audience import Audience
from services.notify.notices.declaration import AgentNotice
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.writing import mail_body, wording
from shared import templates
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef, Message, PersonRef
from shared.contracts.routing import (
    DeadlineBroken,
    DeadlineWarned,
    OwnerChanged,
    ReminderReached,
    ResponsibleChanged,
    RuleSuspended,
    TicketMoved,
    TicketUnlocked,
)
from shared.languages.translator import N_

LONGEST_MESSAGE = 4_000
"""Characters of a customer's message in a notice; the ticket has all of it."""


def owner(_: Event, ticket: TicketFacts) -> Sequence[PersonRef | None]:
    return (ticket.owner,)


def responsible_then_owner(_: Event, ticket: TicketFacts) -> Sequence[PersonRef | None]:
    return (ticket.responsible, ticket.owner)


def owner_then_responsible(_: Event, ticket: TicketFacts) -> Sequence[PersonRef | None]:
    return (ticket.owner, ticket.responsible)


def holder_of_lock(unlocked: TicketUnlocked, _: TicketFacts) -> Sequence[PersonRef | None]:
    return (unlocked.was,)


def new_holder(changed: OwnerChanged | ResponsibleChanged, _: TicketFacts) -> Sequence[PersonRef | None]:
    return (changed.to,)


def has_expired(unlocked: TicketUnlocked) -> bool:
    return unlocked.because == "expired"


def _what_customer_wrote(event: TicketOpened | CustomerMessageReceived) -> templates.Variables:
    return {"customer": _customer(event.customer), "message": _message(event.message)}


def _customer(customer: CustomerRef) -> Mapping[str, str]:
    return {"name": customer.called, "email": customer.email}


def _message(message: Message) -> Mapping[str, str]:
    text = (message.new_text if message.new_text is not None else message.text).strip()
    return {"text": text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]} {wording.LEFT_OUT}"}


def _end_of_lock(unlocked: TicketUnlocked) -> templates.Variables:
    return {"holder": {"name": mail_body.line(unlocked.was.name)}} | _due(unlocked.due_at or unlocked.fired_at)


def _reminder(reached: ReminderReached) -> templates.Variables:
    return _due(reached.due_at)


def _deadline(event: DeadlineWarned | DeadlineBroken) -> templates.Variables:
    return {"deadline": {"clock": event.clock, "sla": mail_body.line(event.sla.name)}} | _due(event.due_at)


def _due(when: datetime | None) -> dict[str, Mapping[str, str]]:
    return {"time": {"due": when.isoformat()} if when is not None else {}}


RULE_SUSPENDED = AgentNotice(  # its readers are the administrators: `deciding.suspended_rules`
    kind="rule_suspended",
    event=RuleSuspended,
    to=Audience(),
    subject=N_("A rule was switched off"),
    text=N_("""\
The rule "{{ rule.name }}" was switched off, because it could not do on this ticket what it says. {{ rule.reason }}

It acts again once an administrator has corrected it.
"""),
)

TO_AGENTS: Sequence[AgentNotice[Any]] = (
    AgentNotice(
        kind="new_ticket",
        event=TicketOpened,
        to=Audience(subscription="new_ticket"),
        subject=N_("New ticket"),
        text=N_("""\
{{ customer.name }} has opened this ticket:

{{ message.text }}
"""),
        variables=_what_customer_wrote,
    ),
    AgentNotice(  # to whoever is responsible for the ticket or owns it (A6.11), and to those who want to know
        kind="follow_up",
        event=CustomerMessageReceived,
        to=Audience(responsible_then_owner, "if all candidates have left", "follow_up"),
        subject=N_("New message"),
        text=N_("""\
{{ customer.name }} wrote:

{{ message.text }}
"""),
        variables=_what_customer_wrote,
    ),
    AgentNotice(  # it does not name the queue that the ticket came from: its readers may not know that one
        kind="moved",
        event=TicketMoved,
        to=Audience(subscription="moved"),
        subject=N_("Moved here"),
        text=N_("""\
The ticket was moved to {{ queue.name }}.
"""),
    ),
    AgentNotice(
        kind="assigned",
        event=OwnerChanged,
        to=Audience(new_holder),
        subject=N_("Your ticket"),
        text=N_("""\
You own this ticket now.
"""),
        mailed="assigned",
    ),
    AgentNotice(
        kind="assigned",
        distinct="responsible",
        event=ResponsibleChanged,
        to=Audience(new_holder),
        subject=N_("Your ticket"),
        text=N_("""\
You are responsible for this ticket now.
"""),
        mailed="assigned",
    ),
    AgentNotice(  # A6.06
        kind="lock_expired",
        event=TicketUnlocked,
        when=has_expired,
        to=Audience(holder_of_lock),
        subject=N_("Your lock has expired"),
        text=N_("""\
Your lock on this ticket ended{% if time.due %} on {{ time.due }}{% endif %}, because its time was over.

Others can work on the ticket now. To go on with it, please lock it again.
"""),
        variables=_end_of_lock,
    ),
    AgentNotice(
        kind="lock_expired",
        distinct="those who want to know",
        event=TicketUnlocked,
        when=has_expired,
        to=Audience(subscription="lock_expired"),
        subject=N_("A lock has expired"),
        text=N_("""\
The lock of {{ holder.name }} on this ticket ended{% if time.due %} on {{ time.due }}{% endif %}, because its time was \
over.
"""),
        variables=_end_of_lock,
    ),
    AgentNotice(  # A5.05, A3.14
        kind="reminder",
        event=ReminderReached,
        to=Audience(owner, "if nobody else"),
        subject=N_("Reminder"),
        text=N_("""\
The ticket was to wait until {{ time.due }}. That time has come.

{% if agent.owns %}You own it.{% elif ticket.owner %}{{ ticket.owner }} owns it.{% else %}Nobody owns it.{% endif %}
"""),
        variables=_reminder,
    ),
    AgentNotice(
        kind="deadline_warned",
        event=DeadlineWarned,
        to=Audience(owner_then_responsible, "if nobody else", "escalated"),
        subject=N_("A deadline is near"),
        text=N_("""\
{% if deadline.clock == "first_answer" %}The first answer{% elif deadline.clock == "update" %}The answer to the \
customer's message{% elif deadline.clock == "solution" %}The solution{% else %}The work{% endif %} is due by \
{{ time.due }} ({{ deadline.sla }}).
"""),
        variables=_deadline,
        mailed="escalated",
    ),
    AgentNotice(
        kind="deadline_broken",
        event=DeadlineBroken,
        to=Audience(owner_then_responsible, "if nobody else", "escalated"),
        subject=N_("A deadline is over"),
        text=N_("""\
{% if deadline.clock == "first_answer" %}The first answer{% elif deadline.clock == "update" %}The answer to the \
customer's message{% elif deadline.clock == "solution" %}The solution{% else %}The work{% endif %} was due by \
{{ time.due }} ({{ deadline.sla }}). That time is over.
"""),
        variables=_deadline,
        mailed="escalated",
    ),
    RULE_SUSPENDED,
)

KINDS_TO_AGENTS = frozenset(notice.kind for notice in TO_AGENTS)
BY_WORDING: Mapping[str, AgentNotice[Any]] = {notice.wording: notice for notice in TO_AGENTS}


def notices_about(event: Event) -> list[AgentNotice[Any]]:
    """The notices to which this event may lead, in the order in which they are decided."""
    return [notice for notice in TO_AGENTS if isinstance(event, notice.event) and notice.when(event)]
