"""Numbers over HTTP: how many tickets are in each queue, and what happened on each day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response

from services.reporting.notices.notice_list import NoticeList
from services.reporting.read_your_writes import wait_until_shown
from services.reporting.stats.bodies import Days, MyCounts, QueueCounts, TimeSum, WidgetCounts
from services.reporting.tickets.moments.moment import AsOf, moment_of
from services.reporting.tickets.moments.past_counts import counts_then
from services.reporting.visibility import followed_queues, scope
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.http import problems
from shared.http.headers.consistency import LAG, Awaited
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.routes import router as strict

COUNTS = ("new", "open", "pending", "closed", "available", "locked_by_me", "owned_by_me")
QUEUES = """
SELECT q.queue_id, q.new, q.open, q.pending, q.closed,
       q.new + q.open + q.pending - q.locked + coalesce(p.locked, 0) AS available,
       coalesce(p.locked, 0) AS locked_by_me, coalesce(p.owned, 0) AS owned_by_me
  FROM stats.queues q
  LEFT JOIN stats.people p ON p.queue_id = q.queue_id AND p.person_id = $2
 WHERE q.queue_id = ANY($1)
"""
MINE = """
SELECT coalesce(sum(p.owned), 0)::bigint AS owned, coalesce(sum(p.locked), 0)::bigint AS locked,
       coalesce(sum(p.responsible), 0)::bigint AS responsible, coalesce(sum(p.owned_due), 0)::bigint AS reminders,
       coalesce(sum(p.owned_escalated), 0)::bigint AS escalated
  FROM stats.people p
 WHERE p.person_id = $2 AND p.queue_id = ANY($1)
"""
WIDGETS = """
SELECT q.queue_id, q.due AS all_reminders, q.escalated AS all_escalated, q.new AS all_new, q.open AS all_open,
       coalesce(p.locked_due, 0) AS locked_reminders, coalesce(p.locked_escalated, 0) AS locked_escalated,
       coalesce(p.locked_new, 0) AS locked_new,
       coalesce(p.locked_open, 0) AS locked_open
  FROM stats.queues q
  LEFT JOIN stats.people p ON p.queue_id = q.queue_id AND p.person_id = $2
 WHERE q.queue_id = ANY($1)
"""
DAYS = """
SELECT d::date AS day, coalesce(sum(s.created), 0)::bigint AS created, coalesce(sum(s.closed), 0)::bigint AS closed,
       coalesce(sum(s.answered), 0)::bigint AS answered
  FROM generate_series($1::date, $2::date, interval '1 day') AS d
  LEFT JOIN stats.days s ON s.day = d::date AND s.queue_id = ANY($3)
 GROUP BY d
 ORDER BY d
"""
TIME = """
SELECT w.day, w.person_id, sum(w.units) AS units, count(*) AS tickets,
       (SELECT d.document ->> 'name' FROM directory.documents d WHERE d.id = w.person_id) AS name
  FROM stats.time w
  JOIN stats.tickets t ON t.id = w.ticket_id
 WHERE w.day BETWEEN $1 AND $2
   AND (t.queue_id = ANY($3) OR w.person_id = $4)
   AND ($5::uuid IS NULL OR w.person_id = $5)
 GROUP BY w.day, w.person_id
 ORDER BY w.day, w.person_id
"""
NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class StatsReader:
    """What the routes need to read the numbers. `zone` decides which day something belongs to."""

    pool: Pool
    directory: DirectoryCopy
    zone: ZoneInfo
    notices: NoticeList


def router(stats: StatsReader) -> APIRouter:
    routes = strict("/api/v1/stats", tags=["numbers"])

    async def fresh(written: Awaited) -> dict[str, str]:
        return {} if not written or await wait_until_shown(stats.pool, "stats.tickets", written) else {LAG: "true"}

    @routes.get(
        "/queues",
        operation_id="countQueues",
        response_model=QueueCounts,
        summary="How many tickets each queue has that you may read",
    )
    async def queues(who: Caller, written: Awaited, as_of: AsOf = None) -> Response:
        moment = await moment_of(stats.pool, stats.directory, who, as_of, written)
        headers = await fresh(written)
        visible = scope(who, stats.directory.queues)
        readable = visible.queues
        if moment is not None:
            found = await counts_then(stats.pool, moment, visible, who.person_id)
        else:
            found = await stats.pool.fetch(QUEUES, list(readable), who.person_id)
        rows = {row["queue_id"]: row for row in found}
        followed = await followed_queues(stats.directory, who) if readable else set()
        items: list[dict[str, Any]] = []
        mine = dict.fromkeys(COUNTS, 0)
        known = stats.directory.queues
        # Retired queues come last, as long as they have tickets.
        retired = [
            known.by_id[each] for each in sorted(known.retired & rows.keys(), key=lambda each: known.by_id[each].slug)
        ]
        for queue in (*known.live, *retired):
            if queue.id not in readable:
                continue
            counts = {name: rows[queue.id][name] if queue.id in rows else 0 for name in COUNTS}
            reference = {"id": str(queue.id), "slug": queue.slug, "name": queue.name}
            items.append({"queue": reference | ({"retired": True} if queue.id in known.retired else {}), **counts})
            if queue.id in followed:
                mine = {name: mine[name] + counts[name] for name in COUNTS}
        return json_response({"items": items, "mine": mine}, headers=headers)

    @routes.get(
        "/mine", operation_id="countMine", response_model=MyCounts, summary="My tickets, for the menu bar, in numbers"
    )
    async def mine(who: Caller, written: Awaited) -> Response:
        """Of tickets that are not closed, in queues that the caller may read. A customer owns and locks none."""
        headers = await fresh(written)
        readable = list(scope(who, stats.directory.queues).queues)
        row = await stats.pool.fetchrow(MINE, readable, who.person_id)
        assert row is not None  # sums of no rows are a row too
        unseen = await stats.notices.unseen(who)
        return json_response(dict(row) | {"notices": unseen}, headers=headers)

    @routes.get(
        "/widgets",
        operation_id="countWidgets",
        response_model=WidgetCounts,
        summary="The counts of a dashboard's widgets, for their tabs",
    )
    async def widgets(who: Caller, written: Awaited) -> Response:
        """Each widget in the tabs `locked` (by me), `mine` (in queues that I follow) and `all` (that I may read).

        The rows of a tab are a list of tickets with the same filters, `locked_by=me` or `mine=true`.
        """
        headers = await fresh(written)
        readable = scope(who, stats.directory.queues).queues
        followed = await followed_queues(stats.directory, who) if readable else set()
        rows = await stats.pool.fetch(WIDGETS, list(readable), who.person_id)
        found = {
            widget: {
                "locked": sum(row[f"locked_{widget}"] for row in rows),
                "mine": sum(row[f"all_{widget}"] for row in rows if row["queue_id"] in followed),
                "all": sum(row[f"all_{widget}"] for row in rows),
            }
            for widget in ("reminders", "escalated", "new", "open")
        }
        return json_response(found, headers=headers)

    @routes.get(
        "/days",
        operation_id="countDays",
        response_model=Days,
        summary="What happened on each of the last days, today last",
    )
    async def days(who: Caller, written: Awaited, days: Annotated[int, Query(ge=1, le=366)] = 7) -> Response:
        headers = await fresh(written)
        today = datetime.now(stats.zone).date()
        readable: list[UUID] = list(scope(who, stats.directory.queues).queues)
        rows = await stats.pool.fetch(DAYS, today - timedelta(days=days - 1), today, readable)
        items = [
            {"day": row["day"].isoformat()} | {name: row[name] for name in ("created", "closed", "answered")}
            for row in rows
        ]
        return json_response({"items": items}, headers=headers)

    @routes.get(
        "/time",
        operation_id="sumTime",
        response_model=TimeSum,
        summary="Time units that each agent spent on each of the last days",
    )
    async def time(
        who: Caller,
        written: Awaited,
        days: Annotated[int, Query(ge=1, le=366)] = 7,
        person: Annotated[str | None, Query(max_length=200, description="Only this agent, by login or id.")] = None,
    ) -> Response:
        """Of tickets in queues that the caller may read, and the caller's own work on any ticket (A16.02).

        Days without work are left out.
        """
        headers = await fresh(written)
        today = datetime.now(stats.zone).date()
        readable: list[UUID] = list(scope(who, stats.directory.queues).queues)
        named = await stats.directory.person_named(person) if person is not None else None
        if person is not None and named is None and readable:  # whoever reads no queue must not learn who exists
            raise problems.invalid("/query/person", "No such person.")
        wanted = named.id if named is not None else NOBODY if person is not None else None
        first = today - timedelta(days=days - 1)
        rows = await stats.pool.fetch(TIME, first, today, readable, who.person_id, wanted)
        items = [
            {
                "day": row["day"].isoformat(),
                "agent": {"id": str(row["person_id"]), "name": row["name"]},
                "units": float(row["units"]),
                "tickets": row["tickets"],
            }
            for row in rows
        ]
        body = {"items": items, "units": float(sum(row["units"] for row in rows))}
        return json_response(body, headers=headers)

    return routes
