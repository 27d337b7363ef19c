"""Access tokens of OAuth 2 for mailboxes (RFC 6749, section 6): asked for when the last one ends, and never kept on disk."""

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
from services.intake.transports.mailboxes.errors import Refused, Trouble, words
from services.intake.transports.mailboxes.secrets import secret
from shared.contracts.directory import Mailbox, OAuth2
from shared.database import Pool

log = logging.getLogger(__name__)

SECONDS = 20.0
EARLY_SECONDS = 120.0
"""A token is given up so long before its end, so that none ends on its way."""
DEFAULT_LIFETIME = 600.0
LONGEST_LIFETIME = 86_400.0
MOST_BYTES = 64 * 1024
_CODE = re.compile(r"[a-z_]{1,60}")
"""A reason as RFC 6749, section 5.2, has them."""

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


class Tokens:
    """`folder` holds the secrets. A token endpoint that gives a new refresh token with each answer ends the old one sooner or later, so that
    the new one is kept, encrypted with a key made of the configured one: who replaces that secret begins anew with it."""

    def __init__(self, pool: Pool, folder: Path | None, destinations: Destinations) -> None:
        self.pool, self.folder, self.destinations = pool, folder, destinations
        self._known: dict[UUID, _Access] = {}
        self._unsaved: dict[UUID, tuple[bytes | None, bytes]] = {}
        """Mailbox -> what the database has, and the newest refresh token that it does not have yet, encrypted: the old one may be void."""

    async def access(self, mailbox: Mailbox, credential: OAuth2) -> str:
        """An access token with some time left. Raises Trouble, Refused when only a person can help, what says that there is no database."""
        known = self._known.get(mailbox.id)
        if known is not None and known.credential == credential and time.monotonic() < known.until:
            return known.token
        configured = secret(self.folder, credential.refresh_token)
        box = Fernet(_key(configured))
        kept: bytes | None = await self.pool.fetchval(LOAD, mailbox.id)
        newest = self._unsaved_of(mailbox, kept, box) or _opened(kept, box)
        try:
            token, lifetime, refresh = await self._ask(credential, newest or configured)
        except Refused:
            self._unsaved.pop(mailbox.id, None)
            if newest is None:
                raise
            newest = None
            token, lifetime, refresh = await self._ask(credential, configured)
        if refresh is not None and refresh != (newest or configured):
            self._unsaved[mailbox.id] = (kept, box.encrypt(refresh.encode()))
        if mailbox.id in self._unsaved:
            await self.pool.execute(SAVE, mailbox.id, self._unsaved[mailbox.id][1])
            del self._unsaved[mailbox.id]
        self._known[mailbox.id] = _Access(token, time.monotonic() + lifetime, credential)
        return token

    def forget(self, mailbox: Mailbox) -> None:
        """The server did not like the token: the next one is a new one."""
        self._known.pop(mailbox.id, None)

    def _unsaved_of(self, mailbox: Mailbox, kept: bytes | None, box: Fernet) -> str | None:
        """The refresh token that came last, if the database still has what it had then and the configured one is the same."""
        before, unsaved = self._unsaved.get(mailbox.id, (None, None))
        token = _opened(unsaved, box) if before == kept else None
        if token is None:
            self._unsaved.pop(mailbox.id, None)
        return token

    async def _posted(self, url: URL, form: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body of the answer."""
        try:
            targets = await asyncio.to_thread(self.destinations.resolve, url.raw_host or "", url.port or 0)
        except Trouble as error:
            raise type(error)(f"the token endpoint: {error}") from error
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_Resolved(targets)), cookie_jar=aiohttp.DummyCookieJar()
            ) as client,
            client.post(url, data=form, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
        ):
            return answer.status, await _read(answer)

    async def _ask(self, credential: OAuth2, refresh: str) -> tuple[str, float, str | None]:
        """Token, seconds that it may be used, new refresh token."""
        form = {"grant_type": "refresh_token", "client_id": credential.client_id, "refresh_token": refresh}
        if credential.client_secret is not None:
            form["client_secret"] = secret(self.folder, credential.client_secret)
        if credential.scope:
            form["scope"] = credential.scope
        try:
            async with asyncio.timeout(SECONDS):
                status, body = await self._posted(URL(credential.token_endpoint), form)
        except Trouble:
            raise
        except (aiohttp.ClientConnectorError, TimeoutError) as error:
            raise Trouble(f"the token endpoint does not answer: {words(error)}") from error
        except (aiohttp.ClientError, OSError) as error:  # its words may be those of whatever listens there
            raise Trouble(f"the token endpoint does not answer as one does: {type(error).__name__}") from None
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError:
            told = None
        if not isinstance(told, dict):
            raise Trouble(f"the token endpoint answers {status} with what is no JSON object")
        if status in (400, 401, 403):
            code = told.get("error")
            if not isinstance(code, str) or not _CODE.fullmatch(code):
                raise Refused(f"the token endpoint refuses with {status}, and does not say why as one does")
            raise Refused(words(Trouble(f"the token endpoint refuses: {code}: {told.get('error_description', '')}")))
        token, refreshed = told.get("access_token"), told.get("refresh_token")
        if status != 200 or not isinstance(token, str) or not _is_token(token):
            raise Trouble(f"the token endpoint answers {status} without an access token")
        lifetime = told.get("expires_in", DEFAULT_LIFETIME)
        lifetime = float(lifetime) if isinstance(lifetime, int | float) else DEFAULT_LIFETIME
        usable = max(min(lifetime, LONGEST_LIFETIME) - EARLY_SECONDS, 0.0)
        return token, usable, refreshed if isinstance(refreshed, str) and refreshed else None


class _Resolved(AbstractResolver):
    """Knows only where the connection may go, whatever it is asked."""

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
            raise Trouble("the token endpoint answers with too much")
    return bytes(body)


def _is_token(text: str) -> bool:
    """As it may stand in a command (RFC 6750, section 2.1)."""
    return 0 < len(text) <= 20_000 and all("!" <= c <= "~" for c in text)


def _opened(kept: bytes | None, box: Fernet) -> str | None:
    if kept is None:
        return None
    try:
        return box.decrypt(kept).decode()
    except InvalidToken:  # the configured one was replaced
        return None


def _key(configured: str) -> bytes:
    """The key that only who has the configured refresh token knows. It is long and random, so that one hash is enough."""
    return base64.urlsafe_b64encode(hmac.digest(b"ledgerdesk refresh token", configured.encode(), hashlib.sha256))
