"""`POST /triggers/dry-run`: what a trigger would have done in a time.

The gateway checks the trigger as if it were saved. Reporting has the history, so it does the rest.
"""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field
from uuid_utils.compat import uuid7

from services.gateway import document_rows
from services.gateway.documents.documents_api import DOCUMENT_BODY, DOCUMENT_VALUES
from services.gateway.documents.draft import Draft
from services.gateway.documents.kinds.automation import TRIGGER
from services.gateway.documents.references.resolving import document_from, without_repeats
from services.gateway.front.forwarding import Forwarded
from services.gateway.front.proxy import Proxy
from services.gateway.front.routes import EXPORT_SECONDS, Target
from services.gateway.signing_in.dependencies import Manager, Reader
from shared.contracts.directory import Trigger
from shared.database import Pool
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.problems import FieldError
from shared.http.routes import router as strict
from shared.http.serving.limits import body_limit

TARGET = Target("reporting", "manage", "/api/v1/triggers/dry-run", DOCUMENT_BODY, EXPORT_SECONDS)
LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The acts, the earliest first: at most 1 000, fewer if the actions are very long. With"
        " `Accept: application/x-ndjson`: lines of JSON. Each has `progress` (about once a second), at last `result`, or"
        " `problem` if the run could not be finished.",
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": '{"progress": {"share": 0.42, "tickets": 4200, "events": 31000, "count": 12}}\n'
                '{"result": {"tickets": [], "count": 0}}\n',
            }
        },
    }
}


class DryRunDraft(Body):
    """A trigger as it would be saved, and a time. Nothing is saved and nothing is done."""

    trigger: TRIGGER.draft  # type: ignore[name-defined]
    from_: Annotated[AwareDatetime, Field(alias="from", description="Inclusive.")]
    to: Annotated[AwareDatetime, Field(description="Exclusive.")]


class ActedOn(Body):
    """The ticket, by its name of today."""

    model_config = example({"id": story.TICKET, "number": story.NUMBER, "title": story.TITLE})

    id: UUID
    number: str
    title: str


class WouldBeAct(Body):
    """The trigger would have acted. `event`: what it would have named as the cause; `at`: when that happened, or when
    the ticket had been idle for long enough. `would`: the actions as they were sent."""

    model_config = example(
        {
            "ticket": {"id": story.TICKET, "number": story.NUMBER, "title": story.TITLE},
            "event": story.EVENT,
            "at": story.OPENED_AT,
            "would": [{"do": "set-priority", "priority": 4}],
        }
    )

    ticket: ActedOn
    event: UUID
    at: AwareDatetime
    would: list[dict[str, Any]]


class DryRunResult(Body):
    """`count`: how often the trigger would have acted, also if not all of it is listed."""

    tickets: list[WouldBeAct]
    count: Annotated[int, Field(examples=[1])]


def router(pool: Pool, proxy: Proxy) -> APIRouter:
    routes = strict("/api/v1/triggers", tags=["settings"])

    @routes.post(
        "/dry-run",
        operation_id="tryTrigger",
        response_model=DryRunResult,
        responses=LINES,
        summary="What a trigger would have done in a time; nothing is done",
    )
    @body_limit(DOCUMENT_BODY, values=DOCUMENT_VALUES)
    async def try_trigger(request: Request, principal: Manager, _: Reader, body: DryRunDraft) -> Response:
        """The answer names tickets, so that an API token needs `read` beside `manage`."""
        trigger = await _checked(pool, body.trigger)
        if body.to < body.from_:
            raise problems.invalid("/to", "Must not be before `from`.")
        content = orjson.dumps(
            {
                "trigger": trigger.model_dump(mode="json"),
                "then": (await request.json())["trigger"]["then"],
                "start": body.from_,
                "end": body.to,
            }
        )
        return Forwarded(proxy, TARGET, "/internal/dry-runs", principal, content)

    return routes


async def _checked(pool: Pool, draft: Draft) -> Trigger:
    """The trigger as it would be saved. Raises Problem 422."""
    async with pool.acquire() as connection:
        row = await document_rows.find(connection, Trigger.KIND, getattr(draft, Trigger.URL_FIELD))
        was = row.document if row is not None and isinstance(row.document, Trigger) else None
        wanted, errors = await document_from(draft, Trigger, row.id if row is not None else uuid7(), was, connection)
        errors += await TRIGGER.check(wanted, was, connection)
    if errors:
        raise problems.invalid_fields([FieldError(f"/trigger{each.pointer}", each.detail) for each in errors])
    return without_repeats(wanted)
