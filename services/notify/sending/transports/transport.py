"""What the sender needs of a transport, such as SMTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.notify.sending.domain_queues import Limits
from services.notify.writing.message import EncodedMail


class TemporaryFailure(Exception):
    """Nobody got the mail, but a later attempt may succeed. The message is the transport's reply.

    `throttled`: the server throttles mail to the recipients' domain; `recipient`: about whom it said so, if that was
    one of them.
    """

    def __init__(self, message: str, *, throttled: bool = False, recipient: str = "") -> None:
        super().__init__(message)
        self.throttled, self.recipient = throttled, recipient


class ServerUnavailable(TemporaryFailure):
    """The server takes no mail at all now. The reason does not lie in this mail."""


class PermanentFailure(Exception):
    """Nobody will ever get this mail. The message is the transport's reply."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The transport took the mail, except for these recipients.

    `deferred` and `refused` map recipients to replies: to those who may get it later, and to those who never will.
    `throttled`: recipients for whose domains the server throttles us.
    """

    deferred: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    throttled: tuple[str, ...] = ()


class Transport(Protocol):
    """`name` stands in events and metrics. `parallel`: mails at a time; `limits`: those to one domain."""

    name: str
    parallel: int
    limits: Limits

    async def send(self, mail: EncodedMail, *, again: bool) -> SendResult:
        """Hands the mail over: on return somebody else is responsible for it. `again`: it may have left before.

        Raises TemporaryFailure, ServerUnavailable and PermanentFailure.
        """
        ...

    async def close_idle(self) -> None:
        """Called while there is little to do, to close connections that are not needed."""

    async def close(self) -> None: ...
