"""An LMTP server (RFC 2033): a mail server hands in mails and keeps each until it is told 250.

Written on asyncio's streams and not on aiosmtpd (decision record 0022): its DATA keeps an endless line in memory, answers errors
after DATA once instead of once per recipient, turns an exception into a permanent 500, and logs what people write.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Never

from prometheus_client import Counter, Gauge

from services.intake.mail.reading import place
from services.intake.mailroom.mailroom import Envelope
from shared.database import TRANSIENT
from shared.network import network
from shared.runtime.admission import Admission
from shared.runtime.heartbeat import Heartbeat

log = logging.getLogger(__name__)

MOST_BYTES = 40 * 1024 * 1024
"""Bytes of one mail; what is larger is refused for good (552)."""
MOST_BYTES_AT_ONCE = 256 * 1024 * 1024
"""Bytes of all mails that are coming in at one time; beyond, senders are asked to wait (452)."""
SWIFT = 1024 * 1024
"""Bytes a second; a mail server is next to us, or nearly so."""
MOST_RECIPIENTS = 1_000
MOST_CONNECTIONS = 200
MOST_OF_A_PEER = 150
MOST_ERRORS = 20
LONGEST_COMMAND = 4_096
LONGEST_PATH = 512
CHUNK = 64 * 1024
DRAIN_SECONDS = 10.0
LOOK_SECONDS = 5.0

MAILS = Counter("ledgerdesk_lmtp_mails", "Mails handed in over LMTP by how they were answered", ["answer"])
OPEN = Gauge("ledgerdesk_lmtp_connections", "Open LMTP connections")

_PATH = re.compile(r"\s*<(?:@[^:<>]*:)?([^<>]*)>(?:\s+(.*))?$", re.DOTALL)
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=]+))?$")

BUSY = "421 4.3.2 too many connections, try again later"
ENDING = "421 4.3.2 shutting down, try again later"

Deliver = Callable[[bytes, Envelope], Awaitable[str]]
"""Takes a mail and answers its id once it is safe; whatever it raises means: not now."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that the other side has. Whoever waits for nobody else (a mail server does not) needs a small part of them."""

    greeting: float = 20.0
    """From the connection to LHLO."""
    idle: float = 300.0
    """For the next command to begin (RFC 5321, section 4.5.3.2.7), and from MAIL to DATA."""
    command: float = 30.0
    """For a command line, once it has begun."""
    answer: float = 30.0
    """To read an answer."""
    mail: float = 60.0
    """For a mail's content, and for each further `mail_bytes` of a longer one: 16 KiB a second at least, at any time."""
    mail_bytes: int = 960 * 1024
    longest: float = 600.0
    """For any mail's content."""
    slow: float = 10.0
    """A mail may come at any rate for so long; after that, one below `SWIFT` gives way where there is no memory for another."""


class CannotListen(Exception):
    """The listener's address cannot be had, or was lost."""


class _Closed(Exception):
    """The other side is gone, or the session is over."""


class _TooLong(Exception):
    """A command line without an end in sight; it has been read and thrown away."""


@dataclass(slots=True)
class _Input:
    """Bytes from the other side, cut as the protocol needs them; never holds much more than one chunk."""

    reader: asyncio.StreamReader
    buffer: bytearray = field(default_factory=bytearray)

    async def more(self, until: float) -> None:
        """Reads what there is, at the latest until that moment of the loop's clock. Raises TimeoutError."""
        try:
            async with asyncio.timeout_at(until):
                chunk = await self.reader.read(CHUNK)
        except TimeoutError:
            raise
        except OSError as error:
            raise _Closed from error
        if not chunk:
            raise _Closed
        self.buffer += chunk

    async def line(self, until: float, seconds: float) -> bytes:
        """The next command line, without its end. It has to begin until that moment, and to end within so many seconds."""
        too_long = False
        if not self.buffer:
            await self.more(until)
        until = asyncio.get_running_loop().time() + seconds
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > LONGEST_COMMAND:
                too_long = True
                self.buffer.clear()
            await self.more(until)
        line = bytes(self.buffer[:end]).rstrip(b"\r")
        del self.buffer[: end + 1]
        if too_long or len(line) > LONGEST_COMMAND:
            raise _TooLong
        return line


@dataclass(slots=True)
class _Transaction:
    sender: str
    until: float
    """When its mail has to begin."""
    recipients: list[str] = field(default_factory=list)
    client: str = ""
    helo: str = ""


@dataclass(slots=True)
class _Coming:
    """A mail that is coming in, or being taken: the bytes in memory."""

    since: float
    size: int = 0
    complete: bool = False


class LmtpServer:
    """Listens on `host:port`; `deliver` gets every mail with its envelope.

    Where all places are taken, whoever has let the server wait the longest is sent away, be it in the middle of a mail: its sender
    keeps that and comes again.
    """

    def __init__(
        self,
        listen: str,
        deliver: Deliver,
        *,
        name: str = "ledgerdesk",
        patience: Patience = Patience(),
        most: int = MOST_CONNECTIONS,
        most_of_a_peer: int = MOST_OF_A_PEER,
        most_bytes: int = MOST_BYTES_AT_ONCE,
    ) -> None:
        self._host, _, port = listen.rpartition(":")
        self._port = int(port)
        self._deliver, self.name, self.patience, self.most_bytes = deliver, name, patience, most_bytes
        self.heartbeat = Heartbeat()
        self.admission = Admission[asyncio.Task[None]](most, most_of_a_peer, self._send_away)
        self._sent_away: set[asyncio.Task[None]] = set()
        self._sessions: set[asyncio.Task[None]] = set()
        self._idle: set[asyncio.Task[None]] = set()
        self._coming_in: dict[asyncio.Task[None], _Coming] = {}
        self.draining = False

    async def run(self) -> Never:
        """Serves until it is cancelled; then mails that are being taken are still answered."""
        try:
            server = await asyncio.start_server(self._connected, self._host.strip("[]"), self._port, limit=CHUNK)
        except OSError as error:  # not one that a database or a network elsewhere could be blamed for
            raise CannotListen(f"no mail comes in: {error}") from error
        log.info("LMTP listens on %s:%d", self._host, self._port)
        self.draining = False
        try:
            while server.is_serving():
                self.heartbeat.beat()
                await asyncio.sleep(LOOK_SECONDS)
            raise CannotListen("no mail comes in: the listener is closed")
        finally:
            self.draining = True
            server.close()
            await asyncio.shield(self._drain())

    async def _drain(self) -> None:
        for session in list(self._idle):
            session.cancel()
        if self._sessions:
            _, late = await asyncio.wait(self._sessions, timeout=DRAIN_SECONDS)
            for session in late:
                session.cancel()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._session(reader, writer))
        self._sessions.add(task)
        OPEN.set(len(self._sessions))
        task.add_done_callback(self._ended)

    def _send_away(self, task: asyncio.Task[None]) -> None:
        self._sent_away.add(task)
        task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sessions.discard(task)
        self._sent_away.discard(task)
        self.admission.leave(task)
        OPEN.set(len(self._sessions))

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if not self.admission.admit(task, network(str((writer.get_extra_info("peername") or [""])[0]))):
                await self.say(writer, BUSY)
                return
            await _Session(self, _Input(reader), writer, task).serve()
        except TimeoutError:
            with contextlib.suppress(OSError, _Closed):
                await self.say(writer, "421 4.4.2 this takes too long")
        except asyncio.CancelledError:
            with contextlib.suppress(OSError, _Closed):
                await self.say(writer, BUSY if task in self._sent_away else ENDING)
        except (_Closed, OSError):
            pass
        except Exception as error:
            log.error("an LMTP session ended: %s in %s", type(error).__name__, place(error))
        finally:
            self._idle.discard(task)
            writer.close()

    def wait_for_command(self, task: asyncio.Task[None], waiting: bool) -> None:
        """A session between two commands may be ended at any time; one that is taking a mail may not."""
        if waiting:
            self._idle.add(task)
        else:
            self._idle.discard(task)

    def reserve(self, task: asyncio.Task[None], count: int) -> bool:
        """Room for so many more bytes of the mail that this session brings. Where there is none, mails that come slowly give way."""
        mine = self._coming_in.setdefault(task, _Coming(asyncio.get_running_loop().time()))
        while sum(each.size for each in self._coming_in.values()) + count > self.most_bytes:
            slowest = self._slowest(but=task)
            if slowest is None:
                return False
            self.release(slowest)
            self._send_away(slowest)
        mine.size += count
        return True

    def release(self, task: asyncio.Task[None]) -> None:
        self._coming_in.pop(task, None)

    def _slowest(self, *, but: asyncio.Task[None]) -> asyncio.Task[None] | None:
        """The session whose mail comes the slowest, if it is slow."""
        now = asyncio.get_running_loop().time()
        rates = {
            task: coming.size / (now - coming.since)
            for task, coming in self._coming_in.items()
            if task is not but and not coming.complete and now - coming.since > self.patience.slow
        }
        slowest = min(rates, key=rates.__getitem__, default=None)
        return slowest if slowest is not None and rates[slowest] < SWIFT else None

    def complete(self, task: asyncio.Task[None]) -> None:
        """Its mail is here whole: nothing makes it give way any more."""
        self.admission.works(task)
        if (coming := self._coming_in.get(task)) is not None:
            coming.complete = True

    async def say(self, writer: asyncio.StreamWriter, *lines: str) -> None:
        """Sends an answer. Raises _Closed when the other side does not read it."""
        writer.write("".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace"))
        try:
            async with asyncio.timeout(self.patience.answer):
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()
            raise _Closed from None

    async def deliver(self, raw: bytes, envelope: Envelope) -> str:
        return await self._deliver(raw, envelope)


class _Session:
    """One connection: commands in, answers out."""

    def __init__(
        self, server: LmtpServer, incoming: _Input, writer: asyncio.StreamWriter, task: asyncio.Task[None]
    ) -> None:
        self.server, self.incoming, self.writer, self.task = server, incoming, writer, task
        self.greeted = False
        self.transaction: _Transaction | None = None
        self.forwarded: dict[str, str] = {}
        self.errors = 0
        self._now = asyncio.get_running_loop().time
        self._greeted_until = self._now() + server.patience.greeting

    async def say(self, *lines: str) -> None:
        await self.server.say(self.writer, *lines)

    async def refuse(self, line: str) -> None:
        """An error of the other side; who makes too many is sent away."""
        self.errors += 1
        if self.errors > MOST_ERRORS:
            await self.say("421 4.7.0 too many errors")
            raise _Closed
        await self.say(line)

    async def serve(self) -> None:
        await self.say(f"220 {self.server.name} LMTP ready")
        while not self.server.draining:
            self.server.wait_for_command(self.task, True)
            try:
                line = await self.incoming.line(self._command_begins(), self.server.patience.command)
            except _TooLong:
                await self.refuse("500 5.5.2 line too long")
                continue
            finally:
                self.server.wait_for_command(self.task, False)
            await self._command(line)
        await self.say(ENDING)

    def _command_begins(self) -> float:
        """Until when the next command has to begin."""
        if not self.greeted:
            return self._greeted_until
        return self.transaction.until if self.transaction else self._now() + self.server.patience.idle

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
                await self.say("250 2.0.0 forgotten")
            case "NOOP":
                await self.say("250 2.0.0 nothing done")
            case "VRFY":
                await self.say("252 2.1.5 send the mail and see")
            case "QUIT":
                await self.say("221 2.0.0 goodbye")
                raise _Closed
            case "HELO" | "EHLO":
                await self.refuse("500 5.5.1 this is LMTP: say LHLO")
            case _:
                await self.refuse("500 5.5.1 not a command here")

    async def _lhlo(self, rest: str) -> None:
        if not rest.strip():
            await self.refuse("501 5.5.4 say LHLO and your name")
            return
        self.greeted, self.transaction, self.forwarded = True, None, {}
        extensions = (
            "PIPELINING", f"SIZE {MOST_BYTES}", "8BITMIME", "SMTPUTF8", "XFORWARD ADDR HELO", "ENHANCEDSTATUSCODES",
        )  # fmt: skip
        await self.say(f"250-{self.server.name}", *(f"250-{e}" for e in extensions[:-1]), f"250 {extensions[-1]}")

    async def _xforward(self, rest: str) -> None:
        """Whose mail the server in front passes on, as Postfix tells it: what SPF is about is that client, not the server."""
        if self.transaction is not None:
            await self.refuse("503 5.5.1 before MAIL only")
            return
        for word in rest.split():
            name, _, value = word.partition("=")
            if name.upper() not in ("ADDR", "HELO") or not value:
                continue
            if value.startswith("["):  # [UNAVAILABLE]: what was said before is of another mail
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
        parsed = _path(rest, "FROM:")
        if parsed is None:
            await self.refuse("501 5.1.7 write MAIL FROM:<address>")
            return
        address, parameters = parsed
        # Of this mail, whether it is taken or not.
        forwarded, self.forwarded = self.forwarded, {}
        for name, value in parameters.items():
            if name == "SIZE" and value.isdigit():
                if int(value[:20]) > MOST_BYTES:
                    await self.refuse("552 5.3.4 larger than this server takes")
                    return
            elif not (name == "BODY" and value.upper() in ("7BIT", "8BITMIME")) and not (
                name == "SMTPUTF8" and not value
            ):
                await self.refuse("555 5.5.4 parameter not known here")
                return
        client = forwarded.get("ADDR", "")
        until = self._now() + self.server.patience.idle
        self.transaction = _Transaction(
            address,
            until,
            client=client[5:] if client[:5].upper() == "IPV6:" else client,
            helo=forwarded.get("HELO", ""),
        )
        await self.say("250 2.1.0 sender taken")

    async def _rcpt(self, rest: str) -> None:
        if self.transaction is None:
            await self.refuse("503 5.5.1 say MAIL first")
            return
        parsed = _path(rest, "TO:")
        if parsed is None or not parsed[0]:
            await self.refuse("501 5.1.3 write RCPT TO:<address>")
            return
        address, parameters = parsed
        if parameters:
            await self.refuse("555 5.5.4 parameter not known here")
            return
        if len(self.transaction.recipients) >= MOST_RECIPIENTS:
            await self.say("452 4.5.3 too many recipients, send the rest with another copy")
            return
        self.transaction.recipients.append(address)
        await self.say("250 2.1.5 recipient taken")

    async def _data(self, rest: str) -> None:
        if rest.strip():
            await self.refuse("501 5.5.4 say DATA alone")
            return
        if self.transaction is None or not self.transaction.recipients:
            await self.refuse("503 5.5.1 say RCPT first")
            return
        transaction, self.transaction = self.transaction, None
        self._goes_on()
        await self.say("354 end with a line that holds a dot alone")
        try:
            raw, refusal = await self._content()
            self.server.complete(self.task)
            answer = refusal or await self._taken(bytes(raw), transaction)
        finally:
            self.server.release(self.task)
            self.server.admission.waits(self.task)
        MAILS.labels(answer[:3]).inc()
        # One answer for each recipient, in their order (RFC 2033, section 4.2).
        await self.say(*(f"{answer}" for _ in transaction.recipients))

    def _goes_on(self) -> None:
        """It has let the server wait for long the least of all."""
        self.server.admission.works(self.task)
        self.server.admission.waits(self.task)

    async def _content(self) -> tuple[bytearray, str]:
        """The mail up to the lone dot, dots unstuffed; or why it is refused. A refused mail is read to its end and thrown away."""
        content = bytearray()
        refusal = ""
        total = 0
        began = since = self._now()
        counted, patience = 0, self.server.patience
        # The line break before the first line is that of the command itself.
        buffer = self.incoming.buffer
        buffer[:0] = b"\r\n"
        first = True
        while True:
            end = buffer.find(b"\r\n.\r\n")
            # What may be the beginning of the end stays for the next round.
            ready = end + 2 if end >= 0 else max(0, len(buffer) - 4)
            if ready >= 2:
                piece = buffer[:ready]
                del buffer[:ready]
                if first:
                    del piece[:2]
                    first = False
                total += len(piece)
                if not refusal and total > MOST_BYTES:
                    refusal = "552 5.3.4 larger than this server takes"
                elif not refusal and not self.server.reserve(self.task, len(piece)):
                    refusal = "452 4.3.1 too much mail at once, try again later"
                if refusal:
                    content.clear()
                    self.server.release(self.task)
                else:
                    content += piece
            if end >= 0:
                del buffer[:3]
                break
            if total - counted >= patience.mail_bytes:
                counted, since = total, self._now()
            await self.incoming.more(min(since + patience.mail, began + patience.longest))
        if content.startswith(b"."):
            del content[:1]
        return content.replace(b"\r\n.", b"\r\n") if b"\r\n." in content else content, refusal

    async def _taken(self, raw: bytes, transaction: _Transaction) -> str:
        try:
            envelope = Envelope(
                transaction.sender, tuple(transaction.recipients), client=transaction.client, helo=transaction.helo
            )
            mail = await self.server.deliver(raw, envelope)
        except Exception as error:
            # Whatever it is, the mail is not safe here: the sender keeps it and tries again.
            # Only the words of what is missing are logged; those of another error may quote the mail.
            why = str(error) if isinstance(error, TRANSIENT) else place(error)
            log.warning("a mail of %d bytes was not taken: %s: %s", len(raw), type(error).__name__, why)
            return "451 4.3.0 not possible now, try again later"
        return f"250 2.0.0 taken as {mail}"


def _path(rest: str, keyword: str) -> tuple[str, dict[str, str]] | None:
    """The address and the parameters of MAIL FROM or RCPT TO; None for what is not one. A source route is dropped (RFC 5321, 4.1.1.3)."""
    if rest[: len(keyword)].upper() != keyword:
        return None
    match = _PATH.match(rest[len(keyword) :])
    if match is None:
        return None
    address = match.group(1).strip()
    if (
        len(address) > LONGEST_PATH
        or any(c < " " or c == "\x7f" for c in address)
        or (address and " " in address.strip('"'))
    ):
        return None
    parameters: dict[str, str] = {}
    for word in (match.group(2) or "").split():
        parameter = _PARAMETER.match(word)
        if parameter is None:
            return None
        parameters[parameter.group(1).upper()] = parameter.group(2) or ""
    return address, parameters
