"""A mailbox over IMAP (RFC 3501), with UIDs, IDLE (RFC 2177), MOVE (RFC 6851) and UIDPLUS (RFC 4315) where the server has them."""

import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from imapclient import DELETED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, IMAPClientReadOnlyError, LoginError
from imapclient.imap4 import IMAP4WithTimeout

from services.intake.transports.mailboxes.clients.client import MOST_WAITING, Login, Opened
from services.intake.transports.mailboxes.clients.connection import CONNECT_SECONDS, SILENCE_SECONDS, Wire
from services.intake.transports.mailboxes.destinations import Destinations
from services.intake.transports.mailboxes.errors import Refused, Trouble, words
from shared.contracts.directory import Mailbox
from shared.loopback import is_loopback

WINDOW = 10_000
"""Mails that one search looks at, so that its answer stays one line of bounded length."""
MOST_WINDOWS = 500
LAST_UID = 2**32 - 1
"""Not `*`: a range up to that always has the folder's last mail in it, whatever its number (RFC 3501, section 6.4.8)."""

# The library tells each line of the protocol, which has mails' words in it, to a logger of its own.
logging.getLogger("imapclient").setLevel(logging.WARNING)


class _Protocol(IMAP4WithTimeout):  # type: ignore[misc]
    """The standard library's protocol over our wire, so that no answer is larger than it may be."""

    def __init__(self, wire: Wire, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._wire, self._context = wire, context
        super().__init__(host, port, CONNECT_SECONDS)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._wire.connect(self.host, self.port, self._context)

    def read(self, size: int) -> bytes:
        self._wire.took(size)  # before anything is read: the size is the server's claim
        data: bytes = super().read(size)
        return data

    def readline(self) -> bytes:
        line: bytes = super().readline()
        self._wire.took(len(line))
        return line


class _Client(IMAPClient):  # type: ignore[misc]
    def __init__(self, wire: Wire, mailbox: Mailbox, context: ssl.SSLContext) -> None:
        self._wire = wire
        super().__init__(
            mailbox.host,
            mailbox.port,
            ssl=mailbox.tls == "implicit",
            ssl_context=context,
            timeout=SILENCE_SECONDS,
        )

    def _create_IMAP4(self) -> _Protocol:
        return _Protocol(self._wire, self.host, self.port, self.ssl_context if self.ssl else None)


class ImapBox:
    """One folder, open. `context` is what certificates are checked with."""

    can_idle = False
    most_at_once = MOST_WAITING

    def __init__(self, mailbox: Mailbox, context: ssl.SSLContext, destinations: Destinations) -> None:
        self.mailbox, self.context, self.wire = mailbox, context, Wire(destinations)
        self._client: Any = None
        self._exists = 0
        self._can_move = self._can_expunge = False

    def open(self, login: Login) -> None:
        self.wire.allow()
        try:
            client = self._client = _Client(self.wire, self.mailbox, self.context)
        except OSError:
            raise
        except Exception:  # it would repeat what was said, by whatever listens there
            raise Trouble("the server does not greet as an IMAP server does") from None
        if self.mailbox.tls == "starttls":
            if not client.has_capability("STARTTLS"):
                raise Refused("the server does not offer STARTTLS, and nothing is sent to it in the clear")
            client.starttls(self.context)
        elif self.mailbox.tls == "none" and not is_loopback(self.mailbox.host):
            raise Refused("the document asks for no encryption to another machine")
        self.wire.allow()
        try:
            if login.is_token:
                client.oauth2_login(login.user, login.secret)
            else:
                client.login(login.user, login.secret)
        except LoginError as error:
            if isinstance(error.__context__, IMAPClientAbortError):
                raise Trouble(words(error)) from error
            raise Refused(f"the server does not let us in: {words(error)}") from error
        self.wire.allow()
        client.capabilities()
        self.can_idle = bool(client.has_capability("IDLE"))
        self._can_move = bool(client.has_capability("MOVE"))
        self._can_expunge = bool(client.has_capability("UIDPLUS"))
        self._asked(self._make_target, f"the folder {self.mailbox.move_to} cannot be made")

    def select(self) -> Opened:
        client, mailbox = self._client, self.mailbox
        folder = self._asked(
            lambda: client.select_folder(mailbox.folder), f"the folder {mailbox.folder} cannot be opened"
        )
        self._exists = _whole(folder.get(b"EXISTS"))
        kept = folder.get(b"PERMANENTFLAGS")
        wanted = SEEN if mailbox.afterwards == "flag" else DELETED
        needs_mark = mailbox.afterwards != "move" or not self._can_move
        if needs_mark and kept is not None and wanted.lower() not in [each.lower() for each in kept]:
            raise Refused(f"the server does not keep the mark {wanted.decode()} in the folder {mailbox.folder}")
        return Opened(_whole(folder.get(b"UIDVALIDITY")), _whole(folder.get(b"UIDNEXT")))

    def _make_target(self) -> None:
        target = self.mailbox.move_to
        if target is not None and not self._client.folder_exists(target):
            self._client.create_folder(target)

    def _asked(self, ask: Callable[[], Any], wrong: str) -> Any:
        """The answer to a command that fails for good when the server says NO."""
        self.wire.allow()
        try:
            return ask()
        except IMAPClientReadOnlyError:
            raise Refused(
                f"{wrong}: it is read-only, so that what was fetched could not be told from what was not"
            ) from None
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            raise Refused(f"{wrong}: {words(error)}") from error

    def waiting(self, seen_until: int) -> list[int]:
        wanted = ["UNDELETED"]
        if self.mailbox.afterwards == "flag":
            newer = ["OR", "UNSEEN", "UID", f"{seen_until + 1}:{LAST_UID}"]
            wanted += newer if seen_until >= 0 else ["UNSEEN"]
        found: set[int] = set()
        for first in range(1, min(self._exists, WINDOW * MOST_WINDOWS) + 1, WINDOW):
            self.wire.allow()
            window = f"{first}:{min(first + WINDOW - 1, self._exists)}"
            found.update(int(uid) for uid in self._client.search([window, *wanted]))
            if len(found) >= MOST_WAITING:
                break
        return sorted(found)[:MOST_WAITING]

    def sizes(self, mails: Sequence[int]) -> dict[int, int]:
        self.wire.allow()
        found = self._client.fetch(list(mails), ["RFC822.SIZE"])
        return {uid: _whole(values[b"RFC822.SIZE"]) for uid, values in found.items() if b"RFC822.SIZE" in values}

    def read(self, mail: int, most: int) -> bytes | None:
        self.wire.allow(most)
        found = self._client.fetch([mail], ["BODY.PEEK[]"]).get(mail, {})
        raw = found.get(b"BODY[]")
        if raw is None:
            return None
        if not isinstance(raw, bytes):
            raise Trouble("the server answers with what is no mail")
        return raw

    def done(self, mail: int) -> None:
        client, target = self._client, self.mailbox.move_to
        self.wire.allow()
        if self.mailbox.afterwards == "flag":
            client.add_flags([mail], [SEEN], silent=True)
            return
        if target is not None:
            if self._can_move:
                client.move([mail], target)
                return
            client.copy([mail], target)
        client.add_flags([mail], [DELETED], silent=True)
        if self._can_expunge:
            client.uid_expunge([mail])
        # Without UIDPLUS it stays marked as deleted: a plain EXPUNGE would delete what others have marked, too.

    def news(self, seconds: float) -> bool:
        self.wire.allow()
        self._client.idle()
        said = self._client.idle_check(timeout=seconds)
        _, more = self._client.idle_done()
        told = [each for each in (*said, *more) if isinstance(each, tuple) and len(each) > 1]
        return any(each[1] in (b"EXISTS", b"RECENT") for each in told)

    def close(self) -> None:
        self.wire.allow()
        self._client.logout()


def _whole(value: Any) -> int:
    """A number that the server said; 0 for what is none."""
    return value if isinstance(value, int) and 0 <= value < 2**63 else 0
