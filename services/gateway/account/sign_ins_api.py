"""Sessions and API tokens over HTTP: one's own, and everybody's for administrators."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, AwareDatetime, Field

from services.gateway import document_rows
from services.gateway.documents.documents_api import Reference
from services.gateway.signing_in import scopes
from services.gateway.signing_in.dependencies import AdministratorSession, WithProof, WithSession
from services.gateway.signing_in.scopes import Scope
from services.gateway.signing_in.sessions import Kind, Principal, Sessions, Superseded
from shared.eventstore.store import utc_now
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.idempotency import HEADER as KEY
from shared.http.headers.idempotency import command_id, json_response
from shared.http.paging import CursorText, Limit, page
from shared.http.routes import router as strict
from shared.http.serving.limits import SMALL_BODY, body_limit
from shared.input_types import Line
from shared.timestamps import timestamp

Shown = dict[str, Any]
TOKEN = {
    "id": story.TOKEN,
    "name": "nightly export",
    "scopes": ["read"],
    "created_at": story.OPENED_AT,
    "expires_at": story.LATER,
}


def _in_utc(at: datetime | None) -> datetime | None:
    """The same moment in UTC. Late on 9999-12-31 west of Greenwich, there is none."""
    try:
        return at.astimezone(UTC) if at is not None else None
    except OverflowError:
        raise ValueError("This date is too late.") from None


class TokenDraft(Body):
    """What an API token is for. Without `expires_at` it lasts until it is revoked."""

    name: Annotated[Line, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(scopes.MEANINGS))]
    expires_at: Annotated[AwareDatetime | None, AfterValidator(_in_utc)] = None


class TokenShown(Body):
    model_config = example(TOKEN | {"last_used_at": story.ANSWERED_AT})

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenMade(Body):
    """`token` is shown here once and never again."""

    model_config = example(TOKEN | {"token": "the-secret-of-the-token"})

    id: UUID
    token: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None


class TokenList(Body):
    items: list[TokenShown]
    next_cursor: str | None


class SessionShown(Body):
    """A sign-in with a password.

    `client` is what the client program calls itself; `current` marks the session that asks.
    """

    model_config = example(
        {
            "id": story.SESSION,
            "created_at": story.OPENED_AT,
            "last_used_at": story.ANSWERED_AT,
            "client": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "current": True,
        }
    )

    id: UUID
    created_at: datetime
    last_used_at: datetime | None
    client: str
    current: bool


class SessionList(Body):
    items: list[SessionShown]
    next_cursor: str | None


def router(sessions: Sessions) -> APIRouter:
    routes = strict("/api/v1", tags=["signing in"])

    async def listed(
        request: Request, principal: Principal, kind: Kind, person: UUID, limit: int, cursor: str | None
    ) -> Response:
        """A page of a person's sessions or tokens, oldest first."""
        cursors, query = request.app.state.cursors, [f"{kind}s", str(person)]
        position = cursors.decode(principal.identity, query, cursor)
        found = await sessions.listed(person, kind, UUID(position[0]) if position else None, limit + 1)
        show: Callable[[asyncpg.Record, Principal], Shown] = _session if kind == "session" else _token
        items = [show(row, principal) for row in found[:limit]]
        more = cursors.encode(principal.identity, query, [items[-1]["id"]]) if len(found) > limit else None
        return json_response(page(items, more))

    async def ended(principal: Principal, kind: Kind, which: UUID) -> Response:
        """Ends a session or token of the person, or of anybody for an administrator. Raises Problem 404."""
        owner = None if principal.identity.is_admin else principal.identity.person_id
        if not await sessions.end_one(which, kind, owner):
            raise problems.not_found()
        return Response(status_code=204)

    async def id_of_person(reference: str) -> UUID:
        row = await document_rows.find(sessions.pool, "person", reference)
        if row is None:
            raise problems.not_found()
        return row.id

    @routes.post(
        "/tokens", status_code=201, operation_id="createToken", response_model=TokenMade, summary="Make an API token"
    )
    @body_limit(SMALL_BODY)
    async def post_token(request: Request, principal: WithProof, body: TokenDraft) -> Response:
        wanted = list(dict.fromkeys(body.scopes))
        refused = scopes.beyond(principal.identity, wanted)
        if refused:
            raise problems.forbidden(f"Only administrators may give the scope {refused[0]}.")
        if body.expires_at is not None and body.expires_at <= utc_now():
            raise problems.invalid("/expires_at", "This time has passed already.")
        key = request.headers.get(KEY)
        person = principal.identity.person_id
        command = command_id(person, "POST", "/api/v1/tokens", key, await request.body()) if key is not None else None
        try:
            issued = await sessions.issue(
                person,
                "token",
                name=body.name,
                scopes=wanted,
                expires_at=body.expires_at,
                command=command,
                by=principal.session,
            )
        except Superseded as error:
            raise problems.unauthorized("The sign-in has ended. Sign in again.") from error
        return json_response(
            {
                "id": str(issued.id),
                "token": issued.secret,
                "name": body.name,
                "scopes": wanted,
                "created_at": timestamp(issued.created_at),
                "expires_at": timestamp(issued.expires_at),
            },
            status=201,
            replayed=issued.replayed,
            headers={"Location": f"/api/v1/tokens/{issued.id}"},
        )

    @routes.get(
        "/tokens", operation_id="listTokens", response_model=TokenList, summary="My API tokens, without their secrets"
    )
    async def get_tokens(
        request: Request, principal: WithSession, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        return await listed(request, principal, "token", principal.identity.person_id, limit, cursor)

    @routes.delete(
        "/tokens/{token}",
        status_code=204,
        operation_id="revokeToken",
        summary="Revoke an API token: one's own; administrators anybody's",
    )
    async def delete_token(token: UUID, principal: WithSession) -> Response:
        return await ended(principal, "token", token)

    @routes.get("/sessions", operation_id="listSessions", response_model=SessionList, summary="Where I am signed in")
    async def get_sessions(
        request: Request, principal: WithSession, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        return await listed(request, principal, "session", principal.identity.person_id, limit, cursor)

    @routes.delete(
        "/sessions/{session}",
        status_code=204,
        operation_id="endSession",
        summary="End a session: one's own; administrators anybody's",
    )
    async def delete_session(session: UUID, principal: WithSession) -> Response:
        return await ended(principal, "session", session)

    @routes.get(
        "/people/{reference}/sessions",
        operation_id="listSessionsOfPerson",
        response_model=SessionList,
        summary="Where somebody is signed in (administrators)",
    )
    async def get_sessions_of(
        request: Request,
        reference: Reference,
        principal: AdministratorSession,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Response:
        return await listed(request, principal, "session", await id_of_person(reference), limit, cursor)

    @routes.get(
        "/people/{reference}/tokens",
        operation_id="listTokensOfPerson",
        response_model=TokenList,
        summary="Somebody's API tokens, without their secrets (administrators)",
    )
    async def get_tokens_of(
        request: Request,
        reference: Reference,
        principal: AdministratorSession,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Response:
        return await listed(request, principal, "token", await id_of_person(reference), limit, cursor)

    return routes


def _session(row: asyncpg.Record, principal: Principal) -> Shown:
    return {
        "id": str(row["id"]),
        "created_at": timestamp(row["created_at"]),
        "last_used_at": timestamp(row["last_used"]),
        "client": row["client"],
        "current": row["id"] == principal.session,
    }


def _token(row: asyncpg.Record, _: Principal) -> Shown:
    """A token without its secret."""
    return {
        "id": str(row["id"]),
        "name": row["name"],
        "scopes": row["scopes"],
        "created_at": timestamp(row["created_at"]),
        "expires_at": timestamp(row["expires_at"]),
        "last_used_at": timestamp(row["last_used"]),
    }
