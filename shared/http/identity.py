"""The person behind a request, in a header that the gateway signs and a service verifies on its own.

Only the gateway has the private key, so no service can act as a person towards another service (decision record 0072).
"""

import base64
import binascii
import time
from collections import OrderedDict
from typing import Annotated

import orjson
from fastapi import Depends, Request
from pydantic import ValidationError

from shared.http import problems
from shared.http.before_body import before_body
from shared.http.keys import PublicKeys, SigningKey
from shared.rules.access import Identity

HEADER = "X-Ledgerdesk-Identity"
LIFETIME = 60
"""The most seconds that a signed identity is valid."""
_LONGEST = 8192
_KEPT = 2048
_PURPOSE = b"ledgerdesk identity\x00"


class IdentityVerifier:
    """Verifies the identities sent to one service (`audience`: its name); `application` keeps one in its state."""

    def __init__(self, keys: PublicKeys, audience: str) -> None:
        self._keys, self.audience = keys, audience
        self._known: OrderedDict[str, Identity] = OrderedDict()

    def verify(self, header: str | None) -> Identity:
        """The identity in a header's value. Raises Problem 401 for a missing, forged, expired or foreign one.

        The last valid ones are cached, because the gateway sends the same header for some seconds and a signature is
        the most expensive part of a check.
        """
        known = self._known.get(header) if header else None
        if known is not None and time.time() < known.expires:
            return known
        identity = verify(header, self.audience, self._keys)
        self._known[header or ""] = identity
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return identity


def sign(identity: Identity, audience: str, key: SigningKey, ttl: int = LIFETIME) -> str:
    """The header's value for requests to the service `audience`, valid for `ttl` seconds (at most LIFETIME)."""
    if not 0 < ttl <= LIFETIME:
        raise ValueError(f"an identity is valid for 1 to {LIFETIME} seconds, not {ttl}")
    known = identity.model_dump(mode="json", exclude_defaults=True)
    known["expires"] = int(time.time()) + ttl
    payload = base64.urlsafe_b64encode(orjson.dumps({"aud": audience, "who": known})).rstrip(b"=")
    signature = base64.urlsafe_b64encode(key.sign(_PURPOSE + payload)).rstrip(b"=")
    return f"{payload.decode()}.{signature.decode()}"


def verify(header: str | None, audience: str, keys: PublicKeys) -> Identity:
    """The identity that `sign` put into a header. Raises Problem 401 for anything else."""
    if not header:
        raise problems.unauthorized("Requests to this service must come through the gateway.")
    if len(header) > _LONGEST or not header.isascii():
        raise _refused()
    payload, _, signature = header.encode().partition(b".")
    try:
        raw = base64.b64decode(signature + b"==", altchars=b"-_", validate=True)
        as_written = base64.urlsafe_b64encode(raw).rstrip(b"=") == signature  # base64 allows several
        if not as_written or not keys.signed(_PURPOSE + payload, raw):
            raise _refused()
        claims = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        meant_for, identity = claims["aud"], Identity.model_validate(claims["who"])
    except (ValueError, KeyError, TypeError, binascii.Error, ValidationError):
        raise _refused() from None
    now = time.time()
    if meant_for != audience or not now < identity.expires <= now + LIFETIME + 5:
        raise _refused()
    return identity


@before_body
async def caller(request: Request) -> Identity:
    """FastAPI dependency: the caller's identity; 401 without a valid one. Use as `Caller`."""
    verifier: IdentityVerifier = request.app.state.identity
    known: Identity | None = request.scope.get("ledgerdesk.identity")
    if known is None:
        known = verifier.verify(request.headers.get(HEADER))
        request.scope["ledgerdesk.identity"] = known
    return known


Caller = Annotated[Identity, Depends(caller)]
"""Parameter type of a route that needs to know its caller: `async def lock(who: Caller, ...)`."""


@before_body
async def service_only(request: Request) -> Identity:
    """FastAPI dependency of `/internal` routes: 404 for everybody except the services themselves."""
    who = await caller(request)
    if who.kind != "service":
        raise problems.not_found()
    return who


def _refused() -> problems.Problem:
    return problems.unauthorized("The identity of this request is not valid.")
