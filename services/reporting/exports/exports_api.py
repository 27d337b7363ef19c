"""Exports over HTTP: every ticket of a list as a file."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.reporting.download import Download, Sink
from services.reporting.exports.columns import chosen
from services.reporting.exports.export import Exports, Wanted
from services.reporting.exports.formats import FORMATS, FormatName
from services.reporting.exports.statement import Chosen, Names
from services.reporting.tickets.list_query import FilterQuery, filters
from services.reporting.tickets.ticket_list import Sort
from services.reporting.tickets.ticket_reader import TicketReader
from services.reporting.visibility import scope
from services.reporting.zone import zone_of
from shared.http.headers.consistency import Awaited
from shared.http.identity import Caller
from shared.http.routes import router as strict
from shared.rules.access import Identity

ColumnNames = Annotated[
    str | None,
    Field(
        max_length=5_000,
        description="The columns in their order, as a comma list; `field.<slug>` is a ticket's field.",
        examples=["number,title,state,field.room"],
    ),
]
EXAMPLES = {
    "csv": "\ufeffnumber,title,created_at\n2026112910000015,My computer hums,2026-11-29T10:14:03.120+01:00\n",
    "json": {"items": [{"number": "2026112910000015", "title": "My computer hums"}]},
}
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file. An incomplete transfer is an error: the file is not whole.",
        "content": {
            each.media_type.partition(";")[0]: {
                "schema": {
                    "type": "object",
                    "required": ["items"],
                    "additionalProperties": False,
                    "properties": {"items": {"type": "array", "items": {"type": "object", "additionalProperties": {}}}},
                }
                if each.name == "json"
                else {"type": "string"} | ({} if each.name == "csv" else {"format": "binary"}),
                "example": EXAMPLES.get(each.name, "PK..." if each.name == "xlsx" else "PAR1..."),
            }
            for each in FORMATS.values()
        },
    }
}


class ExportQuery(FilterQuery):
    """The query parameters of an export of the ticket list."""

    sort: Annotated[Sort, Field(description="`-` is descending. `default` is by priority, then the oldest first.")] = (
        "default"
    )
    format: Annotated[FormatName, Field(description="How the file is written.")] = "csv"
    columns: ColumnNames = None


def router(reader: TicketReader, exports: Exports, desk: ZoneInfo) -> APIRouter:
    routes = strict("/api/v1", tags=["reading"])

    @routes.get(
        "/tickets/export",
        operation_id="exportTickets",
        summary="Every ticket that you may see and the filters let through, as a file",
        response_class=Response,
        responses=ANSWER,
    )
    async def export_tickets(who: Caller, written: Awaited, query: Annotated[ExportQuery, Query()]) -> Response:
        columns = chosen(query.columns)
        headers = await reader.wait_until_shown(written)
        who = await reader.directory.recognised(who)
        directory = reader.directory
        wanted = Wanted(
            Chosen(scope(who, directory.queues), await filters(reader, query, who), query.sort),
            columns,
            FORMATS[query.format],
            Names(directory.queues, directory.configuration),
            zone_of(who, desk),
        )
        return as_file(exports, who, wanted, headers)

    return routes


def as_file(exports: Exports, who: Identity, wanted: Wanted, headers: Mapping[str, str]) -> Download:
    """The response that sends an export as a file with a name."""

    async def produce(sink: Sink) -> None:
        await exports.run(who.person_id, wanted, sink, customer=not who.is_agent)

    name = f"tickets-{datetime.now(wanted.zone).date()}.{wanted.format.name}"
    named = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Download(produce, wanted.format.media_type, {**headers, **named})
