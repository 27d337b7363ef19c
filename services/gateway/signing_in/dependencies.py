"""The sign-in of a request to the gateway's own routes, as FastAPI dependencies. They run before the body is read."""

from typing import Annotated

from fastapi import Depends, Request

from services.gateway.signing_in import scopes
from services.gateway.signing_in.authentication import Authentication
from services.gateway.signing_in.scopes import Scope
from services.gateway.signing_in.sessions import Principal
from shared.http import problems
from shared.http.before_body import before_body

PRINCIPAL = "ledgerdesk.principal"
IDENTITY = "ledgerdesk.identity"
"""Where `shared.http.identity.caller` finds who asks."""


@before_body
async def signed_in(request: Request) -> Principal:
    known: Principal | None = request.scope.get(PRINCIPAL)
    if known is None:
        authenticated: Authentication = request.app.state.authentication
        known = await authenticated(request.scope)
        request.scope[PRINCIPAL] = known
        request.scope[IDENTITY] = known.identity
    return known


@before_body
async def reader(request: Request) -> Principal:
    return await _covering(request, "read")


@before_body
async def writer(request: Request) -> Principal:
    return await _covering(request, "write")


@before_body
async def manager(request: Request) -> Principal:
    return await _covering(request, "manage")


@before_body
async def with_session(request: Request) -> Principal:
    principal = await signed_in(request)
    scopes.require_session(principal)
    return principal


@before_body
async def with_proof(request: Request) -> Principal:
    principal = await signed_in(request)
    scopes.require_proof(principal)
    return principal


@before_body
async def administrator_session(request: Request) -> Principal:
    principal = await with_session(request)
    if not principal.identity.is_admin:
        raise problems.forbidden("Only administrators may do this.")
    return principal


async def _covering(request: Request, scope: Scope) -> Principal:
    principal = await signed_in(request)
    scopes.require(principal.identity, scope)
    return principal


SignedIn = Annotated[Principal, Depends(signed_in)]
"""Any valid sign-in; else 401."""
Reader = Annotated[Principal, Depends(reader)]
"""A sign-in that covers reading; else 403."""
Writer = Annotated[Principal, Depends(writer)]
"""A sign-in that covers commands; else 403."""
Manager = Annotated[Principal, Depends(manager)]
"""An administrator whose sign-in covers the configuration; else 403."""
WithSession = Annotated[Principal, Depends(with_session)]
"""A sign-in with a password; 403 for an API token."""
WithProof = Annotated[Principal, Depends(with_proof)]
"""A session whose password was given recently; else 403."""
AdministratorSession = Annotated[Principal, Depends(administrator_session)]
"""An administrator signed in with a password; else 403."""
