"""How fetching from a mailbox goes, for administrators."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Response

from services.intake.transports.mailboxes.progress import Progress
from shared.contracts.directory import Mailbox
from shared.directory.copy import DirectoryCopy
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.routes import router as strict

Reference = Annotated[str, Path(max_length=64, description="Slug or id.")]


class LeftThere(Body):
    """A mail that stays on its server because it cannot be taken."""

    model_config = example({"uid": 4711, "size": 52428800, "reason": "It is larger than 32 MiB."})

    uid: int
    size: int
    reason: str


class MailboxStatus(Body):
    """`state`: `waiting` until the mailbox was read for the first time, `working`, or `failing`. `last_error` stays
    after the error has passed. `taken` counts mails, approximately; `left_there` lists up to 200."""

    model_config = example(
        {
            "state": "working",
            "last_success": story.ANSWERED_AT,
            "failing_since": None,
            "last_error": "The server refused the password.",
            "error_at": story.OPENED_AT,
            "taken": 318,
            "left_there": [],
        }
    )

    state: Literal["waiting", "working", "failing"]
    last_success: datetime | None
    failing_since: datetime | None
    last_error: str | None
    error_at: datetime | None
    taken: int
    left_there: list[LeftThere]


def router(directory: DirectoryCopy, progress: Progress) -> APIRouter:
    routes = strict("/api/v1/mailboxes", tags=["settings"])

    @routes.get(
        "/{reference}/status",
        operation_id="getMailboxStatus",
        response_model=MailboxStatus,
        summary="How fetching from a mailbox goes",
    )
    async def status(reference: Reference, who: Caller) -> Response:
        if not who.is_admin:
            raise problems.forbidden("Only administrators see mailboxes.")
        mailbox = _named(directory, reference)
        if mailbox is None:
            raise problems.not_found()
        found = await progress.status(mailbox.id)
        state = "failing" if found.failing_since else "working" if found.last_success else "waiting"
        shown: dict[str, Any] = {
            "state": state,
            "last_success": _moment(found.last_success),
            "failing_since": _moment(found.failing_since),
            "last_error": found.last_error,
            "error_at": _moment(found.error_at),
            "taken": found.taken,
            "left_there": found.left_there,
        }
        return json_response(shown)

    return routes


def _named(directory: DirectoryCopy, reference: str) -> Mailbox | None:
    mailboxes = directory.configuration.mailboxes
    if reference in mailboxes:
        return mailboxes[reference]
    try:
        wanted = UUID(reference)
    except ValueError:
        return None
    return next((mailbox for mailbox in mailboxes.values() if mailbox.id == wanted), None)


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at is not None else None
