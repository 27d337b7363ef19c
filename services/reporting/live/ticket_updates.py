"""Reads what the updates of changes need: the tickets as the lists show them now, and some details of the events."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from services.reporting.actors import rule_names
from services.reporting.feed.for_customers import shown_to_customers
from services.reporting.feed.merging import Change
from services.reporting.feed.place import Place
from services.reporting.live.sight import Facts
from services.reporting.live.updates import CUSTOMER_CHANGED, MOVED, Happened, Present, Update, update
from shared.database import Pool
from shared.directory.copy import DirectoryCopy

PRESENT = """
SELECT id, number, queue_id, queue_slug, queue_name, customer_id, company, state_type, seen
  FROM desk.tickets
 WHERE id = ANY($1)
"""
FACTS = "SELECT id, queue_id, customer_id, company, state_type FROM desk.tickets WHERE id = ANY($1)"
DETAILS = f"""
SELECT k.ticket, k.number, a.internal, CASE WHEN h.type IN ('{MOVED}', '{CUSTOMER_CHANGED}') THEN h.data END AS data
  FROM unnest($1::uuid[], $2::integer[]) AS k(ticket, number)
  JOIN desk.history h ON h.ticket_id = k.ticket AND h.number = k.number
  LEFT JOIN desk.articles a ON a.ticket_id = h.ticket_id AND a.number = h.article
"""


class Told(NamedTuple):
    """One update: the changes that it is of, and the place after them."""

    update: Update
    changes: Sequence[Change]
    place: Place


class TicketUpdates:
    def __init__(self, pool: Pool, directory: DirectoryCopy) -> None:
        self.pool, self.directory = pool, directory

    async def of(self, changes: Sequence[tuple[Change, Place]], *, single: bool = False) -> list[Told]:
        """The updates of these changes, in feed order. Consecutive changes of one ticket are one, unless `single`."""
        if not changes:
            return []
        rows = await self.pool.fetch(PRESENT, list({change.ticket for change, _ in changes}))
        details = await self.pool.fetch(
            DETAILS, [change.ticket for change, _ in changes], [change.number for change, _ in changes]
        )
        present = {row["id"]: self._present(row) for row in rows}
        known = {(row["ticket"], row["number"]): row for row in details}
        names = await self._names(changes)
        told: list[Told] = []
        groups = groupby(enumerate(changes), key=lambda each: (each[1][0].ticket, each[0] if single else 0))
        for (ticket, _), group in groups:
            of_one = [each for _, each in group]
            if ticket not in present:
                continue
            events = [self._happened(change, known.get((ticket, change.number))) for change, _ in of_one]
            made = update(present[ticket], [each for each in events if each is not None], names)
            told.append(Told(made, [change for change, _ in of_one], of_one[-1][1]))
        return told

    async def facts(self, tickets: Collection[UUID]) -> dict[UUID, Facts]:
        """What decides who may see these tickets now."""
        rows = await self.pool.fetch(FACTS, list(tickets)) if tickets else ()
        return {row["id"]: _facts(row) for row in rows}

    def _present(self, row: asyncpg.Record) -> Present:
        queue = self.directory.queues.by_id.get(row["queue_id"])
        slug, name = (queue.slug, queue.name) if queue is not None else (row["queue_slug"], row["queue_name"])
        return Present(
            id=row["id"],
            number=row["number"],
            facts=_facts(row),
            queue={"id": str(row["queue_id"]), "slug": slug, "name": name},
            versions={producer: version for producer, (version, _) in row["seen"].items()},
        )

    def _happened(self, change: Change, row: asyncpg.Record | None) -> Happened:
        data: Mapping[str, Any] = row["data"] if row is not None and row["data"] is not None else {}
        return Happened(
            producer=change.source,
            version=change.version,
            type=change.type,
            actor_kind=change.actor_kind,
            actor_id=change.actor_id,
            data=self._with_names_of_today(data) if change.type == MOVED else data,
            for_customers=row is not None and shown_to_customers(change.type, row["internal"]),
        )

    def _with_names_of_today(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            queue = self.directory.queues.by_id.get(UUID(data["was"]["id"]))
        except (KeyError, TypeError, ValueError):
            return {}
        if queue is None:
            return data
        return {**data, "was": {"id": str(queue.id), "slug": queue.slug, "name": queue.name}}

    async def _names(self, changes: Sequence[tuple[Change, Place]]) -> dict[str, str]:
        """The names of the people and rules who did this, by id."""
        ids: set[UUID] = set()
        for change, _ in changes:
            if change.actor_id is not None and change.actor_kind in ("agent", "customer"):
                try:
                    ids.add(UUID(change.actor_id))
                except ValueError:
                    continue
        people = await self.directory.people(ids)
        names = {str(each): someone.name for each, someone in people.items()}
        return names | await rule_names(self.pool, [(change.actor_kind, change.actor_id) for change, _ in changes])


def _facts(row: asyncpg.Record) -> Facts:
    return Facts(row["queue_id"], row["customer_id"], row["company"], row["state_type"] == "removed")
