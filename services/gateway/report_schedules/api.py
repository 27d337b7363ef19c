"""Report schedules over HTTP, beside the requests that each kind of document has: send one now, and the runs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

import asyncpg
import orjson
from fastapi import APIRouter, Path, Request, Response

from services.gateway import document_rows, report_runs
from services.gateway.documents.propagation import GATEWAY
from services.gateway.report_schedules.bodies import RunPage, RunShown
from services.gateway.service_client import ServiceClient
from services.gateway.signing_in.dependencies import Manager, Reader
from shared.contracts.directory import ReportSchedule
from shared.database import Connection, Pool
from shared.eventstore.runner import once
from shared.eventstore.store import Store, utc_now
from shared.http import problems
from shared.http.headers.idempotency import Command as Key
from shared.http.headers.idempotency import json_response
from shared.http.paging import CursorText, Limit, page
from shared.http.routes import router as strict
from shared.http.serving.limits import SMALL_BODY, body_limit
from shared.timestamps import timestamp

Reference = Annotated[str, Path(max_length=254, description="Slug or id.")]
Answer = tuple[dict[str, Any], bool]
"""A response, and whether it was given before."""


def router(store: Store, services: ServiceClient) -> APIRouter:
    routes = strict("/api/v1/report-schedules", tags=["settings"])

    @routes.post(
        "/{reference}/send",
        status_code=202,
        operation_id="sendReport",
        response_model=RunShown,
        summary="Send a report now",
        description="It covers the last whole day, week or month, and goes to the recipients of the schedule.",
    )
    @body_limit(SMALL_BODY)
    async def send(reference: Reference, principal: Manager, key: Key) -> Response:
        async def attempt() -> Answer:
            async with store.pool.acquire() as connection, connection.transaction():
                schedule = await _found(connection, reference)
                run, now = uuid5(key.id, "report run"), utc_now()
                await report_runs.start_asked(connection, run, schedule, principal.identity.person_id, now)
                response = _shown(await report_runs.one(connection, run))
                appended = await store.append([], command=key, response=response, connection=connection)
                if appended.status == "duplicate":
                    return appended.response or {}, True
                return response, False

        response, replayed = await once(store, key, attempt, lambda first: (first or {}, True))
        return json_response(response, status=202, replayed=replayed)

    @routes.get(
        "/{reference}/runs",
        operation_id="listReportRuns",
        response_model=RunPage,
        summary="What became of each time that a report was due, newest first",
    )
    async def runs(
        request: Request, reference: Reference, principal: Reader, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        who = principal.identity
        if not who.is_admin:
            raise problems.forbidden("Only administrators see report schedules.")
        row = await document_rows.find(store.pool, "report-schedule", reference)
        if row is None:
            raise problems.not_found()
        cursors = request.app.state.cursors
        asked = ["report runs", str(row.id)]
        position = cursors.decode(who, asked, cursor)
        after = (datetime.fromisoformat(position[0]), UUID(position[1])) if position else None
        found = await report_runs.listed(store.pool, row.id, after=after, limit=limit + 1)
        more = None
        if len(found) > limit:
            last = found[limit - 1]
            more = cursors.encode(who, asked, [last["made_at"].isoformat(), str(last["run_id"])])
        mails = await _mails(services, [each["run_id"] for each in found[:limit] if each["state"] == "mailed"])
        return json_response(page([_shown(each, mails) for each in found[:limit]], more))

    return routes


async def _found(connection: Connection | Pool, reference: str) -> ReportSchedule:
    """The schedule in use. Raises Problem 404."""
    row = await document_rows.find(connection, "report-schedule", reference)
    if row is None or row.retired or not isinstance(row.document, ReportSchedule):
        raise problems.not_found()
    return row.document


async def _mails(services: ServiceClient, runs: list[UUID]) -> dict[str, Any]:
    """What notify says of the mails of runs; nothing while it is away."""
    if not runs:
        return {}
    query = "&".join(f"run={run}" for run in runs)
    try:
        answer = await services.call("GET", "notify", f"/internal/report-mails?{query}", GATEWAY)
    except problems.Problem:
        return {}
    known: dict[str, Any] = orjson.loads(answer.content) if answer.status == 200 else {}
    return known


def _shown(row: asyncpg.Record, mails: dict[str, Any] | None = None) -> dict[str, Any]:
    waiting = row["state"] == "waiting"
    return {
        "id": str(row["run_id"]),
        "due_at": timestamp(row["due_at"]),
        "asked_by": str(row["asked_by"]) if row["asked_by"] is not None else None,
        "from": timestamp(row["starts_at"]),
        "to": timestamp(row["ends_at"]),
        "timezone": row["timezone"],
        "state": row["state"],
        "reason": row["reason"],
        "mail": (mails or {}).get(str(row["run_id"])),
        "recipients": [each["email"] for each in row["recipients"]],
        "left_out": row["left_out"],
        "attempts": row["attempts"],
        "next_attempt_at": timestamp(row["attempt_at"]) if waiting else None,
        "finished_at": timestamp(row["finished_at"]),
    }
