"""A mailbox on its server as fetching sees it, whatever the protocol. Every method blocks and runs in a thread of the box's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.intake.transports.mailboxes.clients.connection import Wire

MOST_BYTES = 40 * 1024 * 1024
"""Bytes of one mail, as at the other doors; a larger one stays on its server."""

MOST_WAITING = 200_000
"""Mails of one visit; the rest waits for the next."""


@dataclass(frozen=True, slots=True)
class Login:
    """The secret of a mailbox, as its protocol wants it: a password, or an access token of OAuth 2."""

    user: str
    secret: str
    is_token: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A folder as it was opened. `uid_validity` 0: its numbers mean nothing another time; `next_uid` 0: the server does not tell."""

    uid_validity: int = 0
    next_uid: int = 0


class Box(Protocol):
    """Mails are named by numbers, which mean the same another time if the folder's `uid_validity` is the same. Every method raises what says that the server is not
    there or misbehaves: Trouble, OSError, the protocol library's errors."""

    wire: Wire
    can_idle: bool
    most_at_once: int
    """Mails to take before the session is closed."""

    def open(self, login: Login) -> None:
        """Connects and signs in. Raises Refused when only a person can help."""
        ...

    def select(self) -> Opened:
        """Opens the folder, anew if it was open. Raises Refused."""
        ...

    def waiting(self, seen_until: int) -> list[int]:
        """The mails to fetch, oldest first: those not dealt with, and all that came after `seen_until` (-1: no matter)."""
        ...

    def sizes(self, mails: Sequence[int]) -> dict[int, int]:
        """Bytes of each; one that has gone meanwhile is missing."""
        ...

    def read(self, mail: int, most: int) -> bytes | None:
        """The mail's bytes, and nothing changes on the server; None when it has gone. Raises Trouble for more than `most` bytes."""
        ...

    def done(self, mail: int) -> None:
        """The mail is safe here: it is marked, moved or deleted, as the document says."""
        ...

    def news(self, seconds: float) -> bool:
        """Waits for new mail; whether there is some."""
        ...

    def close(self) -> None:
        """Ends the session in peace: what was deleted is deleted now."""
        ...
