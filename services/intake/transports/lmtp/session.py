"""One LMTP connection: commands in, replies out (RFC 2033)."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from prometheus_client import Counter

from services.intake.mail.errors import raised_at
from services.intake.mailroom.envelope import Envelope
from services.intake.transports.limits import MOST_BYTES
from services.intake.transports.lmtp.connections import Connections
from services.intake.transports.lmtp.limits import MOST_ERRORS, MOST_RECIPIENTS, Timeouts
from services.intake.transports.lmtp.paths import parse_path
from services.intake.transports.lmtp.streams import Closed, Input, LineTooLong, Output
from shared.database import TRANSIENT

log = logging.getLogger(__name__)

MAILS = Counter("ledgerdesk_lmtp_mails", "Mails handed in over LMTP by how they were answered", ["answer"])
ENDING = "421 4.3.2 shutting down, try again later"
TOO_LARGE = "552 5.3.4 message too large"

_XTEXT = re.compile(r"\+([0-9A-F]{2})")

Deliver = Callable[[bytes, Envelope], Awaitable[str]]
"""Takes a mail and returns its id once it is stored. Any exception means that it is not stored now."""


@dataclass(slots=True)
class _Transaction:
    """The envelope of the next mail. `deadline`: when its content must begin."""

    sender: str
    deadline: float
    recipients: list[str] = field(default_factory=list)
    client: str = ""
    helo: str = ""


class Session:
    """`name` is the server's name in its greeting; `task` runs the session."""

    def __init__(
        self,
        name: str,
        incoming: Input,
        outgoing: Output,
        deliver: Deliver,
        timeouts: Timeouts,
        connections: Connections,
        task: asyncio.Task[None],
    ) -> None:
        self.name, self.incoming, self.say = name, incoming, outgoing.reply
        self.deliver, self.timeouts, self.connections, self.task = deliver, timeouts, connections, task
        self.greeted = False
        self.transaction: _Transaction | None = None
        self.forwarded: dict[str, str] = {}
        self.errors = 0
        self._now = asyncio.get_running_loop().time
        self._greeting_deadline = self._now() + timeouts.greeting

    async def refuse(self, line: str) -> None:
        """Replies to an error of the client. The connection is closed after too many of them."""
        self.errors += 1
        if self.errors > MOST_ERRORS:
            await self.say("421 4.7.0 too many errors")
            raise Closed
        await self.say(line)

    async def serve(self) -> None:
        """Replies to commands until the session ends. Raises Closed and TimeoutError."""
        await self.say(f"220 {self.name} LMTP ready")
        while not self.connections.is_draining:
            self.connections.idle.add(self.task)
            try:
                line = await self.incoming.line(self._command_deadline(), self.timeouts.command)
            except LineTooLong:
                await self.refuse("500 5.5.2 line too long")
                continue
            finally:
                self.connections.idle.discard(self.task)
            await self._command(line)
        await self.say(ENDING)

    def _command_deadline(self) -> float:
        """When the next command must begin."""
        if not self.greeted:
            return self._greeting_deadline
        return self.transaction.deadline if self.transaction else self._now() + self.timeouts.idle

    async def _command(self, line: bytes) -> None:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            await self.refuse("500 5.5.2 not UTF-8")
            return
        verb, _, rest = text.strip().partition(" ")
        match verb.upper():
            case "LHLO":
                await self._lhlo(rest)
            case "MAIL":
                await self._mail(rest)
            case "RCPT":
                await self._rcpt(rest)
            case "DATA":
                await self._data(rest)
            case "XFORWARD":
                await self._xforward(rest)
            case "RSET":
                self.transaction, self.forwarded = None, {}
                await self.say("250 2.0.0 reset")
            case "NOOP":
                await self.say("250 2.0.0 ok")
            case "VRFY":
                await self.say("252 2.1.5 cannot verify, but will take the mail")
            case "QUIT":
                await self.say("221 2.0.0 goodbye")
                raise Closed
            case "HELO" | "EHLO":
                await self.refuse("500 5.5.1 this is LMTP: say LHLO")
            case _:
                await self.refuse("500 5.5.1 unknown command")

    async def _lhlo(self, rest: str) -> None:
        if not rest.strip():
            await self.refuse("501 5.5.4 say LHLO and your name")
            return
        self.greeted, self.transaction, self.forwarded = True, None, {}
        extensions = (
            "PIPELINING", f"SIZE {MOST_BYTES}", "8BITMIME", "SMTPUTF8", "XFORWARD ADDR HELO", "ENHANCEDSTATUSCODES",
        )  # fmt: skip
        await self.say(f"250-{self.name}", *(f"250-{e}" for e in extensions[:-1]), f"250 {extensions[-1]}")

    async def _xforward(self, rest: str) -> None:
        """The client whose mail the server in front passes on, as Postfix tells it: SPF is about that client, not about
        the server."""
        if self.transaction is not None:
            await self.refuse("503 5.5.1 XFORWARD comes before MAIL")
            return
        for word in rest.split():
            name, _, value = word.partition("=")
            if name.upper() not in ("ADDR", "HELO") or not value:
                continue
            if value.startswith("["):  # [UNAVAILABLE]: an earlier value belongs to another mail
                self.forwarded.pop(name.upper(), None)
                continue
            told = _XTEXT.sub(lambda found: chr(int(found.group(1), 16)), value)[:255]
            self.forwarded[name.upper()] = "".join(each for each in told if each.isprintable())
        await self.say("250 2.0.0 noted")

    async def _mail(self, rest: str) -> None:
        if not self.greeted:
            await self.refuse("503 5.5.1 say LHLO first")
            return
        if self.transaction is not None:
            await self.refuse("503 5.5.1 one mail at a time")
            return
        parsed = parse_path(rest, "FROM:")
        if parsed is None:
            await self.refuse("501 5.1.7 write MAIL FROM:<address>")
            return
        address, parameters = parsed
        # These values are for this mail only, even if it is refused.
        forwarded, self.forwarded = self.forwarded, {}
        for name, value in parameters.items():
            if name == "SIZE" and value.isdigit():
                if int(value[:20]) > MOST_BYTES:
                    await self.refuse(TOO_LARGE)
                    return
            elif not (name == "BODY" and value.upper() in ("7BIT", "8BITMIME")) and not (
                name == "SMTPUTF8" and not value
            ):
                await self.refuse("555 5.5.4 unknown parameter")
                return
        client = forwarded.get("ADDR", "")
        self.transaction = _Transaction(
            address,
            self._now() + self.timeouts.idle,
            client=client[5:] if client[:5].upper() == "IPV6:" else client,
            helo=forwarded.get("HELO", ""),
        )
        await self.say("250 2.1.0 sender ok")

    async def _rcpt(self, rest: str) -> None:
        if self.transaction is None:
            await self.refuse("503 5.5.1 say MAIL first")
            return
        parsed = parse_path(rest, "TO:")
        if parsed is None or not parsed[0]:
            await self.refuse("501 5.1.3 write RCPT TO:<address>")
            return
        address, parameters = parsed
        if parameters:
            await self.refuse("555 5.5.4 unknown parameter")
            return
        if len(self.transaction.recipients) >= MOST_RECIPIENTS:
            await self.say("452 4.5.3 too many recipients, send the rest with another copy")
            return
        self.transaction.recipients.append(address)
        await self.say("250 2.1.5 recipient ok")

    async def _data(self, rest: str) -> None:
        if rest.strip():
            await self.refuse("501 5.5.4 DATA has no arguments")
            return
        if self.transaction is None or not self.transaction.recipients:
            await self.refuse("503 5.5.1 say RCPT first")
            return
        transaction, self.transaction = self.transaction, None
        self._restart_wait()
        await self.say("354 end the mail with a line that has only a dot")
        try:
            raw, refusal = await self._content()
            self.connections.complete(self.task)
            reply = refusal or await self._take(bytes(raw), transaction)
        finally:
            self.connections.release(self.task)
            self.connections.admission.waits(self.task)
        MAILS.labels(reply[:3]).inc()
        # One reply for each recipient, in their order (RFC 2033, section 4.2).
        await self.say(*(reply for _ in transaction.recipients))

    def _restart_wait(self) -> None:
        """Makes this session the one that has kept the server waiting for the shortest time."""
        self.connections.admission.works(self.task)
        self.connections.admission.waits(self.task)

    async def _content(self) -> tuple[bytearray, str]:
        """The mail up to the final dot, dots unstuffed; or the reply that refuses it. A refused mail is read to its end
        and discarded."""
        content = bytearray()
        refusal = ""
        total = 0
        began = since = self._now()
        counted, timeouts = 0, self.timeouts
        # The end of the content may be its first line: a line break before it, that of the command, lets one search
        # find it.
        buffer = self.incoming.buffer
        buffer[:0] = b"\r\n"
        first = True
        while True:
            end = buffer.find(b"\r\n.\r\n")
            # Bytes that may begin the end of the content stay for the next round.
            ready = end + 2 if end >= 0 else max(0, len(buffer) - 4)
            if ready >= 2:
                piece = buffer[:ready]
                del buffer[:ready]
                if first:
                    del piece[:2]
                    first = False
                total += len(piece)
                if not refusal and total > MOST_BYTES:
                    refusal = TOO_LARGE
                elif not refusal and not self.connections.reserve(self.task, len(piece)):
                    refusal = "452 4.3.1 too much mail at once, try again later"
                if refusal:
                    content.clear()
                    self.connections.release(self.task)
                else:
                    content += piece
            if end >= 0:
                del buffer[:3]
                break
            if total - counted >= timeouts.mail_bytes:
                counted, since = total, self._now()
            await self.incoming.more(min(since + timeouts.mail, began + timeouts.longest))
        if content.startswith(b"."):
            del content[:1]
        return content.replace(b"\r\n.", b"\r\n") if b"\r\n." in content else content, refusal

    async def _take(self, raw: bytes, transaction: _Transaction) -> str:
        try:
            envelope = Envelope(
                transaction.sender, tuple(transaction.recipients), client=transaction.client, helo=transaction.helo
            )
            mail = await self.deliver(raw, envelope)
        except Exception as error:
            # The mail is not stored: the client keeps it and tries again. The text of an error that is not transient is
            # not logged, because it may quote the mail.
            why = str(error) if isinstance(error, TRANSIENT) else raised_at(error)
            log.warning("a mail of %d bytes was not taken: %s: %s", len(raw), type(error).__name__, why)
            return "451 4.3.0 not possible now, try again later"
        return f"250 2.0.0 taken as {mail}"
