"""A person's notices: the newest first, only those of tickets that they may read now."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from services.reporting.notices.sentences import Notice, sentence
from services.reporting.visibility import scope
from shared.automation.rule_actor import rule_of
from shared.contracts.envelope import Actor
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.languages.known import Language
from shared.languages.translator import Translator, translator
from shared.rules.access import Identity
from shared.timestamps import timestamp

DAYS = 90
"""How long a notice is listed."""
MOST_COUNTED = 1_000

_COLUMNS = """n.person_id, n.id, n.at, n.kind, n.ticket_id, t.number, t.title, s.notice IS NOT NULL AS seen,
       h.type, h.data, h.actor_kind, h.actor_id, g.data -> 'rule' ->> 'name' AS rule,
       p.document ->> 'timezone' AS timezone, p.document ->> 'language' AS language"""
_MORE = """
  LEFT JOIN desk.history h ON h.ticket_id = n.ticket_id AND h.id = n.cause
  LEFT JOIN desk.history g ON g.ticket_id = n.ticket_id AND g.number = n.number
  LEFT JOIN directory.documents p ON p.id = n.person_id
"""
_SEEN = "LEFT JOIN projections.notices_seen s ON s.person_id = n.person_id AND s.notice = n.id"
# $1: the person, $2: whether they read everything, $3: the queues that they read.
_LISTED = f"n.person_id = $1 AND n.at > now() - interval '{DAYS} days'"
_READABLE = "($2 OR (t.queue_id = ANY($3) AND t.state_type <> 'removed'))"
_MINE = f"""
  FROM desk.notices n
  JOIN desk.tickets t ON t.id = n.ticket_id
  {_SEEN}
 WHERE {_LISTED} AND {_READABLE}
"""
PAGE = f"""
WITH page AS MATERIALIZED (
    SELECT n.* {_MINE} AND ($4::timestamptz IS NULL OR (n.at, n.id) < ($4, $5))
     ORDER BY n.at DESC, n.id DESC
     LIMIT $6
)
SELECT {_COLUMNS}
  FROM page n
  JOIN desk.tickets t ON t.id = n.ticket_id
  {_SEEN}
  {_MORE}
 ORDER BY n.at DESC, n.id DESC
"""
# Asked whenever somebody looks at their desk, so that it costs the same however many notices they have.
UNSEEN = f"""
WITH newest AS MATERIALIZED (
    SELECT n.* FROM desk.notices n WHERE {_LISTED} ORDER BY n.at DESC, n.id DESC LIMIT {MOST_COUNTED}
)
SELECT count(*)
  FROM newest n
  JOIN desk.tickets t ON t.id = n.ticket_id
  {_SEEN}
 WHERE {_READABLE} AND s.notice IS NULL
"""
# Everybody's of these entries of histories. Who may read the ticket is for the caller to ask.
GIVEN = f"""
SELECT {_COLUMNS}, n.number AS entry
  FROM unnest($1::uuid[], $2::integer[]) AS k(ticket_id, number)
  JOIN desk.notices n ON n.ticket_id = k.ticket_id AND n.number = k.number AND n.person_id = ANY($3)
  JOIN desk.tickets t ON t.id = n.ticket_id
  {_SEEN}
  {_MORE}
"""
PLACE = f"""
SELECT n.at FROM desk.notices n
 WHERE n.person_id = $1 AND n.id = $2 AND n.at > now() - interval '{DAYS} days'
 LIMIT 1
"""
MARK = f"""
INSERT INTO projections.notices_seen (person_id, notice)
SELECT n.person_id, n.id {_MINE} AND s.notice IS NULL AND (n.at, n.id) <= ($4, $5)
 ORDER BY n.id
    ON CONFLICT DO NOTHING
"""
FORGET = f"DELETE FROM projections.notices_seen WHERE person_id = $1 AND seen_at < now() - interval '{DAYS + 1} days'"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NoticeList:
    """`pool` is for reads, `writes` for marks. `zone` and `language` are the desk's."""

    pool: Pool
    writes: Pool
    directory: DirectoryCopy
    zone: ZoneInfo
    language: Language = "en"

    async def page(self, who: Identity, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[asyncpg.Record]:
        """The rows of a page, from the one after `after` on."""
        at, ident = after or (None, None)
        return await self.pool.fetch(PAGE, *self._rights(who), at, ident, limit)

    async def shown(self, rows: Sequence[asyncpg.Record]) -> list[Row]:
        """These rows as the API shows them."""
        names = await self._names(rows)
        return [self._shown(row, names) for row in rows]

    async def unseen(self, who: Identity) -> int:
        """How many of their newest notices (MOST_COUNTED) somebody has not seen."""
        found: int = await self.pool.fetchval(UNSEEN, *self._rights(who))
        return found

    async def mark_seen(self, who: Identity, until: UUID) -> bool:
        """Marks this notice and all older ones as seen, for this person alone; False if they have no such notice."""
        async with self.writes.acquire() as connection, connection.transaction():
            at = await connection.fetchval(PLACE, who.person_id, until)
            if at is None:
                return False
            await connection.execute(MARK, *self._rights(who), at, until)
            await connection.execute(FORGET, who.person_id)
        return True

    async def given(
        self, entries: Sequence[tuple[UUID, int]], people: Collection[UUID]
    ) -> dict[tuple[UUID, int], dict[UUID, Row]]:
        """What entries of histories (ticket and number) have given to these people, by entry and person."""
        if not entries or not people:
            return {}
        tickets, numbers = [ticket for ticket, _ in entries], [number for _, number in entries]
        rows = await self.pool.fetch(GIVEN, tickets, numbers, list(people))
        found: dict[tuple[UUID, int], dict[UUID, Row]] = {}
        for row, shown in zip(rows, await self.shown(rows), strict=True):
            found.setdefault((row["ticket_id"], row["entry"]), {})[row["person_id"]] = shown
        return found

    def _rights(self, who: Identity) -> tuple[UUID, bool, list[UUID]]:
        visible = scope(who, self.directory.queues)
        return who.person_id, visible.everything, list(visible.queues)

    async def _names(self, rows: Sequence[asyncpg.Record]) -> Mapping[str, str]:
        """The names of the people and rules that did something, by their id as events name them."""
        people = {person for row in rows if (person := _person(row)) is not None}
        found = {str(each): someone.name for each, someone in (await self.directory.people(people)).items()}
        rules = {str(each.id): each.name for each in self.directory.configuration.triggers.values()}
        return found | rules

    def _shown(self, row: asyncpg.Record, names: Mapping[str, str]) -> Row:
        data = row["data"] or {}
        say = translator(row["language"], zone=row["timezone"], desk=Translator(self.language, self.zone))
        by_rule = rule_of(Actor(row["actor_kind"] or "", row["actor_id"]))
        rule = names.get(str(by_rule[0])) if by_rule is not None else None
        actor = say.gettext("The rule {rule}", rule=rule) if rule else names.get(row["actor_id"] or "", "")
        notice = Notice(
            kind=row["kind"],
            reader=row["person_id"],
            type=row["type"] or "",
            data=data,
            actor=actor,
            rule=row["rule"] or (data.get("rule") or {}).get("name") or "",
        )
        return {
            "id": str(row["id"]),
            "at": timestamp(row["at"]),
            "kind": row["kind"],
            "ticket": {"id": str(row["ticket_id"]), "number": row["number"], "title": row["title"]},
            "text": sentence(notice, say),
            "seen": row["seen"],
        }


def _person(row: asyncpg.Record) -> UUID | None:
    try:
        return UUID(row["actor_id"]) if row["actor_kind"] in ("agent", "customer") and row["actor_id"] else None
    except ValueError:
        return None
