"""Dry runs of triggers over HTTP, for the gateway, which has checked the trigger."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime

from services.reporting.download import Download, Sink
from services.reporting.dry_runs.dry_run import Found, Listed
from services.reporting.dry_runs.replay import Wanted
from services.reporting.dry_runs.running import DryRuns
from services.reporting.tickets.moments.moment import OLDEST
from services.reporting.tickets.ticket_reader import TicketReader
from shared.automation.evaluation import UnknownCondition, compiled
from shared.contracts.directory import Trigger
from shared.directory.copy import Configuration
from shared.http import problems
from shared.http.bodies import Body
from shared.http.headers.consistency import Awaited
from shared.http.identity import Caller
from shared.http.routes import router as strict
from shared.http.serving.failures import problem_of
from shared.http.serving.limits import JSON_BODY, body_limit

JSON, LINES = "application/json", "application/x-ndjson"
MOST_LISTED = 1_000
READS_TEXTS = b'"field":"text"'
"""In the JSON of a condition; within a text of it, the quotes would be escaped."""
MOST_BYTES = 8 << 20
"""Of the actions in one answer, which has them with each ticket."""


class DryRunBody(Body):
    """`then`: the actions as the caller wrote them."""

    trigger: Trigger
    then: list[dict[str, Any]]
    start: AwareDatetime
    end: AwareDatetime


def router(reader: TicketReader, runs: DryRuns) -> APIRouter:
    routes = strict("/internal", include_in_schema=False)

    @routes.post("/dry-runs")
    @body_limit(JSON_BODY, values=None)
    async def dry_run(request: Request, who: Caller, written: Awaited, body: DryRunBody) -> Response:
        if not who.is_admin:
            raise problems.forbidden("Only administrators try triggers.")
        headers = await reader.wait_until_shown(written)
        wanted, would = wanted_from(body, reader.directory.configuration), orjson.dumps(body.then)
        most = max(1, min(MOST_LISTED, MOST_BYTES // len(would)))

        async def as_json(sink: Sink) -> None:
            await sink(_answer(await runs.run(who.person_id, wanted, most), would))

        async def as_lines(sink: Sink) -> None:
            begun = False

            async def tell(found: Found) -> None:
                nonlocal begun
                begun = True
                await sink(_line("progress", orjson.dumps(_progress(found))))

            try:
                listed = await runs.run(who.person_id, wanted, most, tell)
            except Exception as error:
                if not begun:
                    raise
                await sink(_line("problem", orjson.dumps(problem_of(error).document())))
            else:
                await sink(_line("result", _answer(listed, would)))

        lines = LINES in request.headers.get("accept", "")
        return Download(as_lines if lines else as_json, LINES if lines else JSON, headers)

    return routes


def _progress(found: Found) -> dict[str, Any]:
    return {
        "share": round(found.share, 4),
        "tickets": found.tickets,
        "events": found.events,
        "count": found.count,
    }


def _line(name: str, value: bytes) -> bytes:
    return b'{"%s": %s}\n' % (name.encode(), value)


def _answer(listed: Listed, would: bytes) -> bytes:
    """The actions are made JSON once, because they are the same for every ticket."""
    tickets = b",".join(orjson.dumps(each)[:-1] + b',"would":' + would + b"}" for each in listed.tickets)
    return b'{"tickets": [' + tickets + b'], "count": %d}' % listed.count


def wanted_from(body: DryRunBody, configuration: Configuration) -> Wanted:
    """What is asked. Raises Problem 422 for a condition that cannot be judged here."""
    trigger = body.trigger
    try:
        holds = compiled(trigger.when, configuration.calendars)
    except UnknownCondition as error:
        raise problems.invalid("/trigger/when", str(error)) from None
    idle = timedelta(minutes=trigger.idle_minutes) if "idle" in trigger.on and trigger.idle_minutes else None
    now = datetime.now(UTC)
    return Wanted(
        trigger=trigger.id,
        on=trigger.on,
        idle=idle,
        holds=holds,
        reads_texts=READS_TEXTS in orjson.dumps(trigger.when),
        start=min(max(body.start, OLDEST), now),
        end=min(max(body.end, OLDEST), now),
    )
