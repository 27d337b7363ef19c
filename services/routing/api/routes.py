"""The desk's commands over HTTP: one endpoint each, one for many tickets, and those that the gateway leads (api.md, section 3)."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID, uuid5

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ValidationError

from services.routing.api.bodies import BounceBody, BulkBody, ForwardBody, LedBody, SplitBody
from services.routing.operations import actions
from services.routing.operations.actions import ACTIONS, Action, Done
from services.routing.operations.desk import Asked, Desk
from services.routing.operations.originals import Original
from shared.eventstore.errors import CommandRunning, Raced
from shared.eventstore.store import CommandId
from shared.http import problems
from shared.http.bodies import Body
from shared.http.consistency import HEADER, encode
from shared.http.etag import IfMatch, etag
from shared.http.idempotency import HEADER as KEY_HEADER
from shared.http.idempotency import Command as Key
from shared.http.idempotency import command_id, json_response
from shared.http.identity import Caller, caller
from shared.http.problems import FieldError, invalid_fields, pointer
from shared.http.serving.failures import problem_of
from shared.http.serving.limits import MAX_BODY, body_limit
from shared.http.serving.routes import router as strict

Ref = Annotated[str, Path(max_length=64, description="the ticket's id or number")]


async def led_command(request: Request) -> CommandId:
    """The identity of a led command, by what the caller sent: what the gateway adds may be another by the time of a retry."""
    who, content = await caller(request), await request.body()
    try:
        content = orjson.dumps(orjson.loads(content)["body"], option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass  # no command: it is refused when it is read
    return command_id(who.person_id, "POST", request.scope["path"], request.headers.get(KEY_HEADER), content)


LedKey = Annotated[CommandId, Depends(led_command)]
PATIENCE_SECONDS = 10.0
"""How long after its beginning a bulk command tries a ticket again: its sender waits for the whole answer."""
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
SIDE_BY_SIDE = 8
"""How many tickets of a bulk command are worked on at a time: as many as the pool has connections."""


class CommandDone(Body):
    """What a command answers: the ticket's new version and, where one was written, the article's id."""

    version: int
    article_id: UUID | None = None


class BulkResult(Body):
    """What came of a bulk command on one ticket."""

    ticket: str
    status: int
    version: int | None = None
    problem: dict[str, Any] | None = None


class BulkDone(Body):
    """One result for each ticket, in order."""

    items: list[BulkResult]


def router(desk: Desk) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["desk"])

    @routes.post(
        "/commands", operation_id="commandTickets", response_model=BulkDone, summary="Give one command to many"
    )
    async def bulk(who: Caller, key: Key, body: BulkBody) -> Response:
        action = ACTIONS.get(body.command)
        if action is None:
            raise problems.invalid("/command", f"must be one of {', '.join(ACTIONS)}")
        form = _form(action.body, body.body, "body")
        turns = asyncio.Semaphore(1 if action.shares else SIDE_BY_SIDE)
        until = time.monotonic() + PATIENCE_SECONDS
        known = await desk.asked(who, key)
        await desk.runner.store.append([], command=key, response={})  # refuses another request with its key

        async def give(ref: str) -> Done:
            # By the ticket, however it was named: one that is named twice gets the command once, and a retry of the whole request finds each
            # ticket's own answer again.
            part = CommandId(uuid5(key.id, str(await desk.find(ref) or ref)), key.fingerprint)
            return await _given(desk, body.command, ref, form, replace(known, key=part, quietly=True))

        async def one(ref: str) -> tuple[dict[str, Any], Done | None]:
            async with turns:
                if time.monotonic() > until + PATIENCE_SECONDS:  # whatever is away, its sender does not wait for ever
                    return _refused(ref, problems.unavailable()), None
                return await _result(ref, lambda: give(ref), until)

        results = await asyncio.gather(*(one(ref) for ref in body.tickets))
        done = [each for _, each in results if each is not None]
        written = [stream for each in done for stream in each.written]
        return json_response(
            {"items": [told for told, _ in results]},
            replayed=bool(done) and all(each.outcome.replayed for each in done),
            headers={HEADER: encode(written)} if written else {},
        )

    for name, action in ACTIONS.items():
        routes.add_api_route(
            f"/{{ref}}/{name}",
            _endpoint(desk, name, action),
            methods=["POST"],
            operation_id=action.operation,
            response_model=CommandDone,
            summary=action.summary,
        )
    return routes


def internal(desk: Desk) -> APIRouter:
    """Commands about articles, as the gateway sends them."""
    routes = strict("/internal/tickets", tags=["led"])
    # What the caller sent is bounded at the gateway; the articles that come with it are our own.
    ours = body_limit(MAX_BODY, values=None)

    async def led(
        model: type[BaseModel],
        ref: str,
        body: LedBody,
        asked: Asked,
        carry_out: Callable[[Any, Asked, list[Original]], Awaitable[Done]],
    ) -> Response:
        return _answered(
            await actions.once(desk, ref, asked, lambda: carry_out(_form(model, body.body), asked, _originals(body)))
        )

    @routes.post("/{ref}/forward", operation_id="ledForward", include_in_schema=False)
    @ours
    async def forward(ref: Ref, who: Caller, key: LedKey, expected: IfMatch, body: LedBody) -> Response:
        return await led(
            ForwardBody,
            ref,
            body,
            await desk.asked(who, key, expected),
            lambda form, asked, originals: actions.forward(desk, ref, form, asked, originals[0]),
        )

    @routes.post("/{ref}/bounce", operation_id="ledBounce", include_in_schema=False)
    @ours
    async def bounce(ref: Ref, who: Caller, key: LedKey, expected: IfMatch, body: LedBody) -> Response:
        return await led(
            BounceBody,
            ref,
            body,
            await desk.asked(who, key, expected),
            lambda form, asked, originals: actions.bounce(desk, ref, form, asked, originals[0]),
        )

    @routes.post("/{ref}/split", operation_id="ledSplit", include_in_schema=False)
    @ours
    async def split(ref: Ref, who: Caller, key: LedKey, expected: IfMatch, body: LedBody) -> Response:
        return await led(
            SplitBody,
            ref,
            body,
            await desk.asked(who, key, expected),
            lambda form, asked, originals: actions.split(desk, ref, form, asked, originals),
        )

    return routes


def _originals(body: LedBody) -> list[Original]:
    if body.originals is None:
        raise problems.not_found()
    originals = [Original.model_validate(each) for each in body.originals]
    if not originals:
        raise problems.invalid("/article", "names no article of this ticket")
    return originals


def _endpoint(desk: Desk, name: str, action: Action) -> Callable[..., Awaitable[Response]]:
    """The route of one command; its body's type is what the table says."""

    async def give(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: Any = None) -> Response:
        form = body if body is not None else action.body()
        return _answered(await _given(desk, name, ref, form, await desk.asked(who, key, expected)))

    give.__annotations__["body"] = action.body | None if action.bare else action.body
    if not action.bare:
        give.__defaults__ = None
    return give


async def _given(desk: Desk, name: str, ref: str, form: Any, asked: Asked) -> Done:
    """Gives a command. Customers are refused first: what a body names is looked up for the desk only, or they would learn who and what there is."""

    async def carry_out() -> Done:
        if not asked.who.is_agent:
            _, state = await desk.look_at(ref)
            desk.authorize(asked.who, name, state)
        return await ACTIONS[name].run(desk, ref, form, asked)

    return await actions.once(desk, ref, asked, carry_out)


def _form(model: type[BaseModel], content: dict[str, Any], *below: str) -> Any:
    """A body within a body. Raises 422 with the fields as its sender knows them: `below` what they stand under."""
    try:
        return model.model_validate_json(orjson.dumps(content))
    except ValidationError as error:
        raise invalid_fields(
            FieldError(pointer("body", *below, *each["loc"]), each["msg"]) for each in error.errors()[:20]
        ) from None


def _answered(done: Done) -> Response:
    outcome = done.outcome
    headers = {"ETag": etag(outcome.version)}
    if done.written:
        headers[HEADER] = encode(done.written)
    return json_response(outcome.response, replayed=outcome.replayed, headers=headers)


async def _result(
    ref: str, carry_out: Callable[[], Awaitable[Done]], until: float
) -> tuple[dict[str, Any], Done | None]:
    """One ticket's result, and what was done: what cannot be done leaves the rest done. What may succeed a moment later is tried again, until
    that time."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            done = await carry_out()
        except Exception as error:
            problem = problem_of(error)
            passing = problem.status == 503 or isinstance(error, Raced | CommandRunning)
            if not passing or time.monotonic() + pause > until:
                return _refused(ref, problem), None
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        else:
            return {"ticket": ref, "status": 200, "version": done.outcome.version}, done


def _refused(ref: str, problem: problems.Problem) -> dict[str, Any]:
    return {"ticket": ref, "status": problem.status, "problem": problem.document()}
