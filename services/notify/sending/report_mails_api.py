"""The route on which the gateway asks what became of the mails of reports."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.notify.ticket.reports import outcomes_of
from shared.eventstore.store import Store
from shared.http.headers.idempotency import json_response
from shared.http.identity import service_only
from shared.http.routes import router as strict

OF_RUNS = """
SELECT stream_id, type, data ->> 'reason' AS reason
  FROM es.events
 WHERE stream_id = ANY($1)
 ORDER BY stream_id, version
"""
MOST = 200


def router(store: Store) -> APIRouter:
    """`GET /internal/report-mails?run=ID&run=ID`: for each run with a mail, its `state` and the `reason`."""
    routes = strict("/internal/report-mails", dependencies=[Depends(service_only)], include_in_schema=False)

    @routes.get("")
    async def report_mails(run: Annotated[list[UUID], Query(max_length=MOST)]) -> Response:
        rows = await store.pool.fetch(OF_RUNS, run)
        outcomes = outcomes_of((row["stream_id"], row["type"], row["reason"] or "") for row in rows)
        return json_response(
            {str(each): {"state": state, "reason": reason} for each, (state, reason) in outcomes.items()}
        )

    return routes
