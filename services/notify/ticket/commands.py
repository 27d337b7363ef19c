"""What notify can be asked to do for a ticket. The mail arrives written: the decider looks nothing up.

`own_addresses` are those of our queues, as `addresses.comparable` writes them: no mail of ours goes there.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from shared.contracts.notify import AnyNotificationKind, OutgoingMail


@dataclass(frozen=True, slots=True)
class RequestReceipt:
    """Tells a customer that the ticket is open."""

    notification: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """Sends an agent's words to the customer; `article` is the message that they stand in."""

    notification: UUID
    article: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestForward:
    """Sends an article with an agent's words to somebody outside; `article` is the message of those words."""

    notification: UUID
    article: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestBounce:
    """Sends a mail on as it came in; `article` is the bounce's own."""

    notification: UUID
    article: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestNotice:
    """Tells agents what has happened to a ticket of theirs or of their queues."""

    notification: UUID
    kind: Literal["lock_expired", "reminder", "new_ticket", "follow_up", "moved"]
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestRejection:
    """Tells a customer that the closed ticket takes no more messages. `before_lately` and `before_today`: how often that was told
    before the last ten minutes, and before the last 24 hours; the rest is what counts."""

    notification: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()
    before_lately: int = 0
    before_today: int = 0


@dataclass(frozen=True, slots=True)
class RequestClosing:
    """Tells a customer that the ticket is closed."""

    notification: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RecordSent:
    """The transport took the mail."""

    notification: UUID
    transport: str
    attempts: int


@dataclass(frozen=True, slots=True)
class RecordWithheld:
    """The mail did not leave, or (`partly`) not to everybody, for a reason that came up while it waited."""

    notification: UUID
    kind: AnyNotificationKind
    reason: str
    partly: bool = False


@dataclass(frozen=True, slots=True)
class RecordDelayed:
    """The mail could not leave for a while; `reason` in the transport's words."""

    notification: UUID
    transport: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """The mail is given up; `reason` in the transport's words."""

    notification: UUID
    transport: str
    attempts: int
    reason: str


Command = (
    RequestReceipt
    | RequestAnswer
    | RequestForward
    | RequestBounce
    | RequestNotice
    | RequestRejection
    | RequestClosing
    | RecordSent
    | RecordWithheld
    | RecordDelayed
    | RecordFailed
)
