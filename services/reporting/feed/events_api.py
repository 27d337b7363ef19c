"""`GET /events`: the event feed for programs (docs/events.md)."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.reporting.feed.cloud_events import EventPage
from services.reporting.feed.follower import Follower, Moved
from services.reporting.feed.place import Place, UnknownPlace
from services.reporting.feed.sealed_places import LONGEST, SealedPlaces
from services.reporting.feed.visible_events import Asked, Found, VisibleEvents
from shared.http import problems
from shared.http.headers.consistency import Awaited
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.paging import Limit
from shared.http.routes import router as strict
from shared.runtime.concurrency import ConcurrencyLimit

NOW = "now"
LONGEST_WAIT = 25.0
MOST_WAITING = 256
MOST_WAITING_OF_A_PERSON = 32
After = Annotated[
    str,
    Query(
        max_length=LONGEST, description="`next` of the page before. Empty: before the first event. `now`: from here on."
    ),
]
Types = Annotated[
    list[Annotated[str, Query(max_length=200)]] | None,
    Query(max_length=50, alias="type", description="Only events of these types."),
]
Wait = Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for an event if there is none now.")]


def router(events: VisibleEvents, follower: Follower, places: SealedPlaces) -> APIRouter:
    routes = strict("/api/v1", tags=["reading"])
    waiting = ConcurrencyLimit(MOST_WAITING, MOST_WAITING_OF_A_PERSON)

    @routes.get(
        "/events",
        operation_id="listEvents",
        response_model=EventPage,
        summary="Events of the tickets that you may see, in log order",
    )
    async def list_events(
        request: Request,
        who: Caller,
        written: Awaited,
        after: After = "",
        limit: Limit = 50,
        types: Types = None,
        wait: Wait = 0.0,
    ) -> Response:
        headers = await events.reader.wait_until_shown(written)
        who = await events.reader.directory.recognised(who)
        query = Asked(who, limit, frozenset(types or ()))
        try:
            place = await _place(after)
            found = await (_waited_for(request, place, query, wait) if wait else events.after(place, query))
        except UnknownPlace:
            raise problems.invalid("/query/after", "This is not a place in the event feed. Begin anew.") from None
        body = {"events": found.events, "next": places.seal(found.place), "end": found.at_end}
        return json_response(body, headers=headers)

    async def _place(after: str) -> Place:
        if after == "":
            return await events.feed.first()
        return await events.feed.end() if after == NOW else places.open(after)

    async def _waited_for(request: Request, place: Place, query: Asked, seconds: float) -> Found:
        """Waits until there is an event to show. Holds no database connection, and reads nothing for others' events."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        with follower.watch() as watch:
            found = await events.after(place, query)
            if found.events or not found.at_end:
                return found
            holder = str(query.who.person_id)
            if not waiting.take(holder):
                raise problems.too_many(5, "Too many requests are waiting for events.")
            gone = asyncio.create_task(_until_gone(request))
            try:
                passed_over = False
                while not found.events and found.at_end:
                    moved = await _unless_gone(watch.next(end - loop.time()), gone)
                    if moved == []:
                        break
                    passed_over = moved is not None and not await events.concerns(moved, query)
                    if not passed_over:
                        found = await events.after(found.place, query)
                return await events.after(found.place, query) if passed_over else found
            finally:
                gone.cancel()
                waiting.give_back(holder)

    return routes


async def _until_gone(request: Request) -> None:
    """Ends when the caller has disconnected: then nothing should wait for them."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _unless_gone(moves: Coroutine[Any, Any, list[Moved] | None], gone: asyncio.Task[None]) -> list[Moved] | None:
    """What a watch gives; empty, as if the time was over, if the caller has gone."""
    waiting = asyncio.create_task(moves)
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else []
    finally:
        waiting.cancel()
