"""SMTP as the way out (RFC 5321), with a few connections kept open."""

import asyncio
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.notify.sending.domain_queues import Limit, Limits
from services.notify.sending.transports.transport import Away, PermanentFailure, Taken, TemporaryFailure
from services.notify.writing.message import Letter

CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 60.0
IDLE_SECONDS = 10.0
FRESH_SECONDS = 1.0
"""A connection that was used so shortly before is taken to be alive."""
MOST_IDLE = 4
LONGEST_REASON = 500
DEFAULT_LIMITS = Limits(Limit(5))
"""Of the connections to the server, so many for one domain at a time."""
_PATIENCE = re.compile(r"421\b|4[0-9]{2} 4\.7\.")
"""Replies that ask for patience: the service is not available, or a rule of security or policy puts us off (RFC 3463, section 3.8)."""
_CLOSING = 421
"""The reply of a server that closes the channel, whatever it was asked (RFC 5321, section 3.8)."""
_SIGN_IN = frozenset((530, 534, 535, 538))
"""Replies that ask for a sign-in, or refuse ours (RFC 4954, section 6): the server takes no mail of ours at all."""
_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server as its URL describes it: `smtp://host:25`, `smtps://user:password@host`, `smtp+starttls://...`."""

    host: str
    port: int
    tls: bool
    starttls: bool
    user: str | None
    password: str | None

    @classmethod
    def at(cls, url: str) -> "Server":
        """Raises ValueError, without the URL in its message: a password may stand in it."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("LEDGERDESK_SMTP_URL must be smtp://, smtps:// or smtp+starttls:// with a host")
        if parts.username and parts.scheme == "smtp" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError(
                "LEDGERDESK_SMTP_URL would send its password in the clear: use smtps:// or smtp+starttls://"
            )
        return cls(
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            parts.scheme == "smtps",
            parts.scheme == "smtp+starttls",
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )


class _Client(aiosmtplib.SMTP):
    """The library closes the channel itself after such a reply, and `sendmail` then tells of a lost connection alone: `closing` keeps of whom
    the server said it."""

    closing: aiosmtplib.SMTPRecipientRefused | None = None

    async def rcpt(self, recipient: str, /, **more: Any) -> aiosmtplib.SMTPResponse:
        try:
            return await super().rcpt(recipient, **more)
        except aiosmtplib.SMTPRecipientRefused as refusal:
            if refusal.code == _CLOSING:
                self.closing = refusal
            raise


class Smtp:
    name = "smtp"
    parallel = 16

    def __init__(
        self, server: Server, *, limits: Limits = DEFAULT_LIMITS, tls_context: ssl.SSLContext | None = None
    ) -> None:
        self.server, self.limits, self.tls_context = server, limits, tls_context
        self._idle: list[tuple[float, _Client]] = []

    async def send(self, letter: Letter, *, again: bool) -> Taken:
        client = await self._connected()
        try:
            with _explained():
                refused = await self._transaction(client, letter)
        except BaseException:
            client.close()
            raise
        if client.is_connected:
            self._idle.append((time.monotonic(), client))
        return Taken(
            {who: text for who, (code, text) in refused.items() if code < 500},
            {who: text for who, (code, text) in refused.items() if code >= 500},
            tuple(who for who, (_, text) in refused.items() if _PATIENCE.match(text)),
        )

    async def _transaction(self, client: _Client, letter: Letter) -> dict[str, tuple[int, str]]:
        """Who was refused, with code and words."""
        options: list[str] = []
        if letter.international:
            await client.ehlo()
            if not client.supports_extension("smtputf8"):
                raise PermanentFailure("the mail server takes no addresses beyond ASCII (SMTPUTF8)")
            options = ["SMTPUTF8", "BODY=8BITMIME"]
        elif not letter.content.isascii():
            # Somebody else's mail that is sent on: encoding it anew would break its signatures, and servers that do not offer
            # 8BITMIME nearly all take eight bits.
            await client.ehlo()
            options = ["BODY=8BITMIME"] if client.supports_extension("8bitmime") else []
        try:
            answers, _ = await client.sendmail(letter.sender, letter.recipients, letter.content, mail_options=options)
            refused = {who: (answer.code, _words(answer.code, answer.message)) for who, answer in answers.items()}
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = {each.recipient: (each.code, _words(each.code, each.message)) for each in error.recipients}
        except OSError as error:
            if (told := client.closing) is None:
                raise
            # The channel is closed over one of several: nobody has the mail, as if all had been put off.
            words = f"{told.recipient}: {_words(told.code, told.message)}"
            raise TemporaryFailure(words, patience=True, recipient=told.recipient) from error
        return refused

    async def _connected(self) -> _Client:
        """A connection that takes mails. Raises Away, in the server's words where it has any."""
        try:
            return await self._client()
        except aiosmtplib.SMTPResponseException as error:
            raise Away(_words(error.code, error.message)) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise Away(f"the mail server cannot do what is asked of it: {error.message}"[:LONGEST_REASON]) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise Away(f"the mail server cannot be reached: {type(error).__name__}") from error

    async def _client(self) -> _Client:
        """A connection that is alive: one that was kept, or a new one."""
        while self._idle:
            since, client = self._idle.pop()
            rested = time.monotonic() - since
            if rested < FRESH_SECONDS and client.is_connected:
                return client
            if rested < IDLE_SECONDS:
                try:
                    await client.noop(timeout=5)
                    return client
                except (aiosmtplib.SMTPException, OSError):
                    pass
            client.close()
        made = _Client(
            hostname=self.server.host,
            port=self.server.port,
            use_tls=self.server.tls,
            start_tls=self.server.starttls,
            username=self.server.user,
            password=self.server.password,
            timeout=CONNECT_SECONDS,
            tls_context=self.tls_context,
        )
        await made.connect()
        made.timeout = COMMAND_SECONDS
        return made

    async def rest(self) -> None:
        """Ends connections that nobody has used for a while."""
        now = time.monotonic()
        old = [client for since, client in self._idle if now - since >= IDLE_SECONDS]
        kept = [(since, client) for since, client in self._idle if now - since < IDLE_SECONDS]
        old += [client for _, client in kept[:-MOST_IDLE]]
        self._idle = kept[-MOST_IDLE:]
        for client in old:
            await _quit(client)

    async def close(self) -> None:
        kept, self._idle = self._idle, []
        for _, client in kept:
            await _quit(client)


async def _quit(client: aiosmtplib.SMTP) -> None:
    try:
        await asyncio.wait_for(client.quit(), 2)
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        client.close()


@contextmanager
def _explained() -> Iterator[None]:
    """Tells this mail's own refusal (5xx to it) from what may be put right: a busy server, a lost connection, a missing sign-in."""
    try:
        yield
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
        words = _words(error.code, error.message)
        if error.code in _SIGN_IN:
            raise Away(words) from error
        if error.code >= 500:
            raise PermanentFailure(words) from error
        raise TemporaryFailure(words, patience=bool(_PATIENCE.match(words))) from error
    except aiosmtplib.SMTPResponseException as error:
        words = _words(error.code, error.message)
        raise TemporaryFailure(words, patience=bool(_PATIENCE.match(words))) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise TemporaryFailure(f"the mail server broke off: {type(error).__name__}") from error


def _words(code: int, message: str) -> str:
    """A server's reply on one line of what can be stored: servers also write other charsets, and NUL."""
    shown = "".join(each if each.isprintable() else " " for each in f"{code} {message}")
    return " ".join(shown.split())[:LONGEST_REASON]
