"""What the sender needs of a way out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.notify.sending.domain_queues import Limits
from services.notify.writing.message import Letter


class TemporaryFailure(Exception):
    """Nobody got the mail, but the same attempt may succeed later; the message is the transport's own answer. `patience`: it asks for
    patience with the recipients' domain; `recipient`: of whom it was said, where that was one of them."""

    def __init__(self, message: str, *, patience: bool = False, recipient: str = "") -> None:
        super().__init__(message)
        self.patience, self.recipient = patience, recipient


class Away(TemporaryFailure):
    """There is nobody who would take any mail now: that says nothing about this one."""


class PermanentFailure(Exception):
    """Nobody will ever get this mail; the message is the transport's own answer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The transport answers for the mail, except for these recipients and what was said of them; for those in `patience` a server asks to
    slow down."""

    later: Mapping[str, str] = field(default_factory=dict)
    never: Mapping[str, str] = field(default_factory=dict)
    patience: tuple[str, ...] = ()


class Transport(Protocol):
    """`parallel`: how many mails it takes at a time; `limits`: how many of one domain."""

    name: str
    parallel: int
    limits: Limits

    async def send(self, letter: Letter, *, again: bool) -> Taken:
        """Hands the mail over; on return somebody else is responsible for it. `again`: it may have left before.

        Raises TemporaryFailure, Away and PermanentFailure.
        """
        ...

    async def rest(self) -> None:
        """Called now and then while there is little to do, to give back what is not needed."""

    async def close(self) -> None: ...
