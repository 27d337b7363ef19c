"""Events that notify records: who is notified, with which text, and whether it arrived."""

from typing import Annotated, Literal
from uuid import UUID

from shared.contracts.event import Event, Value, event
from shared.contracts.marks.open_values import Known
from shared.contracts.marks.personal import Personal
from shared.contracts.parts import Address, Attachment, Blob, RuleRef
from shared.contracts.topics import TICKETS

NotificationKind = Literal[
    "receipt", "answer", "forward", "bounce", "lock_expired", "reminder", "follow_up_rejected", "closed", "new_ticket",
    "follow_up", "moved", "rule", "rule_to_customer", "rule_suspended", "deadline_warned", "deadline_broken", "assigned"
]  # fmt: skip
AnyNotificationKind = Annotated[str, Known(NotificationKind)]
NotificationChannel = Literal["email"]


class OutgoingMail(Value):
    """A mail exactly as it will be sent.

    `message_id` is derived from the notification, so that a repeat is recognisable.

    `html` is safe, and never without a text. `resent`: a mail of somebody else that is sent unchanged, below header
    fields made of `message_id`, `sender` and `to`; then `text` is empty and `subject` is that of the original. `queue`:
    the queue that sends it.
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
    """A recipient who does not get a mail, and the reason as text."""

    recipient: Personal[str]
    reason: str


@event("helpdesk.NotificationRequested.v1", owner="notify", topic=TICKETS)
class NotificationRequested(Event):
    """A message will be sent. `article`: the article that it carries.

    An automatic message to the customer (`receipt`, `closed`, `rule_to_customer`) is an article of its own. A notice that
    is not an article (all other automatic kinds) has its own id as `article`. `left_out`: requested recipients who do
    not get it.
    """

    notification: UUID
    kind: AnyNotificationKind
    channel: Annotated[str, Known(NotificationChannel)] = "email"
    article: UUID
    mail: OutgoingMail
    left_out: tuple[LeftOut, ...] = ()


@event("helpdesk.NotificationSent.v1", owner="notify", topic=TICKETS)
class NotificationSent(Event):
    """The transport accepted the message. `attempts` counts all attempts."""

    notification: UUID
    transport: str
    attempts: int = 1


@event("helpdesk.NotificationDelayed.v1", owner="notify", topic=TICKETS)
class NotificationDelayed(Event):
    """The message is delayed and is tried again; recorded once. `reason`: the transport's answer."""

    notification: UUID
    transport: str
    attempts: int
    reason: Personal[str]


@event("helpdesk.NotificationFailed.v1", owner="notify", topic=TICKETS)
class NotificationFailed(Event):
    """The message was given up; a person should look at it. `reason`: the transport's answer."""

    notification: UUID
    transport: str
    attempts: int
    reason: Personal[str]


@event("helpdesk.NotificationSuppressed.v1", owner="notify", topic=TICKETS)
class NotificationSuppressed(Event):
    """A message was not sent because of a rule (an unusable address, a loop)."""

    kind: AnyNotificationKind
    article: UUID
    reason: str


@event("helpdesk.NoticeGiven.v1", owner="notify", topic=TICKETS)
class NoticeGiven(Event):
    """Agents have a notice about the ticket (A10.05): in their list of notices, and by mail if they want to.

    `people`: the ids of those who have it. `kind`: as of notifications. `cause`: the event that it is about.
    `substitutes_for`: of people who are away and whose substitutes are among `people` (A21.01). `rule`: the trigger, if
    the notice is about one.
    """

    notice: UUID
    kind: AnyNotificationKind
    people: tuple[UUID, ...]
    cause: UUID
    substitutes_for: tuple[UUID, ...] = ()
    rule: RuleRef | None = None
