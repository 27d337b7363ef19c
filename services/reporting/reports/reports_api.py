"""Reports over HTTP: the list of them, and each as JSON, CSV or XLSX."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from services.reporting.read_your_writes import wait_until_shown
from services.reporting.reports import bodies
from services.reporting.reports.answer import Answer, answer
from services.reporting.reports.catalogue import FIELD, REPORTS, Report
from services.reporting.reports.figures import TooMuch
from services.reporting.reports.files import csv_file, xlsx_file
from services.reporting.reports.intervals import BadPeriod, Interval, period
from services.reporting.reports.projection import PRODUCERS
from services.reporting.reports.question import Question
from services.reporting.tickets.list_query import FilterQuery, filters
from services.reporting.tickets.ticket_list import read_as_agent
from services.reporting.tickets.ticket_reader import TicketReader
from services.reporting.visibility import scope
from services.reporting.zone import zone_of
from shared.http import problems
from shared.http.headers.consistency import LAG, Awaited
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.routes import router as strict
from shared.rules.access import Identity
from shared.runtime.concurrency import NoTurn, Turns

FormatName = Literal["json", "csv", "xlsx"]
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": "\ufeffqueue,created\r\nit-support,12\r\n"},
            MEDIA_TYPES["xlsx"]: {"schema": {"type": "string", "format": "binary"}, "example": "PK..."},
        },
    }
}
LONGEST_FIELD = 100
MOST_AT_ONCE, MOST_OF_A_PERSON = 4, 2
"""Reports that are computed at once in a process: half of the connections are left for lists."""
WAIT_SECONDS = 10.0
"""For a turn."""
Moment = Annotated[str | None, Field(max_length=40)]


class ReportQuery(FilterQuery):
    """The query parameters of a report."""

    from_: Annotated[
        Moment, Field(alias="from", description="Inclusive: a date in your zone, or a time. By default 30 days.")
    ] = None
    to: Annotated[Moment, Field(description="Exclusive: a date in your zone, or a time. By default today's end.")] = (
        None
    )
    interval: Annotated[Interval | None, Field(description="A row for each; without it, one for the whole time.")] = (
        None
    )
    by: Annotated[
        str | None, Field(max_length=LONGEST_FIELD, description="Divides the rows: see `parameters` of the list.")
    ] = None
    format: Annotated[FormatName, Field(description="How the answer is written.")] = "json"


def router(reader: TicketReader, desk: ZoneInfo) -> APIRouter:
    routes = strict("/api/v1/reports", tags=["numbers"])
    turns = Turns(MOST_AT_ONCE, MOST_OF_A_PERSON)

    @routes.get(
        "",
        operation_id="listReports",
        response_model=bodies.Reports,
        summary="Which reports there are, with their parameters and the meaning of each column",
    )
    async def list_reports(who: Caller) -> Response:
        _for_agents(who)
        return json_response({"items": [_described(report) for report in REPORTS.values()]})

    @routes.get(
        "/{name}",
        operation_id="getReport",
        response_model=bodies.ReportAnswer,
        responses=FILES,
        summary="A report on tickets in queues that you may read",
    )
    async def get_report(
        name: Annotated[str, Path(max_length=100, description="The name of the report, as `GET /reports` lists it.")],
        who: Caller,
        written: Awaited,
        query: Annotated[ReportQuery, Query()],
    ) -> Response:
        _for_agents(who)
        awaited = [each for each in written if each.service in PRODUCERS]
        shown = not awaited or await wait_until_shown(reader.pool, "reports.tickets", awaited)
        try:
            async with turns.turn(str(who.person_id), WAIT_SECONDS):
                found = await report(reader, name, query, who, desk)
        except NoTurn:
            raise problems.too_many(5, "Too many reports are being computed. Try again in a moment.") from None
        headers = {} if shown else {LAG: "true"}
        if query.format == "json":
            return Response(_json(found), media_type="application/json", headers=headers)
        zone = zone_of(who, desk)
        file = csv_file(found) if query.format == "csv" else await asyncio.to_thread(xlsx_file, found)
        name = f"{name}-{found.start.astimezone(zone).date()}.{query.format}"
        named = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(file, media_type=MEDIA_TYPES[query.format], headers=headers | named)

    return routes


def _for_agents(who: Identity) -> None:
    if not who.is_agent:
        raise problems.forbidden("Reports are for agents.")


async def report(
    reader: TicketReader, name: str, query: ReportQuery, who: Identity, desk: ZoneInfo, now: datetime | None = None
) -> Answer:
    """The answer of a report for somebody, who must be an agent. Raises Problem 404 or 422."""
    wanted = REPORTS.get(name)
    if wanted is None:
        raise problems.not_found("There is no such report.")
    _check_by(wanted, query)
    now = now or datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as the answer says it
    interval: Interval | None = "day" if query.by == "day" else query.interval
    try:
        asked = period(query.from_, query.to, interval, zone_of(who, desk), now)
    except BadPeriod as error:
        raise problems.invalid(f"/query/{error.parameter}", error.why) from None
    chosen = await filters(reader, query, who)
    question = Question(
        period=asked,
        by=query.by,
        filters=chosen,
        queues=read_as_agent(scope(who, reader.directory.queues), chosen),
        known=None if who.is_admin else tuple(reader.known_queues(who)),
        now=now,
    )
    try:
        return await answer(reader.pool, wanted, question, reader.directory.queues)
    except TooMuch as error:
        raise problems.invalid("/query", str(error)) from None


def _check_by(wanted: Report, query: ReportQuery) -> None:
    by = query.by
    if by is not None:
        known = FIELD if by.startswith(FIELD) and len(by) > len(FIELD) else by
        if known not in wanted.by or by == FIELD:
            if not wanted.by:
                raise problems.invalid("/query/by", f"The report {wanted.name} cannot be divided; leave `by` out.")
            allowed = ", ".join(map(_spelled, wanted.by))
            raise problems.invalid("/query/by", f"The report {wanted.name} can be divided by: {allowed}.")
    if query.interval is not None and not wanted.past:
        raise problems.invalid("/query/interval", "This report is about now: it has no intervals.")
    if query.interval is not None and by == "day":
        raise problems.invalid("/query/by", "Days are intervals: leave out one of the two.")


def _spelled(by: str) -> str:
    return f"{FIELD}<slug>" if by == FIELD else by


def _described(described: Report) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": "from", "values": None, "meaning": "Inclusive: a date in your zone, or a time of RFC 3339."},
        {"name": "to", "values": None, "meaning": "Exclusive: a date in your zone, or a time of RFC 3339."},
    ]
    if described.past:
        values = ["day", "week", "month"]
        parameters.append({"name": "interval", "values": values, "meaning": "A row for each; weeks begin on Monday."})
    if described.by:
        values = [_spelled(each) for each in described.by]
        parameters.append({"name": "by", "values": values, "meaning": "Divides the rows by what tickets have."})
    parameters += [
        {"name": name, "values": None, "meaning": f"A filter of tickets. {filtered.description}"}
        for name, filtered in FilterQuery.model_fields.items()
    ]
    parameters.append({"name": "format", "values": ["json", "csv", "xlsx"], "meaning": "How the answer is written."})
    columns = [asdict(column) for column in (*described.keys, *described.figures)]
    about = {"name": described.name, "label": described.label, "meaning": described.meaning}
    return about | {"parameters": parameters, "columns": columns}


def _json(found: Answer) -> bytes:
    return orjson.dumps(
        {
            "report": found.report.name,
            "from": _instant(found.start),
            "to": _instant(found.end),
            "as_of": _instant(found.as_of),
            "undone": found.undone,
            "columns": [asdict(column) for column in found.columns],
            "rows": found.rows,
        }
    )


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
