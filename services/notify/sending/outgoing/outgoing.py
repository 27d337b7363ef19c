"""What administrators see of mails that have not left, and decide about them.

Each decision is kept: who, when and why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from services.notify import ticket
from services.notify.ticket.commands import RecordFailed
from shared.contracts.envelope import Actor
from shared.database import Connection, Pool
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import CommandId, Context, Store
from shared.rules.access import Identity
from shared.rules.rejected import Rejected

Action = Literal["pause", "resume", "retry", "give_up"]

MOST_GROUPS = 100
"""Domains and queues that are listed, those with the most mails first."""

_PAUSED = """EXISTS (SELECT FROM notify.pauses p
                WHERE (p.queue_id IS NULL OR p.queue_id = d.queue_id) AND (p.domain IS NULL OR p.domain = d.domain))"""
_ON_ITS_WAY = "(d.on_its_way AND d.due_at > now())"
_COUNTS = f"""count(*) AS waiting, count(*) FILTER (WHERE {_ON_ITS_WAY}) AS on_their_way,
       count(*) FILTER (WHERE NOT despite_pause AND {_PAUSED}) AS paused, min(requested_at) AS oldest_at,
       min(greatest(due_at, now())) FILTER (WHERE despite_pause OR NOT {_PAUSED}) AS next_attempt_at,
       (array_agg(last_error ORDER BY requested_at DESC) FILTER (WHERE last_error <> ''))[1] AS last_words"""
WHOLE = f"SELECT {_COUNTS} FROM notify.deliveries d"
BY_DOMAIN = f"""
SELECT domain, {_COUNTS} FROM notify.deliveries d GROUP BY domain
 ORDER BY waiting DESC, domain LIMIT {MOST_GROUPS}
"""
BY_QUEUE = f"""
SELECT queue_id, {_COUNTS} FROM notify.deliveries d WHERE queue_id IS NOT NULL GROUP BY queue_id
 ORDER BY waiting DESC, queue_id LIMIT {MOST_GROUPS}
"""
PAUSES = "SELECT queue_id, domain, by_id, by_name, reason, since FROM notify.pauses ORDER BY since, pause"
MAILS = f"""
SELECT d.notification, d.ticket_id, t.number, d.queue_id, d.domain, d.requested_at, d.attempts, d.due_at, d.remaining,
       nullif(d.last_error, '') AS last_words, {_ON_ITS_WAY} AS on_its_way, NOT d.despite_pause AND {_PAUSED} AS paused,
       e.type, e.data ->> 'kind' AS kind, (e.data #> '{{mail}}')::text AS mail
  FROM notify.deliveries d
  JOIN es.events e ON e.stream_id = d.ticket_id AND e.version = d.version
  LEFT JOIN notify.tickets t ON t.ticket_id = d.ticket_id
 WHERE ($1::uuid IS NULL OR d.queue_id = $1) AND ($2::text IS NULL OR d.domain = $2)
   AND ($3::timestamptz IS NULL OR (d.requested_at, d.notification) > ($3, $4::uuid))
 ORDER BY d.requested_at, d.notification
 LIMIT $5
"""
DECISIONS = """
SELECT decision, decided_at, action, by_id, by_name, reason, queue_id, domain, notification, ticket_id
  FROM notify.decisions
 WHERE $1::uuid IS NULL OR decision < $1
 ORDER BY decision DESC
 LIMIT $2
"""
PAUSE = """
INSERT INTO notify.pauses (pause, queue_id, domain, by_id, by_name, reason) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (queue_id, domain) DO NOTHING
"""
RESUME = "DELETE FROM notify.pauses WHERE queue_id IS NOT DISTINCT FROM $1 AND domain IS NOT DISTINCT FROM $2"
DECIDE = """
INSERT INTO notify.decisions (decision, action, by_id, by_name, reason, queue_id, domain, notification, ticket_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
ONE = f"""
SELECT ticket_id, attempts, {_ON_ITS_WAY} AS on_its_way FROM notify.deliveries d WHERE notification = $1 FOR UPDATE
"""
TICKET_OF = "SELECT ticket_id FROM notify.deliveries WHERE notification = $1"
RETRY = "UPDATE notify.deliveries SET due_at = now(), despite_pause = true WHERE notification = $1"
GIVE_UP = "DELETE FROM notify.deliveries WHERE notification = $1"


class NotWaiting(Exception):
    """No such mail is waiting."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which outgoing mail is meant: of a queue, to a domain, or (both None) all of it."""

    queue: UUID | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """The response to a decision, and the ticket's stream and its version if the decision wrote to it."""

    response: dict[str, Any]
    replayed: bool = False
    written: tuple[UUID, int] | None = None


class Outgoing:
    """`transport` is the name of the transport in events; `reads` the pool for what only reads."""

    def __init__(self, store: Store, transport: str, reads: Pool) -> None:
        self.store, self.transport, self.reads = store, transport, reads
        self.runner = CommandRunner(store, "ticket", ticket)

    async def summary(self) -> Mapping[str, Any]:
        """Numbers of all mails, by domain and by queue, and the pauses; all from one snapshot of the database."""
        async with (
            self.reads.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return {
                "whole": await connection.fetchrow(WHOLE),
                "domains": await connection.fetch(BY_DOMAIN),
                "queues": await connection.fetch(BY_QUEUE),
                "pauses": await connection.fetch(PAUSES),
            }

    async def mails(
        self, selection: Selection, after: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[asyncpg.Record]:
        """Waiting mails, oldest first."""
        moment, notification = after or (None, None)
        return await self.reads.fetch(MAILS, selection.queue, selection.domain, moment, notification, most)

    async def decisions(self, before: UUID | None, most: int) -> Sequence[asyncpg.Record]:
        """Past decisions, newest first."""
        return await self.reads.fetch(DECISIONS, before, most)

    async def pause(self, selection: Selection, who: Identity, reason: str, command: CommandId) -> DecisionResult:
        """Holds the mail until it is resumed, except mail that is being sent.

        Pausing again changes nothing, not even the reason.
        """
        async with self.store.pool.acquire() as connection, connection.transaction():
            result = await self._once(connection, command, {"paused": True})
            if result.replayed:
                return result
            inserted = await connection.execute(
                PAUSE, uuid7(), selection.queue, selection.domain, who.person_id, who.name, reason
            )
            if inserted.endswith(" 1"):
                await self._keep_decision(connection, "pause", who, reason, selection)
        return result

    async def resume(self, selection: Selection, who: Identity, reason: str, command: CommandId) -> DecisionResult:
        """Lets the mail leave again. Raises Rejected if exactly this selection is not paused."""
        async with self.store.pool.acquire() as connection, connection.transaction():
            result = await self._once(connection, command, {"paused": False})
            if result.replayed:
                return result
            if not (await connection.execute(RESUME, selection.queue, selection.domain)).endswith(" 1"):
                raise Rejected("This is not paused. GET /outgoing lists what is paused.")
            await self._keep_decision(connection, "resume", who, reason, selection)
        return result

    async def retry(self, notification: UUID, who: Identity, command: CommandId) -> DecisionResult:
        """Makes the next attempt due now, even if the mail is paused.

        Raises NotWaiting, and Rejected while it is being sent.
        """
        async with self.store.pool.acquire() as connection, connection.transaction():
            result = await self._once(connection, command, {"id": str(notification)})
            if result.replayed:
                return result
            row = await self._one(connection, notification)
            await connection.execute(RETRY, notification)
            await self._keep_decision(connection, "retry", who, "", Selection(), notification, row["ticket_id"])
        return result

    async def give_up(self, notification: UUID, who: Identity, reason: str, command: CommandId) -> DecisionResult:
        """Removes the mail, and records why on its ticket. Raises NotWaiting, and Rejected while it is being sent."""
        async with self.runner.transaction() as (connection, unit):
            result = await self._once(connection, command, {"id": str(notification)})
            if result.replayed:
                return result
            stream = await connection.fetchval(TICKET_OF, notification)
            if stream is None:
                raise NotWaiting
            await self.store.lock(connection, [stream])
            row = await self._one(connection, notification)
            await unit.load(stream)
            reason_on_ticket = f"given up by {who.name}: {reason}"
            failed = RecordFailed(notification, self.transport, row["attempts"], reason_on_ticket)
            unit.decide(stream, failed, Context(actor=Actor("agent", str(who.person_id))))
            await unit.record()
            await connection.execute(GIVE_UP, notification)
            await self._keep_decision(connection, "give_up", who, reason, Selection(), notification, stream)
        if unit.state(stream).of_report:
            return result  # no read waits for what is recorded of a report
        return DecisionResult(result.response, written=(stream, unit.version(stream)))

    async def _once(self, connection: Connection, command: CommandId, response: dict[str, Any]) -> DecisionResult:
        """Records the command with its response in the caller's transaction; `replayed` if it was known."""
        appended = await self.store.append([], command=command, response=response, connection=connection)
        if appended.status == "duplicate":
            return DecisionResult(appended.response or {}, replayed=True)
        return DecisionResult(response)

    async def _one(self, connection: Connection, notification: UUID) -> asyncpg.Record:
        row = await connection.fetchrow(ONE, notification)
        if row is None:
            raise NotWaiting
        if row["on_its_way"]:
            raise Rejected("This mail is being sent now. Try again when the attempt has ended.")
        return row

    async def _keep_decision(
        self,
        connection: Connection,
        action: Action,
        who: Identity,
        reason: str,
        selection: Selection,
        notification: UUID | None = None,
        ticket_id: UUID | None = None,
    ) -> None:
        await connection.execute(
            DECIDE,
            uuid7(),
            action,
            who.person_id,
            who.name,
            reason,
            selection.queue,
            selection.domain,
            notification,
            ticket_id,
        )
