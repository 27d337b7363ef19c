"""What notify can be asked to do for a ticket. Mails arrive fully written: the decider looks nothing up.

`own_addresses` are those of our queues, as `addresses.comparable` writes them: we send no mail to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from shared.contracts.notify import AnyNotificationKind, NotificationKind, OutgoingMail
from shared.contracts.parts import RuleRef


@dataclass(frozen=True, slots=True)
class RequestAgentMail:
    """Sends what an agent has written or sends on; `article` is the article of the mail."""

    kind: Literal["answer", "forward", "bounce"]
    notification: UUID
    article: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestReceipt:
    """Tells a customer that the ticket is open."""

    notification: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestRejection:
    """Tells a customer that the closed ticket takes no more messages.

    `older_than_ten_minutes` and `older_than_a_day`: how often the customer was told that before the last ten minutes,
    and before the last 24 hours. Only newer ones count against the limits.
    """

    notification: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()
    older_than_ten_minutes: int = 0
    older_than_a_day: int = 0


@dataclass(frozen=True, slots=True)
class RequestClosing:
    """Tells a customer that the ticket is closed."""

    notification: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HeldNotice:
    """A notice that is to reach somebody by mail, once the mail has waited for others of the ticket.

    `wording` names the text, `details` are its variables.
    """

    person: UUID
    wording: str
    details: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class GiveNotice:
    """Records who has a notice in their list. `mails`: those of them who get it by mail too, unless another mail of the
    same decision brings it. They are rows beside the event (`deciding.held_notices`)."""

    notice: UUID
    kind: NotificationKind
    people: tuple[UUID, ...]
    cause: UUID
    substitutes_for: tuple[UUID, ...] = ()
    rule: RuleRef | None = None
    mails: tuple[HeldNotice, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestNotice:
    """Sends a mail to agents about a ticket of theirs or of their queues."""

    notification: UUID
    kind: NotificationKind
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestRuleMail:
    """Sends a mail of a trigger to the customer or to an address.

    `older_than_a_day`: how many mails of triggers about the ticket its recipient got before the last 24 hours. Only
    newer ones count against the limit.
    """

    notification: UUID
    kind: Literal["rule", "rule_to_customer"]
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()
    older_than_a_day: int = 0


@dataclass(frozen=True, slots=True)
class RefuseMail:
    """Records that a mail cannot be written, and why."""

    notification: UUID
    kind: NotificationKind
    reason: str


@dataclass(frozen=True, slots=True)
class OnTicket:
    """Another stream's event leads to a command for this ticket."""

    ticket: UUID
    command: "Command"


@dataclass(frozen=True, slots=True)
class RequestReportMail:
    """Sends a report. The stream is that of the run and no ticket's."""

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
    """The mail did not leave, or (`partly`) did not leave for every reader, for a reason that came up while it
    waited."""

    notification: UUID
    kind: AnyNotificationKind
    reason: str
    partly: bool = False


@dataclass(frozen=True, slots=True)
class RecordDelayed:
    """The mail has waited for a while; `reason` is the transport's reply."""

    notification: UUID
    transport: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """The mail is given up; `reason` is the transport's reply."""

    notification: UUID
    transport: str
    attempts: int
    reason: str


Command = (
    RequestAgentMail
    | RequestReceipt
    | RequestRejection
    | RequestClosing
    | GiveNotice
    | RequestNotice
    | RequestRuleMail
    | RefuseMail
    | OnTicket
    | RequestReportMail
    | RecordSent
    | RecordWithheld
    | RecordDelayed
    | RecordFailed
)
