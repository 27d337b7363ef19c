"""A ticket or one of its articles as a page to print or keep."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Query, Response

from services.reporting.download import Download, Sink
from services.reporting.printing.html_page import SECURITY, html_page
from services.reporting.printing.pdf_page import pdf_page
from services.reporting.printing.printed import PrintedArticle, printed_article, printed_ticket
from services.reporting.tickets import presentation
from services.reporting.tickets.articles_api import ARTICLES, BEGINNING, article_of, whole_texts
from services.reporting.tickets.ticket_reader import FoundTicket, TicketReader, TicketReference
from services.reporting.zone import zone_of
from shared.bounded.processes import Processes
from shared.http import problems
from shared.http.headers.consistency import Awaited
from shared.http.identity import Caller
from shared.http.routes import router as strict
from shared.runtime.concurrency import ConcurrencyLimit

PAGE = 50
"""Articles that are read at a time."""
MOST_SET, MOST_SET_FOR_A_PERSON = 8, 2
"""PDFs that are set or wait for it, in a process: one is set at a time, and nobody makes all others wait."""
RETRY_AFTER = 5
ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The page. It loads nothing and runs nothing.",
        "content": {
            "text/html": {"schema": {"type": "string"}, "example": "<!DOCTYPE html>..."},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}, "example": "%PDF-1.7..."},
        },
    }
}


def router(reader: TicketReader, typesetters: Processes, desk: ZoneInfo) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["reading"])
    setting = ConcurrencyLimit(MOST_SET, MOST_SET_FOR_A_PERSON)

    @routes.get(
        "/{ref}/print",
        operation_id="printTicket",
        summary="A ticket as one page to print or keep, with the articles that you may read",
        response_class=Response,
        responses=ANSWER,
    )
    async def print_ticket(
        ref: TicketReference,
        who: Caller,
        written: Awaited,
        article: Annotated[str | None, Query(max_length=64, description="The id of the only article to print.")] = None,
        format: Literal["html", "pdf"] = "html",  # noqa: A002
    ) -> Response:
        headers = await reader.wait_until_shown(written)
        who = await reader.directory.recognised(who)
        found = await reader.ticket(ref, who)
        only = await article_of(reader, found, article) if article is not None else None
        shown = (await reader.presenter(who, [found.row])).ticket(found.row)
        zone = zone_of(who, desk)
        ticket, articles = printed_ticket(shown, zone), _articles(reader, found, only, zone)
        name = f"ticket-{shown['number']}.{format}"
        headers |= SECURITY | {"Content-Disposition": f'inline; filename="{name}"'}
        if format == "html":

            async def produce(sink: Sink) -> None:
                async for piece in html_page(ticket, articles):
                    await sink(piece)

            return Download(produce, "text/html", headers)
        person = str(who.person_id)
        if not setting.take(person):
            raise problems.too_many(RETRY_AFTER, "Too many PDFs are being made. Try again when one is ready.")
        try:
            document = await pdf_page(typesetters, ticket, articles, found.row["updated_at"])
        finally:
            setting.give_back(person)
        return Response(document, media_type="application/pdf", headers=headers)

    return routes


async def _articles(
    reader: TicketReader, found: FoundTicket, only: asyncpg.Record | None, zone: ZoneInfo
) -> AsyncIterator[PrintedArticle]:
    """The one article, or all that the reader may see, in order. Whole texts are in memory a page at a time."""
    position: tuple[datetime, UUID, int] = BEGINNING
    title = found.row["title"]
    rows = [only] if only is not None else await _page(reader, found, position)
    while rows:
        texts = await whole_texts(reader, rows)
        for row, text in zip(rows, texts, strict=False):
            yield printed_article(presentation.article(row, text), title, zone)
        if only is not None:
            return
        last = rows[len(texts) - 1]
        position = last["created_at"], last["ticket_id"], last["number"]
        rows = await _page(reader, found, position)


async def _page(reader: TicketReader, found: FoundTicket, position: tuple[datetime, UUID, int]) -> list[asyncpg.Record]:
    return await reader.pool.fetch(ARTICLES.format(articles=found.articles), found.row["id"], *position, PAGE)
