"""One command for many tickets: each ticket has its own result."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any
from uuid import uuid5

from fastapi import APIRouter, Response
from pydantic import Field

from services.routing.api.action import Action, carry_out, request_of, written
from services.routing.api.bodies import Reference, read_nested
from services.routing.operations.tickets import TicketOperations
from shared.eventstore.errors import CommandRunning, Raced
from shared.eventstore.runner import Outcome
from shared.eventstore.store import CommandId
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.consistency import HEADER, Written, encode
from shared.http.headers.idempotency import Command as Key
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.serving.failures import problem_of
from shared.input_types import Line

MOST_TICKETS = 200
PATIENCE_SECONDS = 10.0
"""So long after its beginning a bulk command tries tickets again. Its caller waits for all results."""
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
CONCURRENCY = 8
"""Tickets of a bulk command that are worked on at the same time: as many as the pool has connections."""


Given = tuple[Outcome, list[Written]]
"""What a command did on a ticket, and the streams that a read must wait for to show it."""


class BulkBody(Body):
    """One command for many tickets."""

    tickets: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=MOST_TICKETS)]
    command: Annotated[Line, Field(max_length=40)]
    body: dict[str, Any] = Field(default_factory=dict)


class BulkResult(Body):
    """What came of a bulk command on one ticket: `version`, or a `problem` as the command alone would answer it."""

    model_config = example({"ticket": story.NUMBER, "status": 200, "version": 5})

    ticket: str
    status: int
    version: int | None = None
    problem: dict[str, Any] | None = None


class BulkDone(Body):
    """One result for each ticket, in order."""

    items: list[BulkResult]


def add_route(routes: APIRouter, operations: TicketOperations, actions: Mapping[str, Action]) -> None:
    @routes.post(
        "/commands", operation_id="commandTickets", response_model=BulkDone, summary="Give one command to many"
    )
    async def bulk(who: Caller, key: Key, body: BulkBody) -> Response:
        action = actions.get(body.command)
        if action is None:
            raise problems.invalid("/command", f"Must be one of {', '.join(actions)}.")
        form = read_nested(action.body, body.body, "body")
        places = asyncio.Semaphore(1 if action.one_by_one else CONCURRENCY)
        until = time.monotonic() + PATIENCE_SECONDS
        many = replace(await request_of(operations, who, "", key), lock_on_action=False)
        await operations.runner.store.append([], command=key, response={})  # refuses another request with its key

        async def give(ticket: str) -> Given:
            # The key is the ticket's, however it is named: a ticket that is named twice gets the command once, and a
            # repeated bulk command finds the first response of each ticket.
            part = CommandId(uuid5(key.id, str(await operations.find(ticket) or ticket)), key.fingerprint)
            request = replace(many, ticket=ticket, key=part)
            outcome = await carry_out(operations, request, action.name, lambda: action.run(operations, request, form))
            return outcome, await written(operations, request, outcome)

        async def one(ticket: str) -> tuple[dict[str, Any], Given | None]:
            async with places:
                if time.monotonic() > until + PATIENCE_SECONDS:  # the caller does not wait for ever
                    return _refused(ticket, problems.unavailable()), None
                return await _result(ticket, lambda: give(ticket), until)

        results = await asyncio.gather(*(one(ticket) for ticket in body.tickets))
        done = [each for _, each in results if each is not None]
        streams = [stream for _, each in done for stream in each]
        return json_response(
            {"items": [item for item, _ in results]},
            replayed=bool(done) and all(outcome.replayed for outcome, _ in done),
            headers={HEADER: encode(streams)} if streams else {},
        )


async def _result(
    ticket: str, attempt: Callable[[], Awaitable[Given]], until: float
) -> tuple[dict[str, Any], Given | None]:
    """One ticket's result. A refusal leaves the other tickets alone; what may pass is tried again until a time."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            done = await attempt()
        except Exception as error:
            problem = problem_of(error)
            may_pass = problem.status == 503 or isinstance(error, Raced | CommandRunning)
            if not may_pass or time.monotonic() + pause > until:
                return _refused(ticket, problem), None
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        else:
            return {"ticket": ticket, "status": 200, "version": done[0].version}, done


def _refused(ticket: str, problem: problems.Problem) -> dict[str, Any]:
    return {"ticket": ticket, "status": problem.status, "problem": problem.document()}
