"""Events that notify records: who is told, in which words, and whether it arrived."""

from typing import Annotated, Literal
from uuid import UUID

from shared.contracts.event import Event, Value, event
from shared.contracts.open_values import Known
from shared.contracts.parts import Address, Attachment, Blob
from shared.contracts.personal import Personal
from shared.contracts.topics import TICKETS

NotificationKind = Literal[
    "receipt", "answer", "forward", "bounce", "lock_expired", "reminder", "follow_up_rejected", "closed", "new_ticket", "follow_up", "moved"
]  # fmt: skip
AnyNotificationKind = Annotated[str, Known(NotificationKind)]
NotificationChannel = Literal["email"]


class OutgoingMail(Value):
    """A mail exactly as it will leave; `message_id` is derived from the notification, so that a repeat is recognisable.

    `html` is safe and stands beside the text, never without it. `resent` is somebody else's mail, which leaves as it came in, below
    fields that are made of `message_id`, `sender` and `to`; then the mail has no text of its own and `subject` is the original's.
    `queue` is the queue in whose name it leaves.
    """

    message_id: str
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    subject: Personal[str]
    text: Personal[str]
    html: Personal[str] | None = None
    reply_to: Address | None = None
    in_reply_to: Personal[str] | None = None
    references: Personal[tuple[str, ...]] = ()
    auto_submitted: str | None = None
    attachments: tuple[Attachment, ...] = ()
    resent: Blob | None = None
    queue: UUID | None = None


class LeftOut(Value):
    """A recipient whom a mail of ours does not go to, and why, in words."""

    recipient: Personal[str]
    reason: str


@event("helpdesk.NotificationRequested.v1", owner="notify", topic=TICKETS)
class NotificationRequested(Event):
    """A message is to leave. `article` is the article it carries; what the customer is told by itself (`receipt`, `closed`) is an article of
    its own.

    A notice that is no article (`lock_expired`, `reminder`, `follow_up_rejected`, `new_ticket`, `follow_up`, `moved`) names itself there.
    `left_out` are recipients that were asked for.
    """

    notification: UUID
    kind: AnyNotificationKind
    channel: Annotated[str, Known(NotificationChannel)] = "email"
    article: UUID
    mail: OutgoingMail
    left_out: tuple[LeftOut, ...] = ()


@event("helpdesk.NotificationSent.v1", owner="notify", topic=TICKETS)
class NotificationSent(Event):
    """The transport took the message. `attempts` counts every try."""

    notification: UUID
    transport: str
    attempts: int = 1


@event("helpdesk.NotificationDelayed.v1", owner="notify", topic=TICKETS)
class NotificationDelayed(Event):
    """The message has waited for a while and goes on being tried; told once. `reason` is the transport's own answer."""

    notification: UUID
    transport: str
    attempts: int
    reason: Personal[str]


@event("helpdesk.NotificationFailed.v1", owner="notify", topic=TICKETS)
class NotificationFailed(Event):
    """The message was given up; a person should look. `reason` is the transport's own answer."""

    notification: UUID
    transport: str
    attempts: int
    reason: Personal[str]


@event("helpdesk.NotificationSuppressed.v1", owner="notify", topic=TICKETS)
class NotificationSuppressed(Event):
    """A message that would have left, did not, for a reason of the rules (an unusable address, a loop)."""

    kind: AnyNotificationKind
    article: UUID
    reason: str
