"""What a trigger's condition looks at, folded from the history of a ticket.

Only routing's own events count, as in the decisions in which triggers are really judged.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import singledispatch
from typing import Any
from uuid import UUID

from shared.automation.facts import Facts
from shared.clocks import deadlines
from shared.clocks.deadlines import Deadlines
from shared.contracts.event import Event
from shared.contracts.parts import AnyChannel, CustomerRef, StateRef
from shared.contracts.routing import (
    CustomerChanged,
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
    FieldsChanged,
    MergeUndone,
    OwnerChanged,
    PriorityChanged,
    StateChanged,
    TagsAdded,
    TagsRemoved,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketRenamed,
)
from shared.rules.states import MERGED, NEW, REMOVED

NOBODY = CustomerRef(id=UUID(int=0), email="")


@dataclass(slots=True)
class PastTicket:
    """A ticket after some of its events."""

    queue: str = ""
    state: StateRef = NEW
    priority: int = 3
    owner: UUID | None = None
    customer: CustomerRef = NOBODY
    channel: AnyChannel = "api"
    topic: str | None = None
    title: str = ""
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    deadlines: Deadlines = field(default_factory=dict)

    def facts(self, actor: str, at: datetime, text: str = "", sender: str = "") -> Facts:
        """What a condition looks at, if this actor did something at this time. `text`: what was written."""
        return Facts(
            queue=self.queue,
            state=self.state.slug,
            state_type=self.state.type,
            priority=self.priority,
            channel=self.channel,
            title=self.title,
            actor=actor,
            at=at,
            owner=self.owner,
            customer=self.customer,
            company=self.customer.company,
            topic=self.topic,
            tags=self.tags,
            fields=self.fields,
            escalated=deadlines.escalated(self.deadlines.values()),
            text=text,
            sender=sender,
        )


@singledispatch
def change(event: Event, ticket: PastTicket) -> None:
    """Changes the ticket as the event did. Events that nothing is registered for change nothing here."""


@change.register
def _(event: TicketQueued, ticket: PastTicket) -> None:
    ticket.queue, ticket.state, ticket.priority = event.queue.slug, event.state, event.priority
    ticket.customer, ticket.channel, ticket.title = event.customer, event.channel, event.title
    ticket.topic = event.topic.slug if event.topic else None
    ticket.tags, ticket.fields = event.tags, dict(event.fields)


@change.register
def _(event: TicketMoved, ticket: PastTicket) -> None:
    ticket.queue = event.to.slug


@change.register
def _(event: StateChanged, ticket: PastTicket) -> None:
    ticket.state = event.to


@change.register
def _(event: TicketMerged, ticket: PastTicket) -> None:
    ticket.state = MERGED


@change.register
def _(event: MergeUndone, ticket: PastTicket) -> None:
    ticket.state = event.state


@change.register
def _(event: TicketRemoved, ticket: PastTicket) -> None:
    ticket.state = REMOVED


@change.register
def _(event: PriorityChanged, ticket: PastTicket) -> None:
    ticket.priority = event.to


@change.register
def _(event: OwnerChanged, ticket: PastTicket) -> None:
    ticket.owner = event.to.id if event.to else None


@change.register
def _(event: CustomerChanged, ticket: PastTicket) -> None:
    ticket.customer = event.to


@change.register
def _(event: TicketRenamed, ticket: PastTicket) -> None:
    ticket.title = event.to


@change.register
def _(event: TagsAdded, ticket: PastTicket) -> None:
    ticket.tags = (*ticket.tags, *(tag for tag in event.tags if tag not in ticket.tags))


@change.register
def _(event: TagsRemoved, ticket: PastTicket) -> None:
    ticket.tags = tuple(tag for tag in ticket.tags if tag not in event.tags)


@change.register
def _(event: FieldsChanged, ticket: PastTicket) -> None:
    changed = {**ticket.fields, **event.values}
    ticket.fields = {name: value for name, value in changed.items() if value is not None}


@change.register(DeadlinesChanged)
@change.register(DeadlineWarned)
@change.register(DeadlineBroken)
def _(event: Event, ticket: PastTicket) -> None:
    ticket.deadlines = deadlines.apply(ticket.deadlines, event)


CHANGING: tuple[str, ...] = tuple(cls.TYPE for cls in change.registry if issubclass(cls, Event) and cls is not Event)
"""The types of events that change something here: of all others, nothing is read but that they happened."""
