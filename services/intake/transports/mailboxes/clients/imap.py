"""A mailbox over IMAP (RFC 3501), with UIDs, IDLE (RFC 2177), MOVE (RFC 6851) and UIDPLUS (RFC 4315) where the server
has them."""

import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from imapclient import DELETED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, IMAPClientReadOnlyError, LoginError
from imapclient.imap4 import IMAP4WithTimeout

from services.intake.transports.mailboxes.clients.client import MOST_PENDING, Folder, Login
from services.intake.transports.mailboxes.clients.connection import CONNECT_SECONDS, SILENCE_SECONDS, ServerConnection
from services.intake.transports.mailboxes.destinations import Destinations
from services.intake.transports.mailboxes.errors import MailboxError, PermanentMailboxError, describe
from shared.contracts.directory import Mailbox
from shared.loopback import is_loopback

WINDOW = 10_000
"""Mails that one search covers, so that the server's answer, one line, has a bounded length."""
MOST_WINDOWS = 500
LAST_UID = 2**32 - 1
"""Used instead of `*`: a range up to `*` always contains the folder's last mail (RFC 3501, section 6.4.8)."""

# The library logs every line of the protocol, and so the words of mails.
logging.getLogger("imapclient").setLevel(logging.WARNING)


class _Protocol(IMAP4WithTimeout):  # type: ignore[misc]
    """The standard library's protocol over our connection, which bounds the size of answers."""

    def __init__(self, connection: ServerConnection, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._connection, self._context = connection, context
        super().__init__(host, port, CONNECT_SECONDS)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._connection.connect(self.host, self.port, self._context)

    def read(self, size: int) -> bytes:
        self._connection.count(size)  # before anything is read, because the server has named the size
        data: bytes = super().read(size)
        return data

    def readline(self) -> bytes:
        line: bytes = super().readline()
        self._connection.count(len(line))
        return line


class _Client(IMAPClient):  # type: ignore[misc]
    def __init__(self, connection: ServerConnection, mailbox: Mailbox, context: ssl.SSLContext) -> None:
        self._connection = connection
        super().__init__(
            mailbox.host,
            mailbox.port,
            ssl=mailbox.tls == "implicit",
            ssl_context=context,
            timeout=SILENCE_SECONDS,
        )

    def _create_IMAP4(self) -> _Protocol:
        return _Protocol(self._connection, self.host, self.port, self.ssl_context if self.ssl else None)


class ImapClient:
    """One open folder. `context` checks certificates."""

    can_idle = False
    session_limit = MOST_PENDING

    def __init__(self, mailbox: Mailbox, context: ssl.SSLContext, destinations: Destinations) -> None:
        self.mailbox, self.context, self.connection = mailbox, context, ServerConnection(destinations)
        self._imap: Any = None
        self._exists = 0
        self._can_move = self._can_expunge = False

    def open(self, login: Login) -> None:
        self.connection.expect()
        try:
            imap = self._imap = _Client(self.connection, self.mailbox, self.context)
        except OSError:
            raise
        except Exception:  # its text would repeat what some other server said
            raise MailboxError("this is not an IMAP server") from None
        if self.mailbox.tls == "starttls":
            if not imap.has_capability("STARTTLS"):
                raise PermanentMailboxError(
                    "the server does not offer STARTTLS, and passwords and mails are not sent unencrypted"
                )
            imap.starttls(self.context)
        elif self.mailbox.tls == "none" and not is_loopback(self.mailbox.host):
            raise PermanentMailboxError("the document turns off encryption, which is allowed only on this machine")
        self.connection.expect()
        try:
            if login.is_token:
                imap.oauth2_login(login.user, login.secret)
            else:
                imap.login(login.user, login.secret)
        except LoginError as error:
            if isinstance(error.__context__, IMAPClientAbortError):
                raise MailboxError(describe(error)) from error
            raise PermanentMailboxError(f"the server refuses to sign us in: {describe(error)}") from error
        self.connection.expect()
        imap.capabilities()
        self.can_idle = bool(imap.has_capability("IDLE"))
        self._can_move = bool(imap.has_capability("MOVE"))
        self._can_expunge = bool(imap.has_capability("UIDPLUS"))
        self._request(self._make_target, f"the folder {self.mailbox.move_to} cannot be created")

    def select(self) -> Folder:
        imap, mailbox = self._imap, self.mailbox
        folder = self._request(
            lambda: imap.select_folder(mailbox.folder), f"the folder {mailbox.folder} cannot be opened"
        )
        self._exists = _whole(folder.get(b"EXISTS"))
        kept = folder.get(b"PERMANENTFLAGS")
        wanted = SEEN if mailbox.afterwards == "flag" else DELETED
        needs_mark = mailbox.afterwards != "move" or not self._can_move
        if needs_mark and kept is not None and wanted.lower() not in [each.lower() for each in kept]:
            raise PermanentMailboxError(
                f"the server does not keep the mark {wanted.decode()} in the folder {mailbox.folder}"
            )
        return Folder(_whole(folder.get(b"UIDVALIDITY")), _whole(folder.get(b"UIDNEXT")))

    def _make_target(self) -> None:
        target = self.mailbox.move_to
        if target is not None and not self._imap.folder_exists(target):
            self._imap.create_folder(target)

    def _request(self, ask: Callable[[], Any], wrong: str) -> Any:
        """The result of a command whose refusal by the server is permanent."""
        self.connection.expect()
        try:
            return ask()
        except IMAPClientReadOnlyError:
            raise PermanentMailboxError(f"{wrong}: it is read-only, so fetched mails cannot be marked") from None
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            raise PermanentMailboxError(f"{wrong}: {describe(error)}") from error

    def pending(self, seen_until: int) -> list[int]:
        wanted = ["UNDELETED"]
        if self.mailbox.afterwards == "flag":
            newer = ["OR", "UNSEEN", "UID", f"{seen_until + 1}:{LAST_UID}"]
            wanted += newer if seen_until >= 0 else ["UNSEEN"]
        found: set[int] = set()
        for first in range(1, min(self._exists, WINDOW * MOST_WINDOWS) + 1, WINDOW):
            self.connection.expect()
            window = f"{first}:{min(first + WINDOW - 1, self._exists)}"
            found.update(int(uid) for uid in self._imap.search([window, *wanted]))
            if len(found) >= MOST_PENDING:
                break
        return sorted(found)[:MOST_PENDING]

    def sizes(self, mails: Sequence[int]) -> dict[int, int]:
        self.connection.expect()
        found = self._imap.fetch(list(mails), ["RFC822.SIZE"])
        return {uid: _whole(values[b"RFC822.SIZE"]) for uid, values in found.items() if b"RFC822.SIZE" in values}

    def fetch(self, mail: int, most: int) -> bytes | None:
        self.connection.expect(most)
        found = self._imap.fetch([mail], ["BODY.PEEK[]"]).get(mail, {})
        raw = found.get(b"BODY[]")
        if raw is None:
            return None
        if not isinstance(raw, bytes):
            raise MailboxError("the server's answer is not a mail")
        return raw

    def finish(self, mail: int) -> None:
        imap, target = self._imap, self.mailbox.move_to
        self.connection.expect()
        if self.mailbox.afterwards == "flag":
            imap.add_flags([mail], [SEEN], silent=True)
            return
        if target is not None:
            if self._can_move:
                imap.move([mail], target)
                return
            imap.copy([mail], target)
        imap.add_flags([mail], [DELETED], silent=True)
        if self._can_expunge:
            imap.uid_expunge([mail])
        # Without UIDPLUS it stays marked as deleted: a plain EXPUNGE would also delete mails that others have marked.

    def wait_for_mail(self, seconds: float) -> bool:
        self.connection.expect()
        self._imap.idle()
        said = self._imap.idle_check(timeout=seconds)
        _, more = self._imap.idle_done()
        told = [each for each in (*said, *more) if isinstance(each, tuple) and len(each) > 1]
        return any(each[1] in (b"EXISTS", b"RECENT") for each in told)

    def close(self) -> None:
        self.connection.expect()
        self._imap.logout()


def _whole(value: Any) -> int:
    """A number of the server's; 0 for anything else."""
    return value if isinstance(value, int) and 0 <= value < 2**63 else 0
