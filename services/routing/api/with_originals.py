"""Commands about articles. The gateway passes them on with the articles that they name, as reporting has them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request, Response

from services.routing.api.action import carry_out, request_of
from services.routing.api.actions import articles, relations
from services.routing.api.bodies import read_nested
from services.routing.api.single import Ref, response
from services.routing.operations.content.originals import Original
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.runner import Outcome
from shared.eventstore.store import CommandId
from shared.http import problems
from shared.http.bodies import Body
from shared.http.headers.etag import IfMatch
from shared.http.headers.idempotency import HEADER, command_id
from shared.http.identity import Caller, caller
from shared.http.routes import router as strict
from shared.http.serving.limits import MAX_BODY, body_limit

Run = Callable[[TicketOperations, CommandRequest, Any, Sequence[Original]], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class ArticleAction:
    """A command about articles."""

    name: str
    run: Run
    body: type[Body]


ACTIONS = (
    ArticleAction("forward", articles.forward, articles.ForwardBody),
    ArticleAction("bounce", articles.bounce, articles.BounceBody),
    ArticleAction("split", relations.split, relations.SplitBody),
)


class BodyWithOriginals(Body):
    """The caller's body, and the articles that it names.

    Null if the caller cannot see them: then only a command that was carried out before has a response.
    """

    body: dict[str, Any]
    originals: list[dict[str, Any]] | None


async def key_of(request: Request) -> CommandId:
    """The identity of a command by what the caller sent: what the gateway adds may differ in a retry."""
    who, content = await caller(request), await request.body()
    try:
        content = orjson.dumps(orjson.loads(content)["body"], option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass  # not a command: it is refused when it is read
    return command_id(who.person_id, "POST", request.scope["path"], request.headers.get(HEADER), content)


Key = Annotated[CommandId, Depends(key_of)]


def router(operations: TicketOperations) -> APIRouter:
    routes = strict("/internal/tickets", tags=["articles"])
    for action in ACTIONS:
        routes.add_api_route(
            f"/{{ref}}/{action.name}",
            _endpoint(operations, action),
            methods=["POST"],
            include_in_schema=False,
        )
    return routes


def _endpoint(operations: TicketOperations, action: ArticleAction) -> Callable[..., Awaitable[Response]]:
    # The gateway limits what the caller sends. The articles that come with it are our own.
    @body_limit(MAX_BODY, values=None)
    async def give(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: BodyWithOriginals) -> Response:
        request = await request_of(operations, who, ref, key, expected)

        async def attempt() -> Outcome:
            form = read_nested(action.body, body.body)
            return await action.run(operations, request, form, _originals(body))

        outcome = await carry_out(operations, request, action.name, attempt)
        return await response(operations, request, outcome)

    return give


def _originals(body: BodyWithOriginals) -> list[Original]:
    if body.originals is None:
        raise problems.not_found()
    originals = [Original.model_validate(each) for each in body.originals]
    if not originals:
        raise problems.invalid("/article", "There is no such article on this ticket.")
    return originals
