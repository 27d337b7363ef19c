"""`GET /search` (requirements A11.01 to A11.04, A11.09)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.reporting.search.bodies import SearchPage
from services.reporting.search.query.finder import COUNTED, Position, SearchSort
from services.reporting.search.ticket_search import TicketSearch
from services.reporting.tickets.list_query import FilterQuery
from shared.http.headers.consistency import Awaited
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.paging import Cursors, CursorText, Limit
from shared.http.routes import router as strict
from shared.http.routes import takes_any_text

Text = Annotated[str, Query(max_length=20_000)]


class SearchQuery(FilterQuery):
    """The query parameters of a search."""

    q: Annotated[
        str, Field(description="Words, phrases in quotation marks, `-word`, `word*`, `a OR b`, `attribute:word`.")
    ] = ""
    sort: Annotated[
        SearchSort,
        Field(
            description="`-` is descending. `relevance`: numbers and addresses, titles, the rest; each newest first."
        ),
    ] = "relevance"
    limit: Limit = 50
    cursor: CursorText = None


def router(search: TicketSearch) -> APIRouter:
    routes = strict(tags=["search"])

    @routes.get(
        "/api/v1/search",
        operation_id="searchTickets",
        response_model=SearchPage,
        summary="Tickets that you may see, by their words",
    )
    @takes_any_text("q")
    async def search_tickets(
        request: Request, who: Caller, written: Awaited, query: Annotated[SearchQuery, Query()]
    ) -> Response:
        reader = search.reader
        who = await reader.directory.recognised(who)
        asked = await search.asked(query.q, query, query.sort, who)
        cursors: Cursors = request.app.state.cursors
        parameters = sorted(
            (name, value) for name, value in request.query_params.multi_items() if name not in ("limit", "cursor")
        )
        key = ["search", *parameters]
        after = cursors.decode(who, key, query.cursor)
        headers = await search.wait_until_shown(written)
        found, items = await search.find_as_shown(asked, _position(after), query.limit + 1, who)
        did_you_mean = None if found.count or query.cursor else await search.did_you_mean(asked, query.q, who)
        next_cursor = None
        if len(found.hits) > query.limit:
            tier, time, ticket = found.hits[query.limit - 1].position
            next_cursor = cursors.encode(who, key, [tier, time, ticket.hex()])
        count = {"value": min(found.count, COUNTED + 1), "exact": found.is_exact}
        return json_response(
            {"items": items, "next_cursor": next_cursor, "count": count, "did_you_mean": did_you_mean}, headers=headers
        )

    @routes.get("/internal/suggestions", include_in_schema=False)
    @takes_any_text("q")
    async def suggestions(
        who: Caller, q: Text, kinds: Annotated[str, Query(max_length=100)], limit: Annotated[int, Query(ge=1, le=50)]
    ) -> Response:
        who = await search.reader.directory.recognised(who)
        return json_response({"items": await search.suggestions(q, kinds.split(","), limit, who)})

    return routes


def _position(after: list[Any] | None) -> Position | None:
    return (after[0], after[1], bytes.fromhex(after[2])) if after is not None else None
