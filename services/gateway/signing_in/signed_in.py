"""The sign-in of a request to the gateway's own routes, as FastAPI dependencies that are asked before a body is read."""

from typing import Annotated

from fastapi import Depends, Request

from services.gateway.signing_in import scopes
from services.gateway.signing_in.authentication import Authentication
from services.gateway.signing_in.sessions import Signed
from shared.http import problems
from shared.http.before_body import before_body

IDENTITY = "ledgerdesk.identity"
"""Where `shared.http.identity.caller` keeps who asks: the gateway puts there whom it has just authenticated itself."""


@before_body
async def signed_in(request: Request) -> Signed:
    """401 without a valid sign-in. Use as `SignedIn`."""
    known: Signed | None = request.scope.get("ledgerdesk.signed")
    if known is None:
        authenticated: Authentication = request.app.state.authentication
        known = await authenticated(request.scope)
        request.scope["ledgerdesk.signed"] = known
        request.scope[IDENTITY] = known.identity
    return known


SignedIn = Annotated[Signed, Depends(signed_in)]


@before_body
async def reader(request: Request) -> Signed:
    """Somebody whose sign-in covers reading. Use as `Reader`."""
    signed = await signed_in(request)
    scopes.require(signed.identity, "read")
    return signed


@before_body
async def writer(request: Request) -> Signed:
    """Somebody whose sign-in covers commands. Use as `Writer`."""
    signed = await signed_in(request)
    scopes.require(signed.identity, "write")
    return signed


@before_body
async def manager(request: Request) -> Signed:
    """An administrator whose sign-in covers settings; else 403. Use as `Manager`."""
    signed = await signed_in(request)
    scopes.require(signed.identity, "manage")
    return signed


@before_body
async def token_holder(request: Request) -> Signed:
    """Somebody signed in with a password; else 403. Use as `TokenHolder`."""
    signed = await signed_in(request)
    scopes.require_session(signed)
    return signed


@before_body
async def proven(request: Request) -> Signed:
    """Somebody whose session proved its password lately; else 403. Use as `Proven`."""
    signed = await signed_in(request)
    scopes.require_proof(signed)
    return signed


@before_body
async def overseer(request: Request) -> Signed:
    """An administrator signed in with a password; else 403. Use as `Overseer`."""
    signed = await signed_in(request)
    scopes.require_session(signed)
    if not signed.identity.is_admin:
        raise problems.forbidden("Only administrators may do this.")
    return signed


Reader = Annotated[Signed, Depends(reader)]
Writer = Annotated[Signed, Depends(writer)]
Manager = Annotated[Signed, Depends(manager)]
TokenHolder = Annotated[Signed, Depends(token_holder)]
Proven = Annotated[Signed, Depends(proven)]
Overseer = Annotated[Signed, Depends(overseer)]
