"""What the sender needs of a way out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.notify.message import Letter


class TemporaryFailure(Exception):
    """Nobody got the mail, but the same attempt may succeed later; the message is the transport's own answer."""


class PermanentFailure(Exception):
    """Nobody will ever get this mail; the message is the transport's own answer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The transport answers for the mail, except for these recipients and what was said of them."""

    later: Mapping[str, str] = field(default_factory=dict)
    never: Mapping[str, str] = field(default_factory=dict)


class Transport(Protocol):
    """`parallel`: how many mails it takes at a time."""

    name: str
    parallel: int

    async def send(self, letter: Letter, *, again: bool) -> Taken:
        """Hands the mail over; on return somebody else is responsible for it. `again`: it may have left before.

        Raises TemporaryFailure and PermanentFailure.
        """
        ...

    async def rest(self) -> None:
        """Called now and then while there is little to do, to give back what is not needed."""

    async def close(self) -> None: ...
