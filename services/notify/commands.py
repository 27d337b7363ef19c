"""What notify can be asked to do for a ticket. The mail arrives written: the decider looks nothing up."""

from dataclasses import dataclass
from uuid import UUID

from shared.contracts.notify import OutgoingMail


@dataclass(frozen=True, slots=True)
class RequestReceipt:
    """Tells a customer that the ticket is open. `own_addresses` are those of our queues, in lower case."""

    notification: UUID
    mail: OutgoingMail
    own_addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """Sends an agent's words to the customer; `article` is the message that they stand in."""

    notification: UUID
    article: UUID
    mail: OutgoingMail


@dataclass(frozen=True, slots=True)
class RecordSent:
    """The transport took the mail."""

    notification: UUID
    transport: str
    attempts: int


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """The mail is given up; `reason` in the transport's words."""

    notification: UUID
    transport: str
    attempts: int
    reason: str


Command = RequestReceipt | RequestAnswer | RecordSent | RecordFailed
