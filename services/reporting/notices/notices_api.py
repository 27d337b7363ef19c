"""`GET /notices` and `POST /notices/seen`: the list of a person's notices (A10.01, A10.05)."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime

from services.reporting.notices.notice_list import DAYS, NoticeList
from services.reporting.read_your_writes import wait_until_shown
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.consistency import LAG, Awaited
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.routes import router as strict
from shared.http.serving.limits import SMALL_BODY, body_limit

TICKET = {"id": story.TICKET, "number": story.NUMBER, "title": story.TITLE}


class TicketOfNotice(Body):
    model_config = example(TICKET)

    id: UUID
    number: str
    title: str


class NoticeShown(Body):
    """A notice. Kinds are an open list: a later version may have more."""

    model_config = example(
        {
            "id": story.CAUSE,
            "at": story.ANSWERED_AT,
            "kind": "follow_up",
            "ticket": TICKET,
            "text": "Kari Nordmann wrote a message.",
            "seen": False,
        }
    )

    id: UUID
    at: AwareDatetime
    kind: str
    ticket: TicketOfNotice | None
    text: str
    seen: bool


class NoticePage(Body):
    """Newest first."""

    items: list[NoticeShown]
    next_cursor: str | None


class SeenNotices(Body):
    """`until`: the newest notice that I have seen."""

    model_config = example({"until": story.CAUSE})

    until: UUID


def router(notices: NoticeList) -> APIRouter:
    routes = strict("/api/v1/notices", tags=["live"])

    @routes.get(
        "",
        operation_id="listNotices",
        response_model=NoticePage,
        summary="What I was told, newest first",
        description=f"Of the last {DAYS} days, and of tickets that I may read now. Customers have none.",
    )
    async def list_notices(
        request: Request, who: Caller, written: Awaited, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        cursors: Cursors = request.app.state.cursors
        after = cursors.decode(who, "notices", cursor)
        shown = not written or await wait_until_shown(notices.pool, "desk.tickets", written)
        place = (datetime.fromisoformat(after[0]), UUID(after[1])) if after is not None else None
        rows = await notices.page(who, place, limit + 1)
        next_cursor = None
        if len(rows) > limit:
            last = rows[limit - 1]
            next_cursor = cursors.encode(who, "notices", [last["at"].isoformat(), str(last["id"])])
        items = await notices.shown(rows[:limit])
        return json_response(page(items, next_cursor), headers={} if shown else {LAG: "true"})

    @routes.post(
        "/seen",
        status_code=204,
        operation_id="markNoticesSeen",
        summary="I have seen this notice and all older ones",
    )
    @body_limit(SMALL_BODY)
    async def mark_notices_seen(who: Caller, body: SeenNotices) -> Response:
        if not await notices.mark_seen(who, body.until):
            raise problems.invalid("/until", "You have no such notice.")
        return Response(status_code=204)

    return routes
