"""Proving and changing one's password, and looking after sign-ins: one's own, and everybody's for administrators (api.md, sections 2 and 9)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.gateway.documents import rows
from services.gateway.documents.applied import Appliers
from services.gateway.documents.documents import Documents
from services.gateway.documents.documents_api import Reference, context_of
from services.gateway.documents.drafts import Draft
from services.gateway.documents.kinds.people import Password
from services.gateway.signing_in.authentication import Authentication
from services.gateway.signing_in.session_api import GivenPassword, TokenList, moment, tokens_page
from services.gateway.signing_in.sessions import Sessions, Signed
from services.gateway.signing_in.sign_in import SignIn
from services.gateway.signing_in.signed_in import Overseer, TokenHolder
from shared.contracts.directory import Person
from shared.database import Connection
from shared.eventstore.errors import UnknownStream
from shared.http import problems
from shared.http.bodies import Body, Flag
from shared.http.consistency import LAG
from shared.http.idempotency import HEADER as KEY
from shared.http.idempotency import REPLAYED, command_id, json_response
from shared.http.paging import CursorText, Limit, page
from shared.http.serving.limits import SMALL_BODY, body_limit
from shared.http.serving.routes import router as strict


class Proof(Body):
    """The password of the person who is signed in."""

    password: GivenPassword


class PasswordChange(Body):
    """`current` proves that it is you. `end_tokens`: your API tokens end too, as they should where somebody else may have made one."""

    current: GivenPassword
    new: Annotated[Password, Field(json_schema_extra={"format": "password"})]
    end_tokens: Flag = True


class SessionShown(Body):
    """A sign-in with a password. `client` is what the program called itself; `current`: the one that asks."""

    id: UUID
    created_at: datetime
    last_used_at: datetime | None
    client: str
    current: bool


class SessionList(Body):
    items: list[SessionShown]
    next_cursor: str | None


class Unchanged(Draft):
    """The person's document as it is: only the password changes."""

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Person:
        if current is None or not isinstance(current.document, Person):
            raise UnknownStream(document_id)
        return current.document


def router(
    sign_in: SignIn, sessions: Sessions, documents: Documents, appliers: Appliers, authentication: Authentication
) -> APIRouter:
    routes = strict("/api/v1", tags=["signing in"])

    async def proves(request: Request, signed: Signed, password: str, field: str) -> Person:
        """The person, if this is their password; else 422, and 429 after too many."""
        person = await _person(documents, str(signed.identity.person_id))
        if not await sign_in.proves(person, password, authentication.arrival(request.scope).address):
            raise problems.invalid(field, "is not your password")
        return person

    @routes.post(
        "/session/proof",
        status_code=204,
        operation_id="proveSession",
        summary="Prove a session with the password again",
        description=(
            "Passwords, roles, addresses, companies and API tokens need a session whose password was given within the last 15 minutes, at the "
            "sign-in or here; else they answer 403 `/problems/password-proof-needed`. API tokens cannot be proved."
        ),
    )
    @body_limit(SMALL_BODY)
    async def post_proof(request: Request, signed: TokenHolder, body: Proof) -> Response:
        await proves(request, signed, body.password, "/password")
        await sessions.prove(signed.session)
        return Response(status_code=204)

    @routes.post(
        "/session/password",
        status_code=204,
        operation_id="changePassword",
        summary="Change my password",
        description="Ends all other sessions and, unless `end_tokens` is false, all API tokens.",
    )
    @body_limit(2 * SMALL_BODY)
    async def post_password(request: Request, signed: TokenHolder, body: PasswordChange) -> Response:
        key = request.headers.get(KEY)
        command = None
        if key is not None:
            named = command_id(signed.identity.person_id, "POST", "/api/v1/session/password", key, await request.body())
            command = sessions.without_secrets(named)
            if await documents.store.response_of(command) is not None:
                return Response(status_code=204, headers={REPLAYED: "true"})
        person = await proves(request, signed, body.current, "/current")
        if body.new == body.current:
            raise problems.invalid("/new", "is your password already")
        saved = await documents.save(
            "person",
            str(person.id),
            Unchanged(),
            context_of(signed),
            password_hash=await sign_in.passwords.hash(body.new),
            keep_session=signed.session,
            end_tokens=body.end_tokens,
        )
        await sessions.prove(signed.session)
        if command is not None:
            await documents.store.append([], command=command, response={})
        applied = await appliers.wait("person", saved.row.id, saved.row.version)
        return Response(status_code=204, headers={} if applied else {LAG: "true"})

    @routes.get("/sessions", operation_id="listSessions", response_model=SessionList, summary="Where I am signed in")
    async def get_sessions(
        request: Request, signed: TokenHolder, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        return await sessions_page(request, signed, signed.identity.person_id, limit, cursor)

    @routes.delete(
        "/sessions/{session}",
        status_code=204,
        operation_id="endSession",
        summary="End a session: one's own; administrators anybody's",
    )
    async def delete_session(session: UUID, signed: TokenHolder) -> Response:
        if not await sessions.end_one(session, "session", _owner(signed)):
            raise problems.not_found()
        return Response(status_code=204)

    @routes.get(
        "/people/{reference}/sessions",
        operation_id="listSessionsOfPerson",
        response_model=SessionList,
        summary="Where somebody is signed in (administrators)",
    )
    async def get_sessions_of(
        request: Request, reference: Reference, signed: Overseer, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        person = await _person(documents, reference)
        return await sessions_page(request, signed, person.id, limit, cursor)

    @routes.get(
        "/people/{reference}/tokens",
        operation_id="listTokensOfPerson",
        response_model=TokenList,
        summary="Somebody's API tokens, without their secrets (administrators)",
    )
    async def get_tokens_of(
        request: Request, reference: Reference, signed: Overseer, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        person = await _person(documents, reference)
        return await tokens_page(request, sessions, signed, person.id, limit, cursor)

    async def sessions_page(request: Request, signed: Signed, person: UUID, limit: int, cursor: str | None) -> Response:
        cursors, query = request.app.state.cursors, ["sessions", str(person)]
        position = cursors.decode(signed.identity, query, cursor)
        found = await sessions.listed(person, "session", UUID(position[0]) if position else None, limit + 1)
        items: list[dict[str, Any]] = [
            {
                "id": str(row["id"]),
                "created_at": moment(row["created_at"]),
                "last_used_at": moment(row["last_used"]),
                "client": row["client"],
                "current": row["id"] == signed.session,
            }
            for row in found[:limit]
        ]
        more = cursors.encode(signed.identity, query, [items[-1]["id"]]) if len(found) > limit else None
        return json_response(page(items, more))

    @routes.delete(
        "/tokens/{token}",
        status_code=204,
        operation_id="revokeToken",
        summary="Revoke an API token: one's own; administrators anybody's",
    )
    async def delete_token(token: UUID, signed: TokenHolder) -> Response:
        if not await sessions.end_one(token, "token", _owner(signed)):
            raise problems.not_found()
        return Response(status_code=204)

    return routes


def _owner(signed: Signed) -> UUID | None:
    """Whose sign-ins somebody may end; None: everybody's."""
    return None if signed.identity.is_admin else signed.identity.person_id


async def _person(documents: Documents, reference: str) -> Person:
    row = await rows.find(documents.store.pool, "person", reference)
    if row is None or not isinstance(row.document, Person):
        raise problems.not_found()
    return row.document
