"""The interface of a client for one mailbox, whatever its protocol. Every method blocks, and runs in the client's own
thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.intake.transports.mailboxes.clients.connection import ServerConnection

MOST_PENDING = 200_000
"""Mails of one visit; the others wait for the next visit."""


@dataclass(frozen=True, slots=True)
class Login:
    """The secret is a password, or an access token of OAuth 2."""

    user: str
    secret: str
    is_token: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder. `uid_validity` 0: its mails have other numbers in the next session. `next_uid` 0: the server does
    not tell."""

    uid_validity: int = 0
    next_uid: int = 0


class MailboxClient(Protocol):
    """Mails have numbers, which stay the same as long as the folder's `uid_validity` does. Methods raise MailboxError,
    OSError or an error of the protocol's library if the server is gone or misbehaves."""

    connection: ServerConnection
    can_idle: bool
    session_limit: int
    """Mails to take before the session is closed."""

    def open(self, login: Login) -> None:
        """Connects and signs in. Raises PermanentMailboxError if only a person can help."""
        ...

    def select(self) -> Folder:
        """Opens the folder, again if it was open. Raises PermanentMailboxError."""
        ...

    def pending(self, seen_until: int) -> list[int]:
        """The mails to fetch, oldest first: those that are not marked as done, and all after `seen_until` (-1:
        unknown)."""
        ...

    def sizes(self, mails: Sequence[int]) -> dict[int, int]:
        """Bytes of each mail; a mail that has gone is left out."""
        ...

    def fetch(self, mail: int, most: int) -> bytes | None:
        """The mail's bytes; nothing changes on the server. None if the mail has gone. Raises MailboxError for more than
        `most` bytes."""
        ...

    def finish(self, mail: int) -> None:
        """Marks, moves or deletes a mail that is stored here, as the mailbox's document says."""
        ...

    def wait_for_mail(self, seconds: float) -> bool:
        """Waits until the server tells of new mail; whether it did."""
        ...

    def close(self) -> None:
        """Ends the session regularly: deleted mails are deleted now."""
        ...
