"""A mailbox over POP3 (RFC 1939): what is safe here is deleted there, because POP3 has no marks."""

import base64
import hashlib
import poplib
import socket
import ssl
from collections.abc import Sequence

from services.intake.transports.mailboxes.clients.client import Login, Opened
from services.intake.transports.mailboxes.clients.connection import CONNECT_SECONDS, SILENCE_SECONDS, Wire
from services.intake.transports.mailboxes.destinations import Destinations
from services.intake.transports.mailboxes.errors import Refused, Trouble, words
from shared.contracts.directory import Mailbox
from shared.loopback import is_loopback

MOST_AT_ONCE = 100
"""Mails of one session. What was deleted is only gone once a session has ended in peace: what a cut one undoes stays little."""
LONGEST_LINE = 1024 * 1024


class _Protocol(poplib.POP3):
    """The standard library's protocol over our wire. Its own limit of 2048 bytes a line would refuse mails that others take."""

    def __init__(self, wire: Wire, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._wire, self._context = wire, context
        super().__init__(host, port, CONNECT_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return self._wire.connect(self.host, self.port, self._context)

    def _getline(self) -> tuple[bytes, int]:
        line: bytes = self.file.readline(LONGEST_LINE + 1)
        self._wire.took(len(line))
        if len(line) > LONGEST_LINE:
            raise poplib.error_proto("line too long")
        if not line.endswith(b"\n"):
            raise poplib.error_proto("-ERR EOF")
        return line.removesuffix(b"\n").removesuffix(b"\r"), len(line)

    def say(self, line: str) -> bytes:
        """One command, its one line of an answer."""
        answer: bytes = self._shortcmd(line)  # type: ignore[attr-defined]
        return answer

    def content(self) -> bytes:
        """What follows an answer, up to the lone dot. The library's own would hold it as a list of lines, many times as large."""
        found = bytearray()
        while (line := self._getline()[0]) != b".":
            found += line[1:] if line.startswith(b".") else line
            found += b"\r\n"
        return bytes(found)


class PopBox:
    """One mailbox, open and locked for others by its server. `context` is what certificates are checked with."""

    can_idle = False
    most_at_once = MOST_AT_ONCE

    def __init__(self, mailbox: Mailbox, context: ssl.SSLContext, destinations: Destinations) -> None:
        self.mailbox, self.context, self.wire = mailbox, context, Wire(destinations)
        self._pop: _Protocol | None = None
        self._numbers: dict[int, int] = {}

    @property
    def pop(self) -> _Protocol:
        assert self._pop is not None  # open comes first
        return self._pop

    def open(self, login: Login) -> None:
        mailbox = self.mailbox
        self.wire.allow()
        implicit = self.context if mailbox.tls == "implicit" else None
        try:
            pop = self._pop = _Protocol(self.wire, mailbox.host, mailbox.port, implicit)
        except poplib.error_proto:  # it would repeat what was said, by whatever listens there
            raise Trouble("the server does not greet as a POP3 server does") from None
        pop.sock.settimeout(SILENCE_SECONDS)
        if mailbox.tls == "starttls":
            try:
                pop.stls(self.context)
            except poplib.error_proto as error:
                raise Refused(
                    f"the server does not offer STLS, and nothing is sent to it in the clear: {words(error)}"
                ) from error
        elif mailbox.tls == "none" and not is_loopback(mailbox.host):
            raise Refused("the document asks for no encryption to another machine")
        self.wire.allow()
        try:
            if login.is_token:
                self._show_token(login)
            else:
                pop.user(login.user)
                pop.pass_(login.secret)
        except poplib.error_proto as error:
            if "EOF" in str(error):
                raise
            raise Refused(f"the server does not let us in: {words(error)}") from error

    def _show_token(self, login: Login) -> None:
        """XOAUTH2 in two steps, because a token is longer than a command may be (RFC 5034, section 4)."""
        self.pop.say("AUTH XOAUTH2")
        proof = f"user={login.user}\x01auth=Bearer {login.secret}\x01\x01"
        answer = self.pop.say(base64.b64encode(proof.encode()).decode())
        if not answer.startswith(b"+OK"):  # a challenge says why not, and waits for an empty answer
            raise Refused(f"the server does not let us in: {words(poplib.error_proto(answer))}")

    def select(self) -> Opened:
        """The listing of the session. A mail is named by its UIDL, so that it is known again in another session."""
        self.wire.allow()
        try:
            lines = self.pop.uidl()[1]
            self._numbers = {_name(uidl): number for number, uidl in map(_pair, lines)}
        except poplib.error_proto as error:
            if "EOF" in str(error):
                raise
            self._numbers = {}
        return Opened()

    def waiting(self, seen_until: int) -> list[int]:
        if not self._numbers:
            self._numbers = {number: number for number in self._listed()}
        return list(self._numbers)

    def sizes(self, mails: Sequence[int]) -> dict[int, int]:
        listed = self._listed()
        return {mail: listed[self._numbers[mail]] for mail in mails if self._numbers[mail] in listed}

    def _listed(self) -> dict[int, int]:
        self.wire.allow()
        return {number: int(size[:19]) for number, size in map(_pair, self.pop.list()[1])}

    def read(self, mail: int, most: int) -> bytes | None:
        self.wire.allow(most)
        self.pop.say(f"RETR {self._numbers[mail]}")
        return self.pop.content()

    def done(self, mail: int) -> None:
        self.wire.allow()
        self.pop.dele(self._numbers[mail])

    def news(self, seconds: float) -> bool:
        return False

    def close(self) -> None:
        self.wire.allow()
        self.pop.quit()


def _pair(line: bytes) -> tuple[int, bytes]:
    """A line of a listing: the number of a mail, and what is said of it."""
    number, _, rest = line.partition(b" ")
    if not number.isdigit() or len(number) > 10 or not rest:
        raise Trouble("the server lists what is no mail")
    return int(number), rest.split()[0]


def _name(uidl: bytes) -> int:
    return int.from_bytes(hashlib.sha256(uidl).digest()[:7])
