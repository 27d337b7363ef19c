"""What a sign-in may be used for.

An API token has scopes. A session has none: it may do all that its person may. Changes to identities and rights need a
password that was given recently (decision record 0074).
"""

from datetime import timedelta
from typing import Literal

from services.gateway.signing_in.sessions import Principal
from shared.eventstore.store import utc_now
from shared.http import problems
from shared.rules.access import Identity

Scope = Literal["read", "write", "manage", "mail", "events"]

MEANINGS: dict[Scope, str] = {
    "read": "see what the person may see",
    "write": "open tickets and give commands",
    "manage": "change the configuration (administrators)",
    "mail": "hand in raw mails (administrators)",
    "events": "follow the events of the tickets that the person may see",
}
PROOF_LASTS = timedelta(minutes=15)
FOR_ADMINISTRATORS: frozenset[Scope] = frozenset(("manage", "mail"))


def require(identity: Identity, scope: Scope) -> None:
    """Raises Problem 403 if the sign-in does not cover the scope."""
    if identity.scopes is not None and scope not in identity.scopes:
        raise problems.forbidden(f"This token does not have the scope {scope}.")
    if scope in FOR_ADMINISTRATORS and not identity.is_admin:
        raise problems.forbidden("Only administrators may do this.")


def require_session(principal: Principal) -> None:
    """Raises Problem 403 for an API token. A token never makes, lists or ends sign-ins and never changes identities or
    rights, so that it cannot outgrow its scopes."""
    if principal.kind != "session":
        raise problems.forbidden("Sign in with a password; an API token cannot do this.")


def require_proof(principal: Principal) -> None:
    """Raises Problem 403 for an API token and for a session whose password was not given recently: whoever finds an
    open session must not gain access that lasts."""
    require_session(principal)
    if principal.proved_at is None or principal.proved_at < utc_now() - PROOF_LASTS:
        raise problems.Problem(
            403, "password-proof-needed", "Give your password again first (POST /api/v1/session/proof)."
        )


def beyond(identity: Identity, scopes: list[Scope]) -> list[Scope]:
    """The scopes that exceed what the person may do."""
    return [scope for scope in scopes if scope in FOR_ADMINISTRATORS and not identity.is_admin]
