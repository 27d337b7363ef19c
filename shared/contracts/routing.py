"""Events that routing records: everything the desk does with a ticket."""

from datetime import datetime
from uuid import UUID

from shared.contracts.event import Event, event
from shared.contracts.parts import Channel, CustomerRef, Message, PersonRef, QueueRef, StateRef
from shared.contracts.personal import Personal
from shared.contracts.topics import TICKETS


@event("helpdesk.TicketQueued.v1", owner="routing", topic=TICKETS)
class TicketQueued(Event):
    """The ticket stands in its queue and takes commands. `message_id` is the opening mail's, for threading answers."""

    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    state: StateRef
    priority: int
    channel: Channel
    message_id: Personal[str] | None = None


@event("helpdesk.TicketLocked.v1", owner="routing", topic=TICKETS)
class TicketLocked(Event):
    """The ticket is locked to a person (A6.02)."""

    by: PersonRef
    taken_over_from: PersonRef | None = None
    reason: Personal[str] = ""


@event("helpdesk.TicketUnlocked.v1", owner="routing", topic=TICKETS)
class TicketUnlocked(Event):
    """The lock ended. `because` is `released`, `closed` or, later, another word of the desk."""

    was: PersonRef
    because: str = "released"


@event("helpdesk.OwnerChanged.v1", owner="routing", topic=TICKETS)
class OwnerChanged(Event):
    """Somebody else answers for the ticket now (A6.01); null is the system."""

    to: PersonRef | None
    was: PersonRef | None = None


@event("helpdesk.StateChanged.v1", owner="routing", topic=TICKETS)
class StateChanged(Event):
    """The ticket moved to another state. `pending_until` is set for pending states only."""

    to: StateRef
    was: StateRef
    pending_until: datetime | None = None
    by: PersonRef | None = None


@event("helpdesk.AgentReplied.v1", owner="routing", topic=TICKETS)
class AgentReplied(Event):
    """An agent answered the customer. Carries what notify needs to write the mail: queue, customer, number, title, thread."""

    by: PersonRef
    message: Message
    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    references: Personal[tuple[str, ...]] = ()


@event("helpdesk.NoteAdded.v1", owner="routing", topic=TICKETS)
class NoteAdded(Event):
    """A note; an internal one never leaves the desk (A7.10). `kind` is `note`, `close` or `reopen`: the form it came from."""

    by: PersonRef
    message: Message
    internal: bool = True
    kind: str = "note"


@event("helpdesk.CustomerAnswered.v1", owner="routing", topic=TICKETS)
class CustomerAnswered(Event):
    """The desk took note of a customer's further message; `article` is that message's id."""

    article: UUID
    message_id: Personal[str] | None = None


@event("helpdesk.TimeAccounted.v1", owner="routing", topic=TICKETS)
class TimeAccounted(Event):
    """Work on the ticket, in the desk's time units (A16.01)."""

    by: PersonRef
    units: float
    article: UUID | None = None
