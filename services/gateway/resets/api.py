"""A new password by a mailed link (A19.07), for whoever cannot sign in."""

from typing import Annotated
from uuid import uuid5

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from services.gateway import document_rows, reset_links
from services.gateway.documents.documents import Documents, NewPassword
from services.gateway.documents.kinds.people import ChosenPassword
from services.gateway.documents.propagation import Propagation
from services.gateway.reset_links import ResetLink
from services.gateway.signing_in.authentication import Authentication
from services.gateway.signing_in.backoff import RESETS
from services.gateway.signing_in.sessions import Sessions
from services.gateway.signing_in.sign_in import SignIn
from shared.contracts.directory import Person
from shared.contracts.envelope import Actor
from shared.database import Connection
from shared.eventstore.store import CommandId, Context
from shared.http import problems
from shared.http.bodies import Body, example
from shared.http.headers.idempotency import HEADER as KEY
from shared.http.headers.idempotency import REPLAYED, command_id, json_response
from shared.http.routes import router as strict
from shared.http.serving.limits import SMALL_BODY, body_limit
from shared.input_types import Line
from shared.telemetry.tracing import traceparent

PATH = "/api/v1/password-resets"
LONGEST_TOKEN = 100


class ForgottenPassword(Body):
    """Who cannot sign in: a login or an e-mail address."""

    login: Annotated[Line, Field(min_length=1, max_length=254)]


class ResetAsked(Body):
    """The same for everybody. `minutes`: so long a link holds, if one is sent."""

    model_config = example({"minutes": 30})

    minutes: int


class ChosenAnew(Body):
    """The new password."""

    new: Annotated[ChosenPassword, Field(json_schema_extra={"format": "password"})]


def router(
    sign_in: SignIn, sessions: Sessions, documents: Documents, propagation: Propagation, authentication: Authentication
) -> APIRouter:
    routes = strict("/api/v1", tags=["signing in"])

    @routes.post(
        "/password-resets",
        status_code=202,
        operation_id="askForPassword",
        response_model=ResetAsked,
        summary="Ask for a link to a new password",
        description=(
            "The answer is the same for everybody, known here or not. If the person is in use and has a password, a mail "
            "with a link goes to the address of their record: at most three an hour. A newer link ends the older ones."
        ),
    )
    @body_limit(SMALL_BODY)
    async def post_request(request: Request, body: ForgottenPassword) -> Response:
        authentication.require_same_origin(request.scope, absent_is_fine=True)
        await sign_in.throttle.count("password reset", authentication.arrival(request.scope).address, RESETS)
        named = command_id("nobody", "POST", PATH, request.headers.get(KEY), await request.body())
        if not await reset_links.ask(
            documents.store.pool, uuid5(named.id, named.fingerprint.hex()), body.login.strip()
        ):
            raise problems.too_many(60, "Too many people ask for a new password now. Try again in a minute.")
        return json_response({"minutes": int(reset_links.LASTS.total_seconds() / 60)}, status=202)

    @routes.post(
        "/password-resets/{token}",
        status_code=204,
        operation_id="resetPassword",
        summary="Choose a new password with a mailed link",
        description=(
            "`token` is what the link ends in; it holds for 30 minutes and once. Ends all sessions and API tokens of the "
            "person. A `new` that is refused does not use the link up."
        ),
    )
    @body_limit(SMALL_BODY)
    async def post_reset(
        request: Request, token: Annotated[str, Path(max_length=LONGEST_TOKEN)], body: ChosenAnew
    ) -> Response:
        authentication.require_same_origin(request.scope, absent_is_fine=True)
        address = authentication.arrival(request.scope).address
        key = request.headers.get(KEY)
        command: CommandId | None = None
        if key is not None:
            named = command_id("nobody", "POST", f"{PATH}/{token}", key, await request.body())
            command = sessions.without_secrets(named)
        link = await reset_links.find(documents.store.pool, token)
        if link is not None and command is not None and link.command_id == command.id:
            return _repeated(link, command)
        if link is None or not link.holds:
            await sign_in.throttle.count("password reset", address, RESETS)
            raise _unknown()
        row = await document_rows.find(documents.store.pool, "person", str(link.person_id))
        if row is None or row.retired or not isinstance(row.document, Person):
            raise _unknown()
        new = NewPassword(await sign_in.passwords.hash(body.new), told="password_reset")

        async def use(connection: Connection) -> None:
            if not await reset_links.use(connection, link.id, command):
                raise _unknown()

        saved = await documents.change_person(
            link.person_id, lambda unchanged: unchanged, _context_of(row.document), password=new, also=use
        )
        await sign_in.throttle.forget(f"person {link.person_id}", address)
        return Response(status_code=204, headers=await propagation.lag(saved.row))

    return routes


def _repeated(link: ResetLink, command: CommandId) -> Response:
    """The same request again gets the first answer; another one with its key is refused."""
    if link.fingerprint != command.fingerprint:
        raise problems.key_reused()
    return Response(status_code=204, headers={REPLAYED: "true"})


def _unknown() -> problems.Problem:
    return problems.not_found("This link does not hold: it was used, is too old, or a newer one was sent.")


def _context_of(person: Person) -> Context:
    """The person acts: they have what was sent to their address."""
    kind = "customer" if person.roles == ("customer",) else "agent"
    return Context(actor=Actor(kind, str(person.id)), traceparent=traceparent())
