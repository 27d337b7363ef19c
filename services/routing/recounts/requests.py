"""A changed SLA or calendar asks for a recount of the queues whose tickets it may concern.

The request is a row for each queue, written in the transaction that takes the document. How many tickets there are does
not matter here: they are counted anew in the background (`worker`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from shared.contracts.directory import CalendarRetired, CalendarSaved, SlaRetired, SlaSaved
from shared.contracts.envelope import Recorded
from shared.database import Connection
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.handlers import Handler

CHANGES = (SlaSaved, SlaRetired, CalendarSaved, CalendarRetired)
CALENDAR_COUNTS = ("timezone", "hours", "holidays", "days_off", "days_on")
SLA_COUNTS = (
    "calendar", "order", "queues", "priorities", "companies", "topics", "first_answer_minutes", "update_minutes",
    "solution_minutes", "warn_percent", "pauses_in",
)  # fmt: skip
"""The parts of a document that clocks count with. A new name moves no clock."""

DOCUMENTS = "SELECT id, kind, slug, retired, document::text AS document FROM directory.documents WHERE id = ANY($1)"
SLAS_WITH = """
SELECT document::text AS document
  FROM directory.documents
 WHERE kind = 'sla' AND NOT retired AND document ->> 'calendar' = ANY($1)
"""
# Also of a queue without open tickets: one may be opened a moment later by a process that does not know the change yet.
# A recount that is under way goes on to the last ticket, and then from the first one to where it was.
REQUEST = """
INSERT INTO routing.recounts AS r (queue_id, because, cause, requested_at, total)
SELECT q.id, $2, $3, clock_timestamp(), p.tickets
  FROM directory.documents q
 CROSS JOIN LATERAL (SELECT count(*) AS tickets FROM routing.places p WHERE p.queue_id = q.id AND p.open) AS p
 WHERE q.kind = 'queue' AND ($1::text[] IS NULL OR q.slug = ANY($1))
 ORDER BY q.id
    ON CONFLICT (queue_id) DO UPDATE
   SET because = excluded.because,
       cause = excluded.cause,
       requested_at = excluded.requested_at,
       round = 1,
       after = CASE WHEN r.finished_at IS NULL AND r.round < 3 THEN r.after ELSE $4 END,
       until = CASE WHEN r.finished_at IS NULL AND r.round < 3 THEN r.after ELSE $4 END,
       total = excluded.total,
       done = 0,
       changed = 0,
       finished_at = NULL
"""
FIRST = UUID(int=0)

Documents = Mapping[UUID, dict[str, Any]]


class RecountRequests:
    """The handler of the configuration's topic that also asks for recounts. `wake` wakes a worker of this process."""

    def __init__(self, inner: Handler, wake: Callable[[], None] | None) -> None:
        self.inner, self.wake = inner, wake
        self.producers = inner.producers
        self._requested = False

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        self._requested = False
        events = [
            each.event for each in deliveries if each.event is not None and isinstance(each.event.payload, CHANGES)
        ]
        ids = list(dict.fromkeys(event.stream for event in events))
        before = await _documents(connection, ids) if ids else {}
        put_aside = await self.inner.work(connection, deliveries, parked)
        if ids:
            await self._request(connection, events, before, await _documents(connection, ids))
        return put_aside

    def committed(self) -> None:
        self.inner.committed()
        if self._requested and self.wake is not None:
            self.wake()

    async def _request(
        self, connection: Connection, events: Sequence[Recorded], before: Documents, now: Documents
    ) -> None:
        changed = [each for each in now if _counts(before.get(each)) != _counts(now[each])]
        if not changed:
            return
        calendars = [now[each]["slug"] for each in changed if now[each]["kind"] == "calendar"]
        slas = [
            kept[each] for each in changed for kept in (before, now) if each in kept and kept[each]["kind"] == "sla"
        ]
        documents = [each["document"] for each in slas if not each["retired"]]
        documents += [orjson.loads(row["document"]) for row in await connection.fetch(SLAS_WITH, calendars)]
        if not documents:
            return
        last = now[changed[-1]]
        cause = next(event.id for event in reversed(events) if event.stream == changed[-1])
        because = f"{last['kind']} {last['slug']}"
        await connection.execute(REQUEST, _queues(documents), because, cause, FIRST)
        self._requested = True


async def _documents(connection: Connection, ids: Sequence[UUID]) -> Documents:
    rows = await connection.fetch(DOCUMENTS, list(ids))
    return {row["id"]: {**row, "document": orjson.loads(row["document"])} for row in rows}


def _counts(row: dict[str, Any] | None) -> object:
    """What clocks count with; None for a document that is not in use. A retired calendar counts on."""
    if row is None:
        return None
    if row["kind"] == "calendar":
        return [row["document"].get(name) for name in CALENDAR_COUNTS]
    return None if row["retired"] else [row["document"].get(name) for name in SLA_COUNTS]


def _queues(slas: Iterable[dict[str, Any]]) -> list[str] | None:
    """The slugs of the queues that SLAs are for; None: all."""
    lists = [sla.get("queues") or [] for sla in slas]
    return None if not all(lists) else sorted({slug for slugs in lists for slug in slugs})
