"""Reading articles over HTTP: the pages of a ticket, one with everything for our own services, raw mails and attachments."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.reporting.tickets import presentation
from services.reporting.tickets.ticket_reader import Found, Reading, Ref, answer
from shared.blobs import texts
from shared.blobs.store import BlobMissing
from shared.contracts.parts import Blob, Message
from shared.http import problems
from shared.http.consistency import Awaited
from shared.http.identity import Caller
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.serving.routes import router as strict
from shared.rules.access import Identity

ArticleId = Annotated[str, Path(max_length=64, description="the article's id")]
RemoteContent = Annotated[
    bool, Query(description="shows images that stand elsewhere, whose servers then know that the message was read")
]
MERGED = """
WITH RECURSIVE merged(id) AS (
    SELECT $1::uuid UNION SELECT t.id FROM desk.tickets t JOIN merged m ON t.merged_into_id = m.id
)
"""
"""A ticket and all those that go on in it now."""
ARTICLES = (
    MERGED
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
"""Of long texts on one page of articles; the rest is on the next one."""
BEGINNING = (datetime.fromisoformat("1900-01-01T00:00:00+00:00"), UUID(int=0), 0)
ONE = MERGED + "SELECT a.* FROM {articles} a JOIN merged m ON m.id = a.ticket_id WHERE a.id = $2"
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


def router(reading: Reading) -> APIRouter:
    routes = strict(tags=["reading"])

    @routes.get(
        "/api/v1/tickets/{ref}/articles",
        operation_id="listArticles",
        summary="Every message, note and call of a ticket, in order",
    )
    async def list_articles(
        request: Request,
        ref: Ref,
        who: Caller,
        written: Awaited,
        limit: Limit = 50,
        cursor: CursorText = None,
        remote_content: RemoteContent = False,
    ) -> Response:
        headers = await reading.fresh(written)
        found = await reading.ticket(ref, who)
        cursors: Cursors = request.app.state.cursors
        asked = [str(found.row["id"]), "articles"]
        after = cursors.decode(who, asked, cursor)
        position = (datetime.fromisoformat(after[0]), UUID(after[1]), after[2]) if after else BEGINNING
        statement = ARTICLES.format(articles=found.articles)
        rows = await reading.pool.fetch(statement, found.row["id"], *position, limit + 1)
        whole = await _whole_texts(reading, rows[:limit])
        items = [presentation.article(row, text, remote=remote_content) for row, text in zip(rows, whole, strict=False)]
        others = await reading.visible(who, {row["ticket_id"] for row in rows} - {found.row["id"]})
        for row, item in zip(rows, items, strict=False):
            if row["ticket_id"] not in {found.row["id"], *others}:
                item["ticket"] = None
        following = None
        if len(rows) > len(items):
            last = rows[len(items) - 1]
            place = [last["created_at"].isoformat(), str(last["ticket_id"]), last["number"]]
            following = cursors.encode(who, asked, place)
        return answer(page(items, following), headers)

    @routes.get(
        "/api/v1/tickets/{ref}/articles/{article}/raw",
        operation_id="getRawArticle",
        summary="The mail of an article exactly as it arrived",
    )
    async def raw(ref: Ref, article: ArticleId, who: Caller, written: Awaited) -> Response:
        headers = await reading.fresh(written)
        found = await reading.ticket(ref, who)
        row = await _article(reading, found, article)
        if row["raw"] is None:
            raise problems.not_found()
        _harmless(row["attachments"] or (), who)
        name = f"{found.row['number']}-{row['number']}.eml"
        return await _download(reading, row["raw"]["sha256"], name, "message/rfc822", headers)

    @routes.get("/internal/tickets/{ref}/articles/{article}", include_in_schema=False)
    async def original(ref: Ref, article: ArticleId, who: Caller, written: Awaited) -> Response:
        headers = await reading.fresh(written)
        found = await reading.ticket(ref, who)
        if not found.at_the_desk:
            raise problems.forbidden("Articles are sent on by the desk only.")
        row = await _article(reading, found, article)
        ticket = {"id": str(found.row["id"]), "number": found.row["number"]}
        about = {"written_by": row["sender"], "author": row["author"]} | {
            each: row[each] for each in ("kind", "internal")
        }
        return answer({"ticket": ticket, "message": _message(row).model_dump(mode="json") | about}, headers)

    @routes.get("/api/v1/blobs/{blob}", operation_id="getBlob", summary="An attachment, as a download")
    async def blob(
        blob: Annotated[str, Path(max_length=64, description="the attachment's id")], who: Caller, written: Awaited
    ) -> Response:
        headers = await reading.fresh(written)
        identifier = _id(blob)
        named = await _attachment(reading, identifier, who)
        if named is None:
            raise problems.not_found()
        _harmless([named], who)
        return await _download(reading, named["blob"]["sha256"], named["name"], named["blob"]["type"], headers)

    return routes


def _harmless(files: Iterable[Mapping[str, Any]], who: Identity) -> None:
    """Raises Problem 403 for what a virus scanner called malware: it is kept, for administrators to look at."""
    threats = [each.get("threat", "") for each in files if each.get("scan") == "infected"]
    if threats and not who.is_admin:
        raise problems.Problem(
            403, "infected", f"A virus scanner found {threats[0]}: it is kept, and handed to administrators only."
        )


async def _article(reading: Reading, found: Found, article: str) -> asyncpg.Record:
    """An article that the ticket shows; 404 for any other."""
    row = await reading.pool.fetchrow(ONE.format(articles=found.articles), found.row["id"], _id(article))
    if row is None:
        raise problems.not_found()
    return row


async def _attachment(reading: Reading, identifier: UUID, who: Identity) -> dict[str, Any] | None:
    """An attachment's entry in an article that this person may read; None when there is no such article."""
    who = await reading.directory.recognised(who)
    for row in await reading.pool.fetch(NAMING, identifier):
        if not reading.may_see(who, row):
            continue
        articles = "desk.articles" if reading.at_the_desk(who, row) else "desk.public_articles"
        files = await reading.pool.fetchval(FILES.format(articles=articles), row["ticket_id"], row["article"])
        for each in files or ():
            if each["id"] == str(identifier):
                entry: dict[str, Any] = each
                return entry
    return None


def _message(row: asyncpg.Record) -> Message:
    """The message as it was recorded."""
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


async def _download(reading: Reading, sha256: str, name: str, media_type: str, headers: dict[str, str]) -> Response:
    """Never shown in place: a file that came by mail must not run as a page of ours."""
    try:
        content: AsyncIterator[bytes] = await reading.blobs.stream(sha256)
    except BlobMissing:
        raise problems.not_found() from None
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%/' else "_" for c in name) or "file"
    named = {"Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"}
    shown_type = media_type if media_type in HARMLESS or media_type == "message/rfc822" else "application/octet-stream"
    return StreamingResponse(content, media_type=shown_type, headers=headers | DOWNLOAD | named)


async def _whole_texts(reading: Reading, rows: Sequence[asyncpg.Record]) -> list[str | None]:
    """The texts that stand in blobs, of as many articles as fit on a page: the first one whatever its length, and others until there are
    `PAGE_BYTES` of them. One after the other, so that no more stands in memory."""
    found: list[str | None] = []
    room = PAGE_BYTES
    for row in rows:
        blob = Blob.model_validate(row["text_blob"]) if row["text_blob"] is not None else None
        size = blob.size if blob is not None else 0
        if found and size > room:
            break
        room -= size
        found.append(await texts.whole(reading.blobs, row["text"], blob) if blob is not None else None)
    return found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise problems.not_found() from None
