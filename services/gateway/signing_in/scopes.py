"""What a sign-in may be used for. A session has no scopes: it may do all that its person may, and what decides who is who only while it has
proved its password lately."""

from datetime import timedelta
from typing import Literal

from services.gateway.signing_in.sessions import Signed
from shared.eventstore.store import utc_now
from shared.http import problems
from shared.rules.access import Identity

Scope = Literal["read", "write", "manage", "mail"]

MEANINGS: dict[Scope, str] = {
    "read": "see what the person may see",
    "write": "open tickets and give commands",
    "manage": "change settings (administrators)",
    "mail": "hand in raw mails (administrators)",
}
PROOF_LASTS = timedelta(minutes=15)
FOR_ADMINISTRATORS: frozenset[Scope] = frozenset(("manage", "mail"))


def require(identity: Identity, scope: Scope) -> None:
    """Raises Problem 403 when the sign-in does not cover the scope. Mails may be handed in by tokens made for it, and administrators."""
    if identity.scopes is not None and scope not in identity.scopes:
        raise problems.forbidden(f"This token does not have the scope {scope}.")
    if scope in FOR_ADMINISTRATORS and not identity.is_admin:
        raise problems.forbidden("Only administrators may do this.")


def require_session(signed: Signed) -> None:
    """Raises Problem 403 for an API token: a token never makes, lists or ends sign-ins, and never decides who somebody is or what they may, so
    that it cannot outgrow its scopes."""
    if signed.kind != "session":
        raise problems.forbidden("This needs a sign-in with a password; an API token cannot do it.")


def require_proof(signed: Signed) -> None:
    """Raises Problem 403 for an API token, and for a session that has not proved its password lately: whoever finds one open must not make
    themselves one that lasts."""
    require_session(signed)
    if signed.proved_at is None or signed.proved_at < utc_now() - PROOF_LASTS:
        raise problems.Problem(
            403, "password-proof-needed", "Give your password again first: POST /api/v1/session/proof."
        )


def beyond(identity: Identity, scopes: list[Scope]) -> list[Scope]:
    """Those of the scopes that exceed what the person may do."""
    return [scope for scope in scopes if scope in FOR_ADMINISTRATORS and not identity.is_admin]
