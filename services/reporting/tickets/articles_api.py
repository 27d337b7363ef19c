"""Reading articles over HTTP: in pages, one by one for other services, as raw mails; and their attachments."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.reporting.tickets import presentation
from services.reporting.tickets.article_bodies import ArticlePage
from services.reporting.tickets.moments.moment import AsOf, moment_of
from services.reporting.tickets.moments.past_articles import articles_then
from services.reporting.tickets.ticket_reader import (
    MERGED_TICKETS,
    FoundTicket,
    TicketReader,
    TicketReference,
)
from shared.blobs import texts
from shared.blobs.store import BlobMissing
from shared.contracts.parts import Blob, Message
from shared.http import problems, story
from shared.http.bodies import content
from shared.http.headers.consistency import Awaited
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.routes import router as strict
from shared.rules.access import Identity

ArticleId = Annotated[str, Path(max_length=64, description="The id of the article.")]
RemoteContent = Annotated[
    bool, Query(description="Loads images from other servers, which then know that the message was read.")
]
ARTICLES = (
    MERGED_TICKETS
    + """
SELECT a.*, t.number AS ticket_number
  FROM merged m
  JOIN desk.tickets t ON t.id = m.id
 CROSS JOIN LATERAL (
        SELECT *
          FROM {articles} a
         WHERE a.ticket_id = m.id AND a.created_at >= $2 AND (a.created_at, a.ticket_id, a.number) > ($2, $3, $4)
         ORDER BY a.created_at, a.number
         LIMIT $5) AS a
 ORDER BY a.created_at, a.ticket_id, a.number
 LIMIT $5
"""
)
PAGE_BYTES = 4 * 1024 * 1024
"""How many bytes of long texts are on one page of articles. The rest is on the next page."""
BEGINNING = (datetime.fromisoformat("1900-01-01T00:00:00+00:00"), UUID(int=0), 0)
ONE = (
    MERGED_TICKETS
    + """
SELECT a.*, t.number AS ticket_number
  FROM {articles} a
  JOIN merged m ON m.id = a.ticket_id
  JOIN desk.tickets t ON t.id = m.id
 WHERE a.id = $2
"""
)
NAMING = """
WITH RECURSIVE shown(ticket_id, article, internal, id) AS (
    SELECT ticket_id, article, internal, ticket_id FROM desk.attachments WHERE id = $1
     UNION
    SELECT s.ticket_id, s.article, s.internal, t.merged_into_id
      FROM shown s
      JOIN desk.tickets t ON t.id = s.id
     WHERE t.merged_into_id IS NOT NULL
)
SELECT s.ticket_id, s.article, s.internal, t.queue_id, t.customer_id, t.company, t.state_type
  FROM shown s
  JOIN desk.tickets t ON t.id = s.id
"""
"""The articles that name an attachment, with each ticket that shows them."""
FILES = "SELECT attachments FROM {articles} WHERE ticket_id = $1 AND number = $2"
DOWNLOAD = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'"}
HARMLESS = frozenset(("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain"))


def router(reader: TicketReader) -> APIRouter:
    routes = strict(tags=["reading"])

    @routes.get(
        "/api/v1/tickets/{ref}/articles",
        operation_id="listArticles",
        response_model=ArticlePage,
        summary="Every message, note and call of a ticket, in order",
    )
    async def list_articles(
        request: Request,
        ref: TicketReference,
        who: Caller,
        written: Awaited,
        limit: Limit = 50,
        cursor: CursorText = None,
        remote_content: RemoteContent = False,
        as_of: AsOf = None,
    ) -> Response:
        headers = await reader.wait_until_shown(written)
        found = await reader.ticket(ref, who)
        moment = await moment_of(reader.pool, reader.directory, who, as_of, written)
        cursors: Cursors = request.app.state.cursors
        asked = [str(found.row["id"]), "articles", as_of]
        after = cursors.decode(who, asked, cursor)
        position = (datetime.fromisoformat(after[0]), UUID(after[1]), after[2]) if after else BEGINNING
        deliveries: dict[UUID, str | None] = {}
        if moment is not None:
            rows, deliveries = await articles_then(reader, found, moment, position, limit + 1)
        else:
            statement = ARTICLES.format(articles=found.articles)
            rows = await reader.pool.fetch(statement, found.row["id"], *position, limit + 1)
        whole = await whole_texts(reader, rows[:limit])
        items = [presentation.article(row, text, remote=remote_content) for row, text in zip(rows, whole, strict=False)]
        others = await reader.visible(who, {row["ticket_id"] for row in rows} - {found.row["id"]})
        for row, item in zip(rows, items, strict=False):
            item["delivery"] = deliveries.get(row["id"], row["delivery"])
            if row["ticket_id"] not in {found.row["id"], *others}:
                item["ticket"] = None
        next_cursor = None
        if len(rows) > len(items):
            last = rows[len(items) - 1]
            end = [last["created_at"].isoformat(), str(last["ticket_id"]), last["number"]]
            next_cursor = cursors.encode(who, asked, end)
        return json_response(page(items, next_cursor), headers=headers)

    @routes.get(
        "/api/v1/tickets/{ref}/articles/{article}/raw",
        operation_id="getRawArticle",
        summary="The mail of an article exactly as it arrived",
        **content("message/rfc822", story.RAW_MAIL),
    )
    async def raw(ref: TicketReference, article: ArticleId, who: Caller, written: Awaited) -> Response:
        headers = await reader.wait_until_shown(written)
        found = await reader.ticket(ref, who)
        row = await article_of(reader, found, article)
        if row["raw"] is None:
            raise problems.not_found()
        _check_malware(row["attachments"] or (), who)
        name = f"{found.row['number']}-{row['number']}.eml"
        return await _download(reader, row["raw"]["sha256"], name, "message/rfc822", headers)

    @routes.get("/internal/tickets/{ref}/articles/{article}", include_in_schema=False)
    async def original(ref: TicketReference, article: ArticleId, who: Caller, written: Awaited) -> Response:
        headers = await reader.wait_until_shown(written)
        found = await reader.ticket(ref, who)
        if not found.as_agent:
            raise problems.forbidden("Only agents of the ticket's queue may send articles on.")
        row = await article_of(reader, found, article)
        ticket = {"id": str(found.row["id"]), "number": found.row["number"]}
        about = {"written_by": row["sender"], "author": row["author"]} | {
            each: row[each] for each in ("kind", "internal")
        }
        return json_response(
            {"ticket": ticket, "message": _message(row).model_dump(mode="json") | about}, headers=headers
        )

    @routes.get(
        "/api/v1/blobs/{blob}",
        operation_id="getBlob",
        summary="An attachment, as a download",
        **content("*/*", "The bytes of the file. Its type is one that a browser does not run."),
    )
    async def blob(
        blob: Annotated[str, Path(max_length=64, description="The id of the attachment.")],
        who: Caller,
        written: Awaited,
    ) -> Response:
        headers = await reader.wait_until_shown(written)
        identifier = _id(blob)
        named = await _attachment(reader, identifier, who)
        if named is None:
            raise problems.not_found()
        _check_malware([named], who)
        return await _download(reader, named["blob"]["sha256"], named["name"], named["blob"]["type"], headers)

    return routes


def _check_malware(files: Iterable[Mapping[str, Any]], who: Identity) -> None:
    """Raises Problem 403 if a virus scanner found malware in a file: only administrators may look at it."""
    threats = [each.get("threat", "") for each in files if each.get("scan") == "infected"]
    if threats and not who.is_admin:
        raise problems.Problem(
            403, "infected", f"A virus scanner found {threats[0]}. Only administrators can download the file."
        )


async def article_of(reader: TicketReader, found: FoundTicket, article: str) -> asyncpg.Record:
    """An article that the ticket shows; Problem 404 for any other."""
    row = await reader.pool.fetchrow(ONE.format(articles=found.articles), found.row["id"], _id(article))
    if row is None:
        raise problems.not_found()
    return row


async def _attachment(reader: TicketReader, identifier: UUID, who: Identity) -> dict[str, Any] | None:
    """An attachment's entry in an article that this person may read; None if there is none."""
    who = await reader.directory.recognised(who)
    for row in await reader.pool.fetch(NAMING, identifier):
        if not reader.may_see(who, row):
            continue
        articles = "desk.articles" if reader.is_agent_for(who, row) else "desk.public_articles"
        files = await reader.pool.fetchval(FILES.format(articles=articles), row["ticket_id"], row["article"])
        for each in files or ():
            if each["id"] == str(identifier):
                entry: dict[str, Any] = each
                return entry
    return None


def _message(row: asyncpg.Record) -> Message:
    """The message of an article, as it was recorded."""
    people = row["people"]
    return Message.model_validate(
        {
            "id": row["id"],
            "channel": row["channel"],
            "sender": people["from"],
            "to": people["to"],
            "cc": people["cc"],
            "bcc": people.get("bcc", ()),
            "subject": row["subject"],
            "text": row["text"],
            "new_text": row["new_text"],
            "html": row["html"],
            "text_blob": row["text_blob"],
            "attachments": row["attachments"] or (),
            "message_id": row["message_id"],
            "mail": row["mail"],
            "raw": row["raw"],
            "written_at": row["written_at"],
            "reading_notes": row["reading_notes"] or (),
            "reply_to": people.get("reply_to", ()),
            "reply_to_doubt": people.get("reply_to_doubt", ""),
        }
    )


async def _download(reader: TicketReader, sha256: str, name: str, media_type: str, headers: dict[str, str]) -> Response:
    """A file as a download: one that came by mail must not run as a page of ours."""
    try:
        content: AsyncIterator[bytes] = await reader.blobs.stream(sha256)
    except BlobMissing:
        raise problems.not_found() from None
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%/' else "_" for c in name) or "file"
    named = {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}
    shown_type = media_type if media_type in HARMLESS or media_type == "message/rfc822" else "application/octet-stream"
    return StreamingResponse(content, media_type=shown_type, headers=headers | DOWNLOAD | named)


async def whole_texts(reader: TicketReader, rows: Sequence[asyncpg.Record]) -> list[str | None]:
    """The whole texts of the articles that fit on a page, None for those that are whole in their rows.

    The first article fits whatever its length, others while there are at most `PAGE_BYTES`. Texts are loaded one after
    the other, so that no more is in memory.
    """
    found: list[str | None] = []
    room = PAGE_BYTES
    for row in rows:
        blob = Blob.model_validate(row["text_blob"]) if row["text_blob"] is not None else None
        size = blob.size if blob is not None else 0
        if found and size > room:
            break
        room -= size
        found.append(await texts.whole(reader.blobs, row["text"], blob) if blob is not None else None)
    return found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise problems.not_found() from None
