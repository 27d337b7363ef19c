"""Drafts over HTTP: what I was writing, on any of my devices, seen by nobody else."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, Field

from services.gateway.drafts.drafts import (
    MOST_BYTES_OF_A_PERSON,
    MOST_OF_A_PERSON,
    Content,
    Draft,
    Drafts,
    Outdated,
    TooMany,
    TooMuch,
    keeps_files,
)
from services.gateway.drafts.keys import LONGEST, is_key
from services.gateway.service_client import ServiceClient
from services.gateway.signing_in.dependencies import Reader, Writer
from shared.contracts.routing import TICKET_COMMANDS
from shared.eventstore.store import utc_now
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.consistency import HEADER as CONSISTENCY
from shared.http.headers.consistency import LAG
from shared.http.headers.etag import IfMatch, etag
from shared.http.headers.idempotency import json_response
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.problems import FieldError, invalid_fields
from shared.http.routes import router as strict
from shared.input_types import Line, Reference, Whole, is_id
from shared.rules.access import Identity
from shared.rules.subjects import number_in
from shared.timestamps import timestamp

YOUNG_SECONDS = 10.0
WAIT_SECONDS = 2.0
"""How long a draft waits for a ticket that was opened a moment ago, and as long for one that may not be seen."""
PAUSE_SECONDS = 0.05
Key = Annotated[
    str,
    Path(description=f"Mine to choose, such as `ticket:<id>:reply`: one line of at most {LONGEST} characters."),
]
COMMANDS = ("open", *TICKET_COMMANDS)


def _command(name: str) -> str:
    if name not in COMMANDS:
        raise ValueError("This is not the name of a command.")
    return name


Command = Annotated[str, AfterValidator(_command), Field(strict=True, json_schema_extra={"enum": list(COMMANDS)})]
OpenToken = Callable[[str], str]
"""Makes the services' form of a consistency token that a client sends. Raises Problem 422."""


class DraftContent(Body):
    """What I was writing.

    `command` is the command that it is for, `open` for a new ticket. `body` is that command's body as far as it is
    written, and nobody checks it. `attachments` are uploaded files of mine, which stay as long as the draft. What an
    answer has beyond these may be sent back and is ignored.
    """

    key: Annotated[Line | None, Field(max_length=LONGEST, json_schema_extra={"readOnly": True})] = None
    ticket: Reference | None = None
    command: Command
    body: dict[str, Any]
    attachments: Annotated[list[UUID], Field(max_length=100)] = []  # noqa: RUF012
    version: Annotated[Whole | None, Field(description="Use If-Match.", json_schema_extra={"readOnly": True})] = None
    saved_at: Annotated[datetime | None, Field(json_schema_extra={"readOnly": True})] = None


class DraftShown(Body):
    """A draft of mine. It is removed when its command succeeds, and 30 days after its last change."""

    model_config = example(
        {
            "key": f"ticket:{story.TICKET}:reply",
            "ticket": story.TICKET,
            "command": "reply",
            "body": {"text": "Dear Kari, please"},
            "attachments": [],
            "version": 3,
            "saved_at": story.ANSWERED_AT,
        }
    )

    key: str
    ticket: UUID | None
    command: str
    body: dict[str, Any]
    attachments: list[UUID]
    version: int
    saved_at: datetime


class DraftList(Body):
    items: list[DraftShown]
    next_cursor: str | None


def router(drafts: Drafts, services: ServiceClient, open_token: OpenToken) -> APIRouter:
    routes = strict("/api/v1/drafts", tags=["my settings"])

    async def outdated(who: Identity, key: str) -> problems.Problem:
        newest = await drafts.one(who.person_id, key)
        return problems.precondition_failed(_shown(newest) if newest is not None else None, member="draft")

    @routes.get("", operation_id="listDrafts", response_model=DraftList, summary="What I was writing")
    async def list_drafts(
        request: Request, principal: Reader, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        """In the order of their keys. A page may be shorter than `limit` if its drafts are long."""
        who = principal.identity
        cursors: Cursors = request.app.state.cursors
        after = cursors.decode(who, ["drafts"], cursor)
        found, more = await drafts.listed(who.person_id, after[0] if after else None, limit)
        following = cursors.encode(who, ["drafts"], [found[-1].key]) if more else None
        return json_response(page([_shown(each) for each in found], following))

    @routes.get("/{key:path}", operation_id="getDraft", response_model=DraftShown, summary="One draft of mine")
    async def get_draft(key: Key, principal: Reader) -> Response:
        found = await drafts.one(principal.identity.person_id, key) if is_key(key) else None
        if found is None:
            raise problems.not_found()
        return json_response(_shown(found), headers={"ETag": etag(found.version)})

    @routes.put(
        "/{key:path}",
        operation_id="putDraft",
        response_model=DraftShown,
        responses={201: {"model": DraftShown, "description": "A new draft"}},
        summary="Keep a draft",
    )
    async def put_draft(
        request: Request, key: Key, principal: Writer, body: DraftContent, expected: IfMatch
    ) -> Response:
        """With `If-Match` on another version than the newest: 412 with the newest as `draft`."""
        who = principal.identity
        if not is_key(key):
            raise problems.invalid("/path/key", f"This must be one line of 1 to {LONGEST} characters.")
        if body.key is not None and body.key != key:
            raise problems.invalid("/key", "This must be the key in the address.")
        was = await drafts.one(who.person_id, key)
        token = request.headers.get(CONSISTENCY)
        waiting = {CONSISTENCY: open_token(token)} if token is not None else {}
        ticket = await _ticket(services, who, body.ticket, was, waiting)
        attachments, now = tuple(body.attachments), utc_now()
        kept_at = was.files_kept_at if was is not None and keeps_files(was, attachments, now) else None
        if attachments and kept_at is None:
            await _keep_files(services, who, attachments)
            kept_at = now
        size = len(orjson.dumps(body.body)) + 16 * len(attachments)
        content = Content(ticket, body.command, body.body, attachments, size, kept_at if attachments else None)
        try:
            saved = await drafts.save(who.person_id, key, content, expected)
        except Outdated:
            raise await outdated(who, key) from None
        except TooMany:
            detail = f"You keep {MOST_OF_A_PERSON} drafts already. Delete one that you no longer need."
            raise problems.invalid("", detail) from None
        except TooMuch:
            most = f"{MOST_BYTES_OF_A_PERSON >> 20} MiB"
            detail = f"Your drafts may have at most {most} together. Delete some that you no longer need."
            raise problems.too_large(detail) from None
        status = 201 if saved.version == 1 else 200
        return json_response(_shown(saved), status=status, headers={"ETag": etag(saved.version)})

    @routes.delete("/{key:path}", status_code=204, operation_id="deleteDraft", summary="Throw a draft away")
    async def delete_draft(key: Key, principal: Writer, expected: IfMatch) -> Response:
        who = principal.identity
        if not is_key(key):
            raise problems.not_found()
        if not await drafts.delete(who.person_id, key, expected):
            if expected is not None and await drafts.one(who.person_id, key) is not None:
                raise await outdated(who, key)
            raise problems.not_found()
        return Response(status_code=204)

    return routes


async def _ticket(
    services: ServiceClient, who: Identity, named: str | None, was: Draft | None, waiting: dict[str, str]
) -> UUID | None:
    """The id of the ticket that a draft names. Raises Problem 422 for one that the person may not see."""
    if named is None:
        return None
    number = number_in(named)
    if number is None and not is_id(named):
        raise _no_such_ticket()
    ref = number or str(UUID(named))
    if was is not None and str(was.ticket) == ref:
        return was.ticket  # who no longer sees the ticket may still keep what they wrote
    end = time.monotonic() + (WAIT_SECONDS if number is None and _young(UUID(named)) else 0)
    while True:
        path = f"/api/v1/tickets/{quote(ref, safe='')}"
        answer = await services.call("GET", "reporting", path, who, headers=waiting)
        if answer.status == 200:
            return UUID(orjson.loads(answer.content)["id"])
        if answer.status not in (403, 404) or LAG in answer.headers:
            raise problems.unavailable("The ticket cannot be looked up now. Try again.")
        if time.monotonic() >= end:
            raise _no_such_ticket()
        await asyncio.sleep(PAUSE_SECONDS)


def _young(ticket: UUID) -> bool:
    """Whether a ticket with this id may have been opened a moment ago, so that lists do not show it yet."""
    age = utc_now().timestamp() - (ticket.int >> 80) / 1000
    return ticket.version == 7 and -5 < age < YOUNG_SECONDS


def _no_such_ticket() -> problems.Problem:
    return problems.invalid("/ticket", "There is no such ticket, or you may not see it.")


async def _keep_files(services: ServiceClient, who: Identity, files: tuple[UUID, ...]) -> None:
    """Raises Problem 422 for files that are not the person's, 503 if they cannot be kept now."""
    answer = await services.call(
        "POST",
        "intake",
        "/internal/uploads/kept",
        who,
        headers={"content-type": "application/json"},
        content=orjson.dumps({"uploads": [str(each) for each in files]}),
    )
    if answer.status == 422:
        errors = orjson.loads(answer.content).get("errors", [])
        raise invalid_fields(
            FieldError(each["pointer"].replace("/uploads/", "/attachments/", 1), each["detail"]) for each in errors
        )
    if answer.status != 204:
        raise problems.unavailable("The files cannot be kept now. Try again.")


def _shown(draft: Draft) -> dict[str, Any]:
    return {
        "key": draft.key,
        "ticket": str(draft.ticket) if draft.ticket is not None else None,
        "command": draft.command,
        "body": draft.body,
        "attachments": [str(each) for each in draft.attachments],
        "version": draft.version,
        "saved_at": timestamp(draft.saved_at),
    }
