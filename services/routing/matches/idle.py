"""Finds the tickets that nobody acts on, for triggers on idle ones: each trigger looks once, until a person acts.

A row of `routing.idle` says when to look at a ticket again. It is a hint: when a person acted last is read from the
events. The rows of tickets that exist when a trigger is saved are made in batches, in the background.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing import rows
from services.routing.ticket import Ticket
from services.routing.triggers import idleness, matching
from shared.automation.rules import Rule, Rules
from shared.database import Connection
from shared.eventstore.state_cache import States
from shared.eventstore.store import Store, utc_now
from shared.rules.states import OVER
from shared.runtime.failpoints import hit

AT_ONCE = 100
BATCH = 500
"""Tickets that are looked through at a time for a trigger that is new or has changed."""

_BY_A_PERSON = (
    "(actor_kind IN ('agent', 'customer') OR type IN ('helpdesk.TicketQueued.v1', 'helpdesk.CustomerAnswered.v1'))"
)
NEXT = "SELECT min(due_at) FROM routing.idle WHERE due_at IS NOT NULL"
DUE = """
SELECT ticket_id FROM routing.idle WHERE due_at <= $1 ORDER BY due_at LIMIT $2
"""
# The streams of these tickets are locked, so no command writes their rows at the same time.
OF_TICKETS = f"""
SELECT i.ticket_id, i.judged, i.matched, i.acted_at AS noted_at, a.occurred_at AS acted_at, a.cause
  FROM routing.idle i
 CROSS JOIN LATERAL (
       SELECT occurred_at,
              CASE WHEN actor_kind IN ('agent', 'customer') THEN event_id ELSE coalesce(causation_id, event_id) END AS cause
         FROM es.events
        WHERE stream_id = i.ticket_id AND {_BY_A_PERSON}
        ORDER BY version DESC
        LIMIT 1) AS a
 WHERE i.ticket_id = ANY($1) AND i.due_at <= $2
 ORDER BY i.ticket_id
   FOR UPDATE OF i
"""
LOOKED = """
UPDATE routing.idle i
   SET acted_at = l.acted_at, due_at = l.due_at, judged = l.judged, matched = l.matched
  FROM json_to_recordset($1) AS l(ticket_id uuid, acted_at timestamptz, due_at timestamptz, judged uuid[], matched uuid[])
 WHERE i.ticket_id = l.ticket_id
"""
FORGET = "DELETE FROM routing.idle WHERE ticket_id = ANY($1)"
ANNOUNCE = """
INSERT INTO routing.idle_triggers AS t (trigger_id, version)
SELECT * FROM unnest($1::uuid[], $2::integer[]) ORDER BY 1
    ON CONFLICT (trigger_id) DO UPDATE SET version = excluded.version, after = DEFAULT, done = false
 WHERE t.version < excluded.version
"""
UNDONE = """
SELECT trigger_id, after FROM routing.idle_triggers WHERE NOT done ORDER BY trigger_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
LOOK_THROUGH = f"""
WITH batch AS (
    SELECT ticket_id, open FROM routing.places WHERE ticket_id > $1 ORDER BY ticket_id LIMIT $2
), found AS (
    INSERT INTO routing.idle AS i (ticket_id, acted_at, due_at)
    SELECT b.ticket_id, a.occurred_at, now()
      FROM batch b
     CROSS JOIN LATERAL (
           SELECT occurred_at FROM es.events
            WHERE stream_id = b.ticket_id AND {_BY_A_PERSON}
            ORDER BY version DESC
            LIMIT 1) AS a
     WHERE b.open
     ORDER BY b.ticket_id
        ON CONFLICT (ticket_id) DO UPDATE SET due_at = now(), judged = array_remove(i.judged, $3)
)
SELECT max(ticket_id::text)::uuid AS last, count(*) AS tickets FROM batch
"""
MOVE_ON = "UPDATE routing.idle_triggers SET after = coalesce($2, after), done = $3 WHERE trigger_id = $1"


class IdleTickets:
    """`rules` returns the newest triggers."""

    def __init__(self, store: Store, states: States[Ticket], rules: Callable[[], Rules]) -> None:
        self.store, self.states, self.rules = store, states, rules
        self._announced: Rules | None = None

    async def look(self) -> int:
        """Makes matches of the triggers that find idle tickets now. Returns how many tickets were looked at."""
        rules = self.rules()
        await self._announce(rules)
        if self._announced is None:
            return 0
        looked = await self._look_through()
        now = utc_now()
        due = [row["ticket_id"] for row in await self.store.pool.fetch(DUE, now, AT_ONCE)]
        return looked + (await self._judge(rules.on("idle"), due, now) if due else 0)

    async def next_at(self) -> datetime | None:
        """When the next ticket is to be looked at."""
        found: datetime | None = await self.store.pool.fetchval(NEXT) if self._announced is not None else None
        return found

    async def _announce(self, rules: Rules) -> None:
        """Has the tickets that exist looked through for triggers that are new or have changed."""
        if rules is self._announced:
            return
        idle = rules.on("idle")
        if idle:
            await self.store.pool.execute(ANNOUNCE, [rule.ref.id for rule in idle], [rule.ref.version for rule in idle])
            self._announced = rules
        elif self._announced is not None:
            self._announced = None

    async def _look_through(self) -> int:
        async with self.store.pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(UNDONE)
            if row is None:
                return 0
            batch = await connection.fetchrow(LOOK_THROUGH, row["after"], BATCH, row["trigger_id"])
            assert batch is not None
            tickets: int = batch["tickets"]
            hit("idle.looked_through")
            await connection.execute(MOVE_ON, row["trigger_id"], batch["last"], tickets < BATCH)
        return tickets

    async def _judge(self, idle: Sequence[Rule], tickets: Sequence[UUID], now: datetime) -> int:
        async with self.store.pool.acquire() as connection, connection.transaction():
            free = await self.store.lock(connection, tickets, wait=False)
            found = await connection.fetch(OF_TICKETS, free, now)
            states = await self.states.newest([row["ticket_id"] for row in found], connection=connection)
            made: list[rows.DecisionRow] = []
            looked: list[dict[str, object]] = []
            over: list[UUID] = []
            for row in found:
                stream, state = row["ticket_id"], states[row["ticket_id"]].state
                if state.queue is None or state.state.type in OVER:
                    over.append(stream)
                    continue
                new = row["acted_at"] > row["noted_at"]
                judged, matched = ([], []) if new else (list(row["judged"]), list(row["matched"]))
                due = idleness.due(idle, row["acted_at"], now, judged)
                facts = matching.ticket_facts(state, "system", now)
                for rule in due.rules:
                    judged.append(rule.ref.id)
                    if rule.ref.id not in matched and rule.holds(facts):
                        matched.append(rule.ref.id)
                        made.append(matching.match(rule, stream, row["cause"], uuid7()))
                looked.append(
                    {
                        "ticket_id": str(stream),
                        "acted_at": row["acted_at"],
                        "due_at": due.again_at,
                        "judged": [str(each) for each in judged],
                        "matched": [str(each) for each in matched],
                    }
                )
            await self._write(connection, made, looked, over)
            hit("idle.before_commit")
        return len(found)

    async def _write(
        self,
        connection: Connection,
        made: Sequence[rows.DecisionRow],
        looked: Sequence[dict[str, object]],
        over: Sequence[UUID],
    ) -> None:
        await rows.write(connection, made)
        if looked:
            await connection.execute(LOOKED, looked)
        if over:
            await connection.execute(FORGET, over)
