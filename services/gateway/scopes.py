"""What an API token may be used for. A session has no scopes: it may do all that its person may."""

from typing import Literal

from services.gateway.sessions import Signed
from shared.contracts.access import Identity
from shared.http import problems

Scope = Literal["read", "write", "manage", "mail"]

MEANINGS: dict[Scope, str] = {
    "read": "see what the person may see",
    "write": "open tickets and give commands",
    "manage": "change settings (administrators)",
    "mail": "hand in raw mails (administrators)",
}
FOR_ADMINISTRATORS: frozenset[Scope] = frozenset(("manage", "mail"))


def require(identity: Identity, scope: Scope) -> None:
    """Raises Problem 403 when the sign-in does not cover the scope. Mails may be handed in by tokens made for it, and administrators."""
    if identity.scopes is not None and scope not in identity.scopes:
        raise problems.forbidden(f"This token does not have the scope {scope}.")
    if scope in FOR_ADMINISTRATORS and not identity.is_admin:
        raise problems.forbidden("Only administrators may do this.")


def require_session(signed: Signed) -> None:
    """Raises Problem 403 for an API token: a token never makes, lists or ends tokens, so that it cannot outgrow its scopes."""
    if signed.kind != "session":
        raise problems.forbidden("This needs a sign-in with a password; API tokens cannot manage tokens.")


def beyond(identity: Identity, scopes: list[Scope]) -> list[Scope]:
    """Those of the scopes that exceed what the person may do."""
    return [scope for scope in scopes if scope in FOR_ADMINISTRATORS and not identity.is_admin]
