"""Access tokens of OAuth 2 for mailboxes (RFC 6749, section 6): requested when the last one expires, and never stored
on disk."""

import asyncio
import base64
import hashlib
import hmac
import logging
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography.fernet import Fernet, InvalidToken
from yarl import URL

from services.intake.transports.mailboxes.destinations import Destinations, Target
from services.intake.transports.mailboxes.errors import MailboxError, PermanentMailboxError, describe
from services.intake.transports.mailboxes.secrets import secret
from shared.contracts.directory import Mailbox, OAuth2
from shared.database import Pool

log = logging.getLogger(__name__)

SECONDS = 20.0
EARLY_SECONDS = 120.0
"""A token is replaced so long before it expires, so that none expires while it is used."""
DEFAULT_LIFETIME = 600.0
LONGEST_LIFETIME = 86_400.0
MOST_BYTES = 64 * 1024
_CODE = re.compile(r"[a-z_]{1,60}")
"""An error code (RFC 6749, section 5.2)."""

LOAD = "SELECT refresh_token FROM intake.mailboxes WHERE mailbox_id = $1"
SAVE = """
INSERT INTO intake.mailboxes (mailbox_id, refresh_token) VALUES ($1, $2)
    ON CONFLICT (mailbox_id) DO UPDATE SET refresh_token = $2
"""


@dataclass(frozen=True, slots=True)
class _Access:
    token: str
    until: float
    credential: OAuth2


class AccessTokens:
    """`secrets` is the folder with the secrets. A token endpoint may give a new refresh token with each answer, and the
    old one expires. So the new one is stored, encrypted with a key made of the configured one: replacing that secret
    replaces the stored token too."""

    def __init__(self, pool: Pool, secrets: Path | None, destinations: Destinations) -> None:
        self.pool, self.secrets, self.destinations = pool, secrets, destinations
        self._cached: dict[UUID, _Access] = {}
        self._unsaved: dict[UUID, tuple[bytes | None, bytes]] = {}
        """Mailbox -> the stored refresh token, and the newest one that is not stored yet, both encrypted. The stored
        one may have expired."""

    async def get(self, mailbox: Mailbox, credential: OAuth2) -> str:
        """An access token that does not expire soon. Raises MailboxError, PermanentMailboxError, and what the database
        raises."""
        cached = self._cached.get(mailbox.id)
        if cached is not None and cached.credential == credential and time.monotonic() < cached.until:
            return cached.token
        configured = secret(self.secrets, credential.refresh_token)
        cipher = Fernet(_key(configured))
        stored: bytes | None = await self.pool.fetchval(LOAD, mailbox.id)
        newest = self._newest_unsaved(mailbox, stored, cipher) or _decrypted(stored, cipher)
        try:
            token, lifetime, refresh = await self._ask(credential, newest or configured)
        except PermanentMailboxError:
            self._unsaved.pop(mailbox.id, None)
            if newest is None:
                raise
            newest = None
            token, lifetime, refresh = await self._ask(credential, configured)
        if refresh is not None and refresh != (newest or configured):
            self._unsaved[mailbox.id] = (stored, cipher.encrypt(refresh.encode()))
        if mailbox.id in self._unsaved:
            await self.pool.execute(SAVE, mailbox.id, self._unsaved[mailbox.id][1])
            del self._unsaved[mailbox.id]
        self._cached[mailbox.id] = _Access(token, time.monotonic() + lifetime, credential)
        return token

    def forget(self, mailbox: Mailbox) -> None:
        """The server refused the token: the next one is requested anew."""
        self._cached.pop(mailbox.id, None)

    def _newest_unsaved(self, mailbox: Mailbox, stored: bytes | None, cipher: Fernet) -> str | None:
        """The newest refresh token, if neither the stored one nor the configured one has changed since it came."""
        before, unsaved = self._unsaved.get(mailbox.id, (None, None))
        token = _decrypted(unsaved, cipher) if before == stored else None
        if token is None:
            self._unsaved.pop(mailbox.id, None)
        return token

    async def _post(self, url: URL, form: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of the response."""
        try:
            targets = await asyncio.to_thread(self.destinations.resolve, url.raw_host or "", url.port or 0)
        except MailboxError as error:
            raise type(error)(f"the token endpoint: {error}") from error
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_FixedResolver(targets)), cookie_jar=aiohttp.DummyCookieJar()
            ) as client,
            client.post(url, data=form, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
        ):
            return answer.status, await _read(answer)

    async def _ask(self, credential: OAuth2, refresh: str) -> tuple[str, float, str | None]:
        """The access token, the seconds for which it may be used, and a new refresh token."""
        form = {"grant_type": "refresh_token", "client_id": credential.client_id, "refresh_token": refresh}
        if credential.client_secret is not None:
            form["client_secret"] = secret(self.secrets, credential.client_secret)
        if credential.scope:
            form["scope"] = credential.scope
        try:
            async with asyncio.timeout(SECONDS):
                status, body = await self._post(URL(credential.token_endpoint), form)
        except MailboxError:
            raise
        except (aiohttp.ClientConnectorError, TimeoutError) as error:
            raise MailboxError(f"the token endpoint does not answer: {describe(error)}") from error
        except (aiohttp.ClientError, OSError) as error:  # its text may be that of some other server
            raise MailboxError(f"the token endpoint gives no usable response: {type(error).__name__}") from None
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError:
            told = None
        if not isinstance(told, dict):
            raise MailboxError(f"the token endpoint answers {status}, and the body is not a JSON object")
        if status in (400, 401, 403):
            code = told.get("error")
            if not isinstance(code, str) or not _CODE.fullmatch(code):
                raise PermanentMailboxError(f"the token endpoint refuses with {status} and without an error code")
            raise PermanentMailboxError(
                describe(MailboxError(f"the token endpoint refuses: {code}: {told.get('error_description', '')}"))
            )
        token, refreshed = told.get("access_token"), told.get("refresh_token")
        if status != 200 or not isinstance(token, str) or not _is_token(token):
            raise MailboxError(f"the token endpoint answers {status} without an access token")
        lifetime = told.get("expires_in", DEFAULT_LIFETIME)
        lifetime = float(lifetime) if isinstance(lifetime, int | float) else DEFAULT_LIFETIME
        usable = max(min(lifetime, LONGEST_LIFETIME) - EARLY_SECONDS, 0.0)
        return token, usable, refreshed if isinstance(refreshed, str) and refreshed else None


class _FixedResolver(AbstractResolver):
    """Resolves every name to the addresses that were checked."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=target.address, port=target.port, family=target.family, proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for target in self._targets
        ]  # fmt: skip

    async def close(self) -> None:
        """There is nothing to close."""


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise MailboxError("the response of the token endpoint is too large")
    return bytes(body)


def _is_token(text: str) -> bool:
    """Whether a token may be part of a command (RFC 6750, section 2.1)."""
    return 0 < len(text) <= 20_000 and all("!" <= c <= "~" for c in text)


def _decrypted(stored: bytes | None, cipher: Fernet) -> str | None:
    if stored is None:
        return None
    try:
        return cipher.decrypt(stored).decode()
    except InvalidToken:  # the configured one was replaced
        return None


def _key(configured: str) -> bytes:
    """A key made of the configured refresh token. That is long and random, so one hash is enough."""
    return base64.urlsafe_b64encode(hmac.digest(b"ledgerdesk refresh token", configured.encode(), hashlib.sha256))
