"""Commands about articles: forward, bounce, split.

Reporting shows articles and routing decides on commands. The gateway coordinates them: it fetches the articles that the
caller names, as far as the caller may see them, and passes them to routing with the command.
"""

import json
import logging
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Request, Response

from services.gateway.drafts.drafts import Drafts
from services.gateway.drafts.sending import begin, taken_from
from services.gateway.front.consistency_tokens import ConsistencyTokens
from services.gateway.service_client import ServiceClient
from services.gateway.signing_in.dependencies import Writer
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.consistency import HEADER as CONSISTENCY
from shared.http.headers.consistency import LAG
from shared.http.headers.idempotency import HEADER as KEY
from shared.http.headers.idempotency import REPLAYED
from shared.http.json_input import read_json
from shared.http.routes import router as strict
from shared.input_types import is_id
from shared.rules.access import Identity
from shared.rules.subjects import number_in

log = logging.getLogger(__name__)

Ref = Annotated[str, Path(max_length=64, description="The id or number of the ticket.")]
MOST_ARTICLES = 100
REQUEST_HEADERS = ("idempotency-key", "if-match")
ANSWER_HEADERS = ("content-type", "etag", "idempotent-replayed", "retry-after")

_ADDRESSES = {"type": "array", "items": {"type": "string", "format": "email"}, "minItems": 1, "maxItems": 100}
_UUID = {"type": "string", "format": "uuid"}
_MESSAGE = {
    "text": {"type": "string"},
    "html": {"type": "string"},
    "subject": {"type": "string", "maxLength": 500},
    "attachments": {"type": "array", "items": _UUID, "maxItems": 100},
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "forward": {
        "required": ["article", "to"],
        "properties": {"article": _UUID, "to": _ADDRESSES, "cc": {**_ADDRESSES, "minItems": 0}, **_MESSAGE},
    },
    "bounce": {"required": ["article", "to"], "properties": {"article": _UUID, "to": _ADDRESSES}},
    "split": {
        "required": ["articles"],
        "properties": {
            "articles": {"type": "array", "items": _UUID, "minItems": 1, "maxItems": MOST_ARTICLES},
            "queue": {"type": "string", "maxLength": 320},
            "subject": {"type": "string", "maxLength": 500},
        },
    },
}
SUMMARIES = {
    "forward": ("forwardArticle", "Send an article to somebody outside"),
    "bounce": ("bounceArticle", "Send a mail on unchanged"),
    "split": ("splitTicket", "Make articles a ticket of their own"),
}


class SentOn(Body):
    """What sending an article on answers: the ticket's new version, and the id of the article that shows it."""

    model_config = example({"version": 6, "article_id": story.ANSWER})

    version: int
    article_id: UUID


class NewTicket(Body):
    model_config = example({"id": story.OTHER_TICKET})

    id: UUID


class SplitDone(Body):
    """What a split answers: the version of the ticket that was split, and the new ticket."""

    model_config = example({"version": 6, "ticket": {"id": story.OTHER_TICKET}})

    version: int
    ticket: NewTicket


class ArticleCommands:
    def __init__(self, services: ServiceClient, tokens: ConsistencyTokens, drafts: Drafts) -> None:
        self.services, self.tokens, self.drafts = services, tokens, drafts

    async def run(self, request: Request, command: str, ref: str, who: Identity) -> Response:
        """Runs the command; the answer is that of routing. Raises Problem 404, 403, 422, 503."""
        number = number_in(ref)
        if number is None and not is_id(ref):
            raise problems.not_found()
        ref = number or str(UUID(ref))
        try:
            body = read_json(await request.body())
        except json.JSONDecodeError:
            raise problems.invalid("", "This is not JSON.") from None
        if not isinstance(body, dict):
            raise problems.invalid("", "Must be an object.")
        draft = taken_from(body)
        key = request.headers.get(KEY)
        sending = await begin(self.drafts, who.person_id, draft, "POST", request.scope["path"], key) if draft else None
        answer = await self._carry_out(request, command, ref, body, who)
        if sending is not None:
            replayed = answer.headers.get(REPLAYED) == "true"
            await sending.answered(answer.status_code, bytes(answer.body), replayed=replayed)
        return answer

    async def _carry_out(
        self, request: Request, command: str, ref: str, body: Mapping[str, Any], who: Identity
    ) -> Response:
        try:
            originals = await self._originals(request, command, ref, body, who)
        except problems.Problem as problem:
            if KEY not in request.headers:
                raise
            before = await self._send_to_routing(request, command, ref, {"body": body, "originals": None}, who)
            if before.status_code == problems.not_found().status:
                raise problem from None
            return before
        return await self._send_to_routing(request, command, ref, {"body": body, "originals": originals}, who)

    async def _send_to_routing(
        self, request: Request, command: str, ref: str, content: Mapping[str, Any], who: Identity
    ) -> Response:
        """The answer of routing. Without originals, it is the first answer to a repeated command, else 404."""
        headers = {name: request.headers[name] for name in REQUEST_HEADERS if name in request.headers}
        headers["content-type"] = "application/json"
        status, reply, answered = await self.services.call(
            "POST",
            "routing",
            f"/internal/tickets/{ref}/{command}",
            who,
            headers=headers,
            content=orjson.dumps(content),
        )
        passed = {name: answered[name] for name in ANSWER_HEADERS if name in answered}
        if CONSISTENCY in answered:
            passed[CONSISTENCY] = self.tokens.seal(answered[CONSISTENCY])
        return Response(reply, status, headers=passed)

    async def _originals(
        self, request: Request, command: str, ref: str, body: Mapping[str, Any], who: Identity
    ) -> list[Any]:
        """The articles that the body names; none if the body is wrong, which routing reports."""
        field = "articles" if command == "split" else "article"
        named = body.get(field) if command == "split" else [body.get(field)]
        if not isinstance(named, list) or not 1 <= len(named) <= MOST_ARTICLES:
            return []
        articles = [each for each in named if isinstance(each, str) and is_id(each)]
        if len(articles) < len(named):
            return []
        token = request.headers.get(CONSISTENCY)
        waiting = {CONSISTENCY: self.tokens.open(token)} if token is not None else {}
        originals: list[Any] = []
        for n, article in enumerate(articles):
            path = f"/internal/tickets/{ref}/articles/{quote(article, safe='')}"
            status, content, _ = await self.services.call("GET", "reporting", path, who, headers=waiting)
            if status == 404:
                await self._require_ticket(ref, who, waiting)
                raise problems.invalid(
                    f"/articles/{n}" if command == "split" else "/article", "No such article in this ticket."
                )
            if status != 200:
                raise _refused(status, content)
            originals.append(orjson.loads(content)["message"])
        return originals

    async def _require_ticket(self, ref: str, who: Identity, waiting: Mapping[str, str]) -> None:
        """Raises 404 if there is no such ticket, 503 if reporting does not show all of it yet."""
        status, content, headers = await self.services.call(
            "GET", "reporting", f"/api/v1/tickets/{ref}", who, headers=waiting
        )
        if status != 200:
            raise _refused(status, content)
        if LAG in headers:
            raise problems.unavailable("The article is not known yet. If it was just written, try again.")


def _refused(status: int, content: bytes) -> problems.Problem:
    """The refusal of a service, in its own words where they are meant for the caller."""
    if status == 404:
        return problems.not_found()
    if status == 403:
        return problems.forbidden(str(orjson.loads(content).get("detail", "")))
    log.error("reporting answered %d to a command about articles", status)
    return problems.unavailable("The articles cannot be read now. Try again.")


def router(commands: ArticleCommands) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["desk"])
    for command in SCHEMAS:
        _add(routes, commands, command)
    return routes


def _add(routes: APIRouter, commands: ArticleCommands, command: str) -> None:
    operation, summary = SUMMARIES[command]
    schema = {"type": "object", "additionalProperties": False, **SCHEMAS[command]}

    @routes.post(
        f"/{{ref}}/{command}",
        operation_id=operation,
        summary=summary,
        response_model=SplitDone if command == "split" else SentOn,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    async def run(request: Request, ref: Ref, principal: Writer) -> Response:
        return await commands.run(request, command, ref, principal.identity)
