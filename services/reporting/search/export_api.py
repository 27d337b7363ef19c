"""`GET /search/export`: every hit of a search as a file (requirements A11.07, A18.02)."""

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.reporting.exports.columns import chosen
from services.reporting.exports.export import Exports, Wanted
from services.reporting.exports.exports_api import ANSWER, ColumnNames, as_file
from services.reporting.exports.formats import FORMATS, FormatName
from services.reporting.exports.statement import Chosen, Names
from services.reporting.search.query.finder import SearchSort
from services.reporting.search.ticket_search import TicketSearch
from services.reporting.tickets.list_query import FilterQuery
from services.reporting.tickets.ticket_list import Filters
from services.reporting.zone import zone_of
from shared.http.headers.consistency import Awaited
from shared.http.identity import Caller
from shared.http.routes import router as strict
from shared.http.routes import takes_any_text


class SearchExportQuery(FilterQuery):
    """The query parameters of an export of a search."""

    q: Annotated[
        str, Field(description="Words, phrases in quotation marks, `-word`, `word*`, `a OR b`, `attribute:word`.")
    ] = ""
    sort: Annotated[
        SearchSort,
        Field(
            description="`-` is descending. `relevance`: numbers and addresses, titles, the rest; each newest first."
        ),
    ] = "relevance"
    format: Annotated[FormatName, Field(description="How the file is written.")] = "csv"
    columns: ColumnNames = None


def router(search: TicketSearch, exports: Exports, desk: ZoneInfo) -> APIRouter:
    routes = strict(tags=["search"])

    @routes.get(
        "/api/v1/search/export",
        operation_id="exportSearch",
        summary="Every ticket that a search finds, as a file",
        response_class=Response,
        responses=ANSWER,
    )
    @takes_any_text("q")
    async def export_search(who: Caller, written: Awaited, query: Annotated[SearchExportQuery, Query()]) -> Response:
        columns = chosen(query.columns)
        directory = search.reader.directory
        who = await directory.recognised(who)
        asked = await search.asked(query.q, query, query.sort, who)
        headers = await search.wait_until_shown(written)
        wanted = Wanted(
            # The index applies the filters, and the order is its own. The statement applies the rights again.
            Chosen(asked.scope, Filters(), "default"),
            columns,
            FORMATS[query.format],
            Names(directory.queues, directory.configuration),
            zone_of(who, desk),
            tickets=lambda: search.every(asked),
        )
        return as_file(exports, who, wanted, headers)

    return routes
