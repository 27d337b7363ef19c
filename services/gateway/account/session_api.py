"""One's own session over HTTP: sign in and out, prove and change the password."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from starlette.types import Scope

from services.gateway import document_rows
from services.gateway.documents.documents import Documents, NewPassword
from services.gateway.documents.documents_api import context_of
from services.gateway.documents.kinds.people import ChosenPassword
from services.gateway.documents.propagation import Propagation
from services.gateway.signing_in.authentication import Authentication, cookie_of, set_cookie
from services.gateway.signing_in.dependencies import SignedIn, WithSession
from services.gateway.signing_in.sessions import Principal, Sessions, Superseded, still_valid
from services.gateway.signing_in.sign_in import WRONG, SignIn
from shared.contracts.directory import Notice, Person, Queue
from shared.contracts.marks.open_values import Known
from shared.database import Connection, Pool
from shared.eventstore.store import utc_now
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.idempotency import HEADER as KEY
from shared.http.headers.idempotency import REPLAYED, command_id, json_response
from shared.http.references import QueueNamed
from shared.http.routes import router as strict
from shared.http.serving.limits import SMALL_BODY, body_limit
from shared.input_types import Flag, Line
from shared.rules.access import ALL_RIGHTS, Identity
from shared.timestamps import timestamp

GivenPassword = Annotated[
    str, Field(strict=True, min_length=1, max_length=1024, json_schema_extra={"format": "password"})
]
"""A password to check, right or wrong."""
LONGEST_CLIENT = 200


class Credentials(Body):
    """A login or e-mail address, and the password."""

    login: Annotated[Line, Field(min_length=1, max_length=254)]
    password: GivenPassword


class PersonShown(Body):
    model_config = example(
        story.AGENT
        | {
            "login": "eva",
            "email": "eva@help.example.org",
            "roles": ["agent"],
            "company": None,
            "language": "nb",
            "follows": [story.QUEUE["id"]],
            "notices": ["follow_up"],
            "timezone": "Europe/Oslo",
        }
    )

    id: UUID
    login: str
    name: str
    email: str
    roles: list[str]
    company: str | None
    language: str | None
    follows: list[UUID]
    notices: list[Annotated[str, Known(Notice)]]
    timezone: str | None


class SessionMade(Body):
    """Send `token` as `Authorization: Bearer`; the cookie of the answer holds the same."""

    token: Annotated[str, Field(examples=["the-token-of-the-session"])]
    expires_at: Annotated[datetime, Field(examples=[story.LATER])]
    person: PersonShown


class QueueRights(Body):
    queue: QueueNamed
    rights: Annotated[list[str], Field(examples=[["read", "note", "work"]])]


class WhoAmI(Body):
    """`scopes` is null for a session, which may do all that the person may.

    `password_must_change`: somebody else has set the password, and it has to be changed before anything else.
    """

    person: PersonShown
    roles: Annotated[list[str], Field(examples=[["agent"]])]
    rights: list[QueueRights]
    kind: Annotated[str, Field(examples=["session"])]
    scopes: list[str] | None
    expires_at: datetime | None
    password_must_change: bool


class Proof(Body):
    """The password of the person who is signed in."""

    password: GivenPassword


class PasswordChange(Body):
    """`current` proves who you are.

    `end_tokens`: your API tokens end too, as they should if somebody else may have made one.
    """

    current: GivenPassword
    new: Annotated[ChosenPassword, Field(json_schema_extra={"format": "password"})]
    end_tokens: Flag = True


def router(
    sign_in: SignIn, sessions: Sessions, documents: Documents, propagation: Propagation, authentication: Authentication
) -> APIRouter:
    routes = strict("/api/v1/session", tags=["signing in"])

    async def end_previous_session(scope: Scope, new: UUID) -> None:
        """Ends the session in the cookie of this browser, even of another person.

        A repeat of the same request has the new one already.
        """
        secret = cookie_of(scope)
        old = await sessions.authenticate(secret) if secret is not None else None
        if old is not None and old.kind == "session" and old.session != new:
            await sessions.end(old.session)

    async def require_password(request: Request, principal: Principal, password: str, field: str) -> Person:
        """The person. Raises Problem 422 for a wrong password, 429 for too many."""
        person = await _person(sessions.pool, principal.identity)
        if not await sign_in.proves(person, password, authentication.arrival(request.scope).address):
            raise problems.invalid(field, "This is not your password.")
        return person

    async def renewed_cookie(request: Request, principal: Principal) -> dict[str, str]:
        """The cookie with a new secret: whoever has read the old one is out. A client with a bearer token keeps it,
        because it would not learn the new one."""
        assert principal.expires_at is not None
        secret = await sessions.replace_secret(principal.session)
        seconds = max(1, int((principal.expires_at - utc_now()).total_seconds()))
        secure = authentication.arrival(request.scope).scheme == "https"
        return {"Set-Cookie": set_cookie(secret, seconds, secure=secure)}

    @routes.post("", status_code=201, operation_id="signIn", response_model=SessionMade, summary="Sign in")
    @body_limit(SMALL_BODY)
    async def post_session(request: Request, body: Credentials) -> Response:
        authentication.require_same_origin(request.scope, absent_is_fine=True)
        arrival = authentication.arrival(request.scope)
        person, since = await sign_in.check(body.login, body.password, arrival.address)
        key = request.headers.get(KEY)
        command = (
            command_id(person.id, "POST", "/api/v1/session", key, await request.body()) if key is not None else None
        )
        try:
            issued = await sessions.issue(person.id, "session", command=command, client=_client(request), by=since)
        except Superseded as error:
            raise problems.unauthorized(WRONG) from error
        await end_previous_session(request.scope, issued.id)
        assert issued.expires_at is not None
        seconds = max(1, int((issued.expires_at - utc_now()).total_seconds()))
        return json_response(
            {"token": issued.secret, "expires_at": timestamp(issued.expires_at), "person": _shown(person)},
            status=201,
            replayed=issued.replayed,
            headers={"Set-Cookie": set_cookie(issued.secret, seconds, secure=arrival.scheme == "https")},
        )

    @routes.get("", operation_id="whoAmI", response_model=WhoAmI, summary="Who I am and what I may do")
    async def get_session(principal: SignedIn) -> Response:
        identity = principal.identity
        return json_response(
            {
                "person": _shown(await _person(sessions.pool, identity)),
                "roles": list(identity.roles),
                "rights": await _rights(sessions.pool, identity),
                "kind": principal.kind,
                "scopes": list(identity.scopes) if identity.scopes is not None else None,
                "expires_at": timestamp(principal.expires_at),
                "password_must_change": principal.must_change,
            }
        )

    @routes.delete("", status_code=204, operation_id="signOut", summary="Sign out: the token ends at once")
    async def delete_session(request: Request, principal: SignedIn) -> Response:
        await sessions.end(principal.session)
        secure = authentication.arrival(request.scope).scheme == "https"
        return Response(status_code=204, headers={"Set-Cookie": set_cookie("", 0, secure=secure)})

    @routes.post(
        "/proof",
        status_code=204,
        operation_id="proveSession",
        summary="Prove a session with the password again",
        description=(
            "Changes to passwords, roles, addresses, companies and API tokens need a session whose password was given "
            "within the last 15 minutes, at the sign-in or here; else they answer 403 "
            "`/problems/password-proof-needed`. API tokens cannot be proved."
        ),
    )
    @body_limit(SMALL_BODY)
    async def post_proof(request: Request, principal: WithSession, body: Proof) -> Response:
        await require_password(request, principal, body.password, "/password")
        await sessions.prove(principal.session)
        return Response(status_code=204)

    @routes.post(
        "/password",
        status_code=204,
        operation_id="changePassword",
        summary="Change my password",
        description=(
            "Ends all other sessions and, unless `end_tokens` is false, all API tokens. The person is told by mail. A "
            "request with the session cookie gets a new cookie; the old one is dead. A bearer token stays."
        ),
    )
    @body_limit(2 * SMALL_BODY)
    async def post_password(request: Request, principal: WithSession, body: PasswordChange) -> Response:
        key = request.headers.get(KEY)
        command = None
        if key is not None:
            named = command_id(
                principal.identity.person_id, "POST", "/api/v1/session/password", key, await request.body()
            )
            command = sessions.without_secrets(named)
            if await documents.store.response_of(command) is not None:
                return Response(status_code=204, headers={REPLAYED: "true"})
        person = await require_password(request, principal, body.current, "/current")
        if body.new == body.current:
            raise problems.invalid("/new", "This is your password already.")
        new = NewPassword(
            await sign_in.passwords.hash(body.new), principal.session, body.end_tokens, told="password_changed"
        )

        async def still_signed_in(connection: Connection) -> None:
            """Another change of the password may have ended this session since it was looked at."""
            if not await still_valid(connection, principal.session):
                raise problems.unauthorized("The sign-in has ended. Sign in again.")

        saved = await documents.change_person(
            person.id, lambda unchanged: unchanged, context_of(principal), password=new, also=still_signed_in
        )
        await sessions.prove(principal.session)
        if command is not None:
            await documents.store.append([], command=command, response={})
        headers = await propagation.lag(saved.row)
        if "authorization" not in request.headers:
            headers |= await renewed_cookie(request, principal)
        return Response(status_code=204, headers=headers)

    return routes


async def _person(pool: Pool, identity: Identity) -> Person:
    row = await document_rows.find(pool, "person", str(identity.person_id))
    assert row is not None
    assert isinstance(row.document, Person)
    return row.document


def _shown(person: Person) -> dict[str, Any]:
    """A person to themselves."""
    return person.model_dump(mode="json", exclude={"absence"})


def _client(request: Request) -> str:
    """What the client program calls itself, on one line, for the person's list of sessions."""
    given = request.headers.get("user-agent", "")[:LONGEST_CLIENT]
    return "".join(c if c.isprintable() else " " for c in given)


async def _rights(pool: Pool, identity: Identity) -> list[dict[str, Any]]:
    """The person's rights on each queue in use, by slug."""
    if not identity.is_agent:
        return []
    member = None if identity.is_admin else identity.person_id
    shown: list[dict[str, Any]] = []
    for row in await document_rows.listed(pool, "queue", retired=False, after=None, member=member, limit=10_000):
        queue = row.document
        assert isinstance(queue, Queue)
        own = {right for m in queue.members if m.person == identity.person_id for right in m.rights}
        held = ALL_RIGHTS if identity.is_admin else own
        if held:
            named = {"id": str(queue.id), "slug": queue.slug, "name": queue.name}
            shown.append({"queue": named, "rights": sorted(held)})
    return shown
