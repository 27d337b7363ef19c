"""What administrators see of the mails that have not left, and decide about them; each decision is kept with who, when and why."""

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
from shared.database import Connection
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
BY_DOMAIN = f"SELECT domain, {_COUNTS} FROM notify.deliveries d GROUP BY domain ORDER BY waiting DESC, domain LIMIT {MOST_GROUPS}"
BY_QUEUE = f"""
SELECT queue_id, {_COUNTS} FROM notify.deliveries d WHERE queue_id IS NOT NULL GROUP BY queue_id
 ORDER BY waiting DESC, queue_id LIMIT {MOST_GROUPS}
"""
PAUSES = "SELECT queue_id, domain, by_id, by_name, reason, since FROM notify.pauses ORDER BY since, pause"
MAILS = f"""
SELECT d.notification, d.ticket_id, t.number, d.queue_id, d.domain, d.requested_at, d.attempts, d.due_at, d.remaining,
       nullif(d.last_error, '') AS last_words, {_ON_ITS_WAY} AS on_its_way, NOT d.despite_pause AND {_PAUSED} AS paused,
       e.data ->> 'kind' AS kind, (e.data #> '{{mail}}')::text AS mail
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
ONE = f"SELECT ticket_id, attempts, {_ON_ITS_WAY} AS on_its_way FROM notify.deliveries d WHERE notification = $1 FOR UPDATE"
TICKET_OF = "SELECT ticket_id FROM notify.deliveries WHERE notification = $1"
RETRY = "UPDATE notify.deliveries SET due_at = now(), despite_pause = true WHERE notification = $1"
GIVE_UP = "DELETE FROM notify.deliveries WHERE notification = $1"


class NotWaiting(Exception):
    """There is no such mail among those that wait."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which of the outgoing mail is meant: of a queue, to a domain, or (both None) all of it."""

    queue: UUID | None = None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """A decision's answer, and the version of the ticket's stream that it wrote, if any."""

    answer: dict[str, Any]
    replayed: bool = False
    written: tuple[UUID, int] | None = None


class Outgoing:
    """The queue of mails over the database; `transport` is what the way out is called in events."""

    def __init__(self, store: Store, transport: str) -> None:
        self.store, self.transport = store, transport
        self.runner = CommandRunner(store, "ticket", ticket)

    async def summary(self) -> Mapping[str, Any]:
        """The whole, by domain and by queue, and what is paused; from one moment."""
        async with (
            self.store.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return {
                "whole": await connection.fetchrow(WHOLE),
                "domains": await connection.fetch(BY_DOMAIN),
                "queues": await connection.fetch(BY_QUEUE),
                "pauses": await connection.fetch(PAUSES),
            }

    async def mails(self, part: Part, after: tuple[datetime, UUID] | None, most: int) -> Sequence[asyncpg.Record]:
        """Mails that wait, the oldest first."""
        moment, notification = after or (None, None)
        return await self.store.pool.fetch(MAILS, part.queue, part.domain, moment, notification, most)

    async def decisions(self, before: UUID | None, most: int) -> Sequence[asyncpg.Record]:
        """What was decided, the newest first."""
        return await self.store.pool.fetch(DECISIONS, before, most)

    async def pause(self, part: Part, who: Identity, reason: str, command: CommandId) -> Done:
        """Nothing of it leaves until it is resumed; what is on its way arrives. What is paused already stays so for the first reason."""
        async with self.store.pool.acquire() as connection, connection.transaction():
            told = await self._known(connection, command, {"paused": True})
            if told.replayed:
                return told
            done = await connection.execute(PAUSE, uuid7(), part.queue, part.domain, who.person_id, who.name, reason)
            if done.endswith(" 1"):
                await self._decided(connection, "pause", who, reason, part)
        return told

    async def resume(self, part: Part, who: Identity, reason: str, command: CommandId) -> Done:
        """It leaves again. Raises Rejected when exactly this was not paused."""
        async with self.store.pool.acquire() as connection, connection.transaction():
            told = await self._known(connection, command, {"paused": False})
            if told.replayed:
                return told
            if not (await connection.execute(RESUME, part.queue, part.domain)).endswith(" 1"):
                raise Rejected("this is not paused; GET /outgoing tells what is")
            await self._decided(connection, "resume", who, reason, part)
        return told

    async def retry(self, notification: UUID, who: Identity, command: CommandId) -> Done:
        """The next attempt is due now, even if the mail is paused. Raises NotWaiting, and Rejected while it is on its way."""
        async with self.store.pool.acquire() as connection, connection.transaction():
            told = await self._known(connection, command, {"id": str(notification)})
            if told.replayed:
                return told
            row = await self._one(connection, notification)
            await connection.execute(RETRY, notification)
            await self._decided(connection, "retry", who, "", Part(), notification, row["ticket_id"])
        return told

    async def give_up(self, notification: UUID, who: Identity, reason: str, command: CommandId) -> Done:
        """The mail never leaves, and its ticket says why. Raises NotWaiting, and Rejected while it is on its way."""
        async with self.runner.transaction() as (connection, unit):
            told = await self._known(connection, command, {"id": str(notification)})
            if told.replayed:
                return told
            stream = await connection.fetchval(TICKET_OF, notification)
            if stream is None:
                raise NotWaiting
            await self.store.lock(connection, [stream])
            row = await self._one(connection, notification)
            await unit.load(stream)
            words = f"given up by {who.name}: {reason}"
            failed = RecordFailed(notification, self.transport, row["attempts"], words)
            unit.decide(stream, failed, Context(actor=Actor("agent", str(who.person_id))))
            await unit.record()
            await connection.execute(GIVE_UP, notification)
            await self._decided(connection, "give_up", who, reason, Part(), notification, stream)
        return Done(told.answer, written=(stream, unit.version(stream)))

    async def _known(self, connection: Connection, command: CommandId, answer: dict[str, Any]) -> Done:
        """Remembers the command with its answer, in the transaction of what it does; `replayed` if it was known."""
        appended = await self.store.append([], command=command, response=answer, connection=connection)
        if appended.status == "duplicate":
            return Done(appended.response or {}, replayed=True)
        return Done(answer)

    async def _one(self, connection: Connection, notification: UUID) -> asyncpg.Record:
        row = await connection.fetchrow(ONE, notification)
        if row is None:
            raise NotWaiting
        if row["on_its_way"]:
            raise Rejected("this mail is on its way at this moment; look again when its attempt has ended")
        return row

    async def _decided(
        self,
        connection: Connection,
        action: Action,
        who: Identity,
        reason: str,
        part: Part,
        notification: UUID | None = None,
        about: UUID | None = None,
    ) -> None:
        await connection.execute(
            DECIDE, uuid7(), action, who.person_id, who.name, reason, part.queue, part.domain, notification, about
        )
