"""SMTP as a transport (RFC 5321). A few connections are kept open."""

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
from services.notify.sending.transports.transport import (
    PermanentFailure,
    SendResult,
    ServerUnavailable,
    TemporaryFailure,
)
from services.notify.writing.message import EncodedMail

CONNECT_SECONDS = 20.0
COMMAND_SECONDS = 60.0
IDLE_SECONDS = 10.0
FRESH_SECONDS = 1.0
"""A connection that was used within this time is not checked."""
MOST_IDLE = 4
LONGEST_REASON = 500
DEFAULT_LIMITS = Limits(Limit(5))
"""Connections to the server that carry mail to one domain at a time."""
_THROTTLED = re.compile(r"421\b|4[0-9]{2} 4\.7\.")
"""Replies that throttle us: the service is not available, or a security or policy rule defers the mail (RFC 3463,
section 3.8)."""
_CLOSING = 421
"""The reply of a server that closes the channel, to any command (RFC 5321, section 3.8)."""
_SIGN_IN = frozenset((530, 534, 535, 538))
"""Replies that demand authentication, or refuse ours (RFC 4954, section 6): the server takes no mail from us at all."""
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
        """Raises ValueError, whose message does not hold the URL: it may contain a password."""
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
    """After a 421 the library closes the channel itself, and `sendmail` reports only a lost connection.

    `closing` keeps the reply and its recipient.
    """

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

    async def send(self, mail: EncodedMail, *, again: bool) -> SendResult:
        client = await self._connected()
        try:
            with _classified():
                refused = await self._transaction(client, mail)
        except BaseException:
            client.close()
            raise
        if client.is_connected:
            self._idle.append((time.monotonic(), client))
        return SendResult(
            {who: text for who, (code, text) in refused.items() if code < 500},
            {who: text for who, (code, text) in refused.items() if code >= 500},
            tuple(who for who, (_, text) in refused.items() if _THROTTLED.match(text)),
        )

    async def _transaction(self, client: _Client, mail: EncodedMail) -> dict[str, tuple[int, str]]:
        """The refused recipients, each with code and reply."""
        options: list[str] = []
        if mail.international:
            await client.ehlo()
            if not client.supports_extension("smtputf8"):
                raise PermanentFailure("the mail server takes no addresses beyond ASCII (SMTPUTF8)")
            options = ["SMTPUTF8", "BODY=8BITMIME"]
        elif not mail.content.isascii():
            # A mail that is resent: another encoding would break its signatures. Nearly all servers that do not offer
            # 8BITMIME take eight bits anyway.
            await client.ehlo()
            options = ["BODY=8BITMIME"] if client.supports_extension("8bitmime") else []
        try:
            answers, _ = await client.sendmail(mail.sender, mail.recipients, mail.content, mail_options=options)
            refused = {who: (answer.code, _words(answer.code, answer.message)) for who, answer in answers.items()}
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = {each.recipient: (each.code, _words(each.code, each.message)) for each in error.recipients}
        except OSError as error:
            if (refusal := client.closing) is None:
                raise
            # The reply was about one recipient of several, but now nobody has the mail: it is deferred for all.
            words = f"{refusal.recipient}: {_words(refusal.code, refusal.message)}"
            raise TemporaryFailure(words, throttled=True, recipient=refusal.recipient) from error
        return refused

    async def _connected(self) -> _Client:
        """A connection that takes mails. Raises ServerUnavailable, with the server's reply if there is one."""
        try:
            return await self._client()
        except aiosmtplib.SMTPResponseException as error:
            raise ServerUnavailable(_words(error.code, error.message)) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise ServerUnavailable(
                f"the mail server does not support what it is asked for: {error.message}"[:LONGEST_REASON]
            ) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise ServerUnavailable(f"the mail server cannot be reached: {type(error).__name__}") from error

    async def _client(self) -> _Client:
        """An idle connection that is alive, or a new one."""
        while self._idle:
            since, client = self._idle.pop()
            idle = time.monotonic() - since
            if idle < FRESH_SECONDS and client.is_connected:
                return client
            if idle < IDLE_SECONDS:
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

    async def close_idle(self) -> None:
        """Closes connections that were not used for a while."""
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
def _classified() -> Iterator[None]:
    """Separates a refusal of this mail (5xx) from what may pass: a busy server, a lost connection, missing
    authentication."""
    try:
        yield
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
        words = _words(error.code, error.message)
        if error.code in _SIGN_IN:
            raise ServerUnavailable(words) from error
        if error.code >= 500:
            raise PermanentFailure(words) from error
        raise TemporaryFailure(words, throttled=bool(_THROTTLED.match(words))) from error
    except aiosmtplib.SMTPResponseException as error:
        words = _words(error.code, error.message)
        raise TemporaryFailure(words, throttled=bool(_THROTTLED.match(words))) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise TemporaryFailure(f"the connection to the mail server broke: {type(error).__name__}") from error


def _words(code: int, message: str) -> str:
    """A server's reply on one line that can be stored: some servers send other charsets, or NUL."""
    shown = "".join(each if each.isprintable() else " " for each in f"{code} {message}")
    return " ".join(shown.split())[:LONGEST_REASON]
