"""A mailbox over POP3 (RFC 1939). Mails that are stored here are deleted there, because POP3 has no marks."""

import base64
import hashlib
import poplib
import socket
import ssl
from collections.abc import Sequence

from services.intake.transports.mailboxes.clients.client import Folder, Login
from services.intake.transports.mailboxes.clients.connection import CONNECT_SECONDS, SILENCE_SECONDS, ServerConnection
from services.intake.transports.mailboxes.destinations import Destinations
from services.intake.transports.mailboxes.errors import MailboxError, PermanentMailboxError, describe
from shared.contracts.directory import Mailbox
from shared.loopback import is_loopback

MOST_AT_ONCE = 100
"""Mails of one session. Deletions count only once the session ends regularly, so an aborted session undoes few of
them."""
LONGEST_LINE = 1024 * 1024


class _Protocol(poplib.POP3):
    """The standard library's protocol over our connection. Its own limit of 2048 bytes a line would refuse mails that
    other programs accept."""

    def __init__(self, connection: ServerConnection, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._connection, self._context = connection, context
        super().__init__(host, port, CONNECT_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return self._connection.connect(self.host, self.port, self._context)

    def _getline(self) -> tuple[bytes, int]:
        line: bytes = self.file.readline(LONGEST_LINE + 1)
        self._connection.count(len(line))
        if len(line) > LONGEST_LINE:
            raise poplib.error_proto("line too long")
        if not line.endswith(b"\n"):
            raise poplib.error_proto("-ERR EOF")
        return line.removesuffix(b"\n").removesuffix(b"\r"), len(line)

    def say(self, line: str) -> bytes:
        """Sends a command; returns its answer of one line."""
        answer: bytes = self._shortcmd(line)  # type: ignore[attr-defined]
        return answer

    def content(self) -> bytes:
        """The lines after an answer, up to the final dot. The library's own method holds them as a list of lines, which
        takes many times the memory."""
        found = bytearray()
        while (line := self._getline()[0]) != b".":
            found += line[1:] if line.startswith(b".") else line
            found += b"\r\n"
        return bytes(found)


class Pop3Client:
    """One open mailbox, which its server has locked for other clients. `context` checks certificates."""

    can_idle = False
    session_limit = MOST_AT_ONCE

    def __init__(self, mailbox: Mailbox, context: ssl.SSLContext, destinations: Destinations) -> None:
        self.mailbox, self.context, self.connection = mailbox, context, ServerConnection(destinations)
        self._pop: _Protocol | None = None
        self._numbers: dict[int, int] = {}

    @property
    def pop(self) -> _Protocol:
        assert self._pop is not None  # `open` comes first
        return self._pop

    def open(self, login: Login) -> None:
        mailbox = self.mailbox
        self.connection.expect()
        implicit = self.context if mailbox.tls == "implicit" else None
        try:
            pop = self._pop = _Protocol(self.connection, mailbox.host, mailbox.port, implicit)
        except poplib.error_proto:  # its text would repeat what some other server said
            raise MailboxError("this is not a POP3 server") from None
        pop.sock.settimeout(SILENCE_SECONDS)
        if mailbox.tls == "starttls":
            try:
                pop.stls(self.context)
            except poplib.error_proto as error:
                raise PermanentMailboxError(
                    "the server does not offer STLS, and passwords and mails are not sent unencrypted:"
                    f" {describe(error)}"
                ) from error
        elif mailbox.tls == "none" and not is_loopback(mailbox.host):
            raise PermanentMailboxError("the document turns off encryption, which is allowed only on this machine")
        self.connection.expect()
        try:
            if login.is_token:
                self._show_token(login)
            else:
                pop.user(login.user)
                pop.pass_(login.secret)
        except poplib.error_proto as error:
            if "EOF" in str(error):
                raise
            raise PermanentMailboxError(f"the server refuses to sign us in: {describe(error)}") from error

    def _show_token(self, login: Login) -> None:
        """XOAUTH2 in two steps, because a token is longer than a command may be (RFC 5034, section 4)."""
        self.pop.say("AUTH XOAUTH2")
        proof = f"user={login.user}\x01auth=Bearer {login.secret}\x01\x01"
        answer = self.pop.say(base64.b64encode(proof.encode()).decode())
        if not answer.startswith(b"+OK"):  # a challenge with the reason, which waits for an empty answer
            raise PermanentMailboxError(f"the server refuses to sign us in: {describe(poplib.error_proto(answer))}")

    def select(self) -> Folder:
        """Lists the mailbox. A mail's number is made of its UIDL, so that it is the same in the next session."""
        self.connection.expect()
        try:
            lines = self.pop.uidl()[1]
            self._numbers = {_name(uidl): number for number, uidl in map(_pair, lines)}
        except poplib.error_proto as error:
            if "EOF" in str(error):
                raise
            self._numbers = {}
        return Folder()

    def pending(self, seen_until: int) -> list[int]:
        if not self._numbers:
            self._numbers = {number: number for number in self._listed()}
        return list(self._numbers)

    def sizes(self, mails: Sequence[int]) -> dict[int, int]:
        listed = self._listed()
        return {mail: listed[self._numbers[mail]] for mail in mails if self._numbers[mail] in listed}

    def _listed(self) -> dict[int, int]:
        self.connection.expect()
        return {number: int(size[:19]) for number, size in map(_pair, self.pop.list()[1])}

    def fetch(self, mail: int, most: int) -> bytes | None:
        self.connection.expect(most)
        self.pop.say(f"RETR {self._numbers[mail]}")
        return self.pop.content()

    def finish(self, mail: int) -> None:
        self.connection.expect()
        self.pop.dele(self._numbers[mail])

    def wait_for_mail(self, seconds: float) -> bool:
        return False

    def close(self) -> None:
        self.connection.expect()
        self.pop.quit()


def _pair(line: bytes) -> tuple[int, bytes]:
    """A line of a listing: the number of a mail, and its value."""
    number, _, rest = line.partition(b" ")
    if not number.isdigit() or len(number) > 10 or not rest:
        raise MailboxError("the server's list of mails is not valid")
    return int(number), rest.split()[0]


def _name(uidl: bytes) -> int:
    return int.from_bytes(hashlib.sha256(uidl).digest()[:7])
