"""Signing in and out, and API tokens, over HTTP (api.md, section 2)."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, AwareDatetime, Field
from starlette.types import Scope

from services.gateway.documents import rows
from services.gateway.signing_in import scopes
from services.gateway.signing_in.authentication import Authentication, cookie_of, set_cookie
from services.gateway.signing_in.scopes import Scope as TokenScope
from services.gateway.signing_in.sessions import Sessions, Signed
from services.gateway.signing_in.sign_in import SignIn
from services.gateway.signing_in.signed_in import Proven, SignedIn, TokenHolder, signed_in
from shared.contracts.directory import Person, Queue
from shared.eventstore.store import utc_now
from shared.http import problems
from shared.http.bodies import Body, Line
from shared.http.idempotency import HEADER as KEY
from shared.http.idempotency import command_id, json_response
from shared.http.paging import CursorText, Limit, page
from shared.http.serving.limits import SMALL_BODY, body_limit
from shared.http.serving.routes import router as strict
from shared.rules.access import ALL_RIGHTS


def in_utc(at: datetime | None) -> datetime | None:
    """The same moment in UTC, if there is one: 9999-12-31 west of Greenwich has none."""
    try:
        return at.astimezone(UTC) if at is not None else None
    except OverflowError:
        raise ValueError("is beyond the range of dates") from None


GivenPassword = Annotated[
    str, Field(strict=True, min_length=1, max_length=1024, json_schema_extra={"format": "password"})
]
"""A password as somebody types it, right or wrong."""
LONGEST_CLIENT = 200


class Credentials(Body):
    """A login (or e-mail address) and its password."""

    login: Annotated[Line, Field(min_length=1, max_length=254)]
    password: GivenPassword


class PersonShown(Body):
    id: UUID
    login: str
    name: str
    email: str
    roles: list[str]
    company: str | None
    language: str | None


class SessionMade(Body):
    """`token` goes into `Authorization: Bearer`; the cookie of the answer holds the same."""

    token: str
    expires_at: datetime
    person: PersonShown


class QueueNamed(Body):
    id: UUID
    slug: str
    name: str


class QueueRights(Body):
    queue: QueueNamed
    rights: list[str]


class WhoAmI(Body):
    """`scopes` is null for a session, which may do all that the person may."""

    person: PersonShown
    roles: list[str]
    rights: list[QueueRights]
    kind: str
    scopes: list[str] | None
    expires_at: datetime | None


class TokenDraft(Body):
    """What an API token is for. Without `expires_at` it lives until it is revoked."""

    name: Annotated[Line, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[TokenScope], Field(min_length=1, max_length=len(scopes.MEANINGS))]
    expires_at: Annotated[AwareDatetime | None, AfterValidator(in_utc)] = None


class TokenShown(Body):
    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenMade(Body):
    """`token` is shown here once and never again."""

    id: UUID
    token: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None


class TokenList(Body):
    items: list[TokenShown]
    next_cursor: str | None


def router(sign_in: SignIn, sessions: Sessions, authentication: Authentication) -> APIRouter:
    routes = strict("/api/v1", tags=["signing in"])
    members_only = [Depends(signed_in)]

    @routes.post("/session", status_code=201, operation_id="signIn", response_model=SessionMade, summary="Sign in")
    @body_limit(SMALL_BODY)
    async def post_session(request: Request, body: Credentials) -> Response:
        authentication.require_same_origin(request.scope, absent_is_fine=True)
        arrival = authentication.arrival(request.scope)
        person = await sign_in.check(body.login, body.password, arrival.address)
        key = request.headers.get(KEY)
        command = (
            command_id(person.id, "POST", "/api/v1/session", key, await request.body()) if key is not None else None
        )
        issued = await sessions.issue(person.id, "session", command=command, client=_client(request))
        await end_old_session(request.scope, issued.id)
        assert issued.expires_at is not None
        seconds = max(1, int((issued.expires_at - utc_now()).total_seconds()))
        return json_response(
            {"token": issued.secret, "expires_at": moment(issued.expires_at), "person": shown(person)},
            status=201,
            replayed=issued.replayed,
            headers={
                "Set-Cookie": set_cookie(issued.secret, seconds, secure=arrival.scheme == "https"),
            },
        )

    async def end_old_session(scope: Scope, new: UUID) -> None:
        """Ends the session that this browser had until now, whosever it was; a repeat of the same request has the new one already."""
        secret = cookie_of(scope)
        old = await sessions.authenticate(secret) if secret is not None else None
        if old is not None and old.kind == "session" and old.session != new:
            await sessions.end(old.session)

    @routes.get("/session", operation_id="whoAmI", response_model=WhoAmI, summary="Who I am and what I may do")
    async def get_session(signed: SignedIn) -> Response:
        identity = signed.identity
        row = await rows.find(sessions.pool, "person", str(identity.person_id))
        assert row is not None
        assert isinstance(row.document, Person)
        return json_response(
            {
                "person": shown(row.document),
                "roles": list(identity.roles),
                "rights": await rights(sessions, signed),
                "kind": signed.kind,
                "scopes": list(identity.scopes) if identity.scopes is not None else None,
                "expires_at": moment(signed.expires_at),
            }
        )

    @routes.delete(
        "/session", status_code=204, operation_id="signOut", summary="Sign out: the token is dead everywhere at once"
    )
    async def delete_session(request: Request, signed: SignedIn) -> Response:
        await sessions.end(signed.session)
        secure = authentication.arrival(request.scope).scheme == "https"
        return Response(status_code=204, headers={"Set-Cookie": set_cookie("", 0, secure=secure)})

    @routes.post(
        "/tokens",
        status_code=201,
        operation_id="createToken",
        response_model=TokenMade,
        summary="Make an API token",
        dependencies=members_only,
    )
    @body_limit(SMALL_BODY)
    async def post_token(request: Request, signed: Proven, body: TokenDraft) -> Response:
        wanted = list(dict.fromkeys(body.scopes))
        refused = scopes.beyond(signed.identity, wanted)
        if refused:
            raise problems.forbidden(f"Only administrators may give the scope {refused[0]}.")
        if body.expires_at is not None and body.expires_at <= utc_now():
            raise problems.invalid("/expires_at", "has passed already")
        key = request.headers.get(KEY)
        person = signed.identity.person_id
        command = command_id(person, "POST", "/api/v1/tokens", key, await request.body()) if key is not None else None
        issued = await sessions.issue(
            person, "token", name=body.name, scopes=wanted, expires_at=body.expires_at, command=command
        )
        return json_response(
            {
                "id": str(issued.id),
                "token": issued.secret,
                "name": body.name,
                "scopes": wanted,
                "created_at": moment(issued.created_at),
                "expires_at": moment(issued.expires_at),
            },
            status=201,
            replayed=issued.replayed,
            headers={"Location": f"/api/v1/tokens/{issued.id}"},
        )

    @routes.get(
        "/tokens", operation_id="listTokens", response_model=TokenList, summary="My API tokens, without their secrets"
    )
    async def get_tokens(
        request: Request, signed: TokenHolder, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        return await tokens_page(request, sessions, signed, signed.identity.person_id, limit, cursor)

    return routes


async def tokens_page(
    request: Request, sessions: Sessions, signed: Signed, person: UUID, limit: int, cursor: str | None
) -> Response:
    """A person's API tokens, oldest first, without their secrets."""
    cursors, query = request.app.state.cursors, ["tokens", str(person)]
    position = cursors.decode(signed.identity, query, cursor)
    found = await sessions.listed(person, "token", UUID(position[0]) if position else None, limit + 1)
    items: list[dict[str, Any]] = [
        {
            "id": str(row["id"]),
            "name": row["name"],
            "scopes": row["scopes"],
            "created_at": moment(row["created_at"]),
            "expires_at": moment(row["expires_at"]),
            "last_used_at": moment(row["last_used"]),
        }
        for row in found[:limit]
    ]
    more = cursors.encode(signed.identity, query, [items[-1]["id"]]) if len(found) > limit else None
    return json_response(page(items, more))


def _client(request: Request) -> str:
    """What the program calls itself, for the person's own list; whatever it wrote there, one line."""
    told = request.headers.get("user-agent", "")[:LONGEST_CLIENT]
    return "".join(c if c.isprintable() else " " for c in told)


async def rights(sessions: Sessions, signed: Signed) -> list[dict[str, Any]]:
    """What the person may do on which queue in use, by slug."""
    identity = signed.identity
    if not identity.is_agent:
        return []
    member = None if identity.is_admin else identity.person_id
    found = await rows.listed(sessions.pool, "queue", retired=False, after=None, member=member, limit=10_000)
    told: list[dict[str, Any]] = []
    for row in found:
        queue = row.document
        assert isinstance(queue, Queue)
        held = (
            ALL_RIGHTS
            if identity.is_admin
            else {r for m in queue.members if m.person == identity.person_id for r in m.rights}
        )
        if held:
            told.append(
                {"queue": {"id": str(queue.id), "slug": queue.slug, "name": queue.name}, "rights": sorted(held)}
            )
    return told


def shown(person: Person) -> dict[str, Any]:
    """A person to themselves and to administrators."""
    return person.model_dump(mode="json")


def moment(at: datetime | None) -> str | None:
    """RFC 3339 UTC with milliseconds, as everywhere in the API."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at is not None else None
