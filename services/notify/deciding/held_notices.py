"""Notices that wait for others of their ticket, so that each reader gets one mail for all of them (decision 0116)."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import Any, Never
from uuid import UUID

import asyncpg
from prometheus_client import Gauge

from services.notify import ticket
from services.notify.notices.mails import mail_of
from services.notify.notices.to_agents import BY_WORDING
from services.notify.read_models import ticket_facts
from services.notify.read_models.people import find
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.sending import deliveries
from services.notify.ticket import Ticket
from services.notify.ticket.commands import Command, GiveNotice, HeldNotice
from services.notify.writing.mail_builder import MailBuilder
from shared.contracts.directory import Person
from shared.contracts.envelope import Actor
from shared.database import Connection
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Context, Store
from shared.eventstore.unit_of_work import Consequences, Decision, UnitOfWork
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
BATCH = 100

LATE = Gauge("ledgerdesk_notices_late_seconds", "How late the mail of the notice is that should have left first")

# All notices of one ticket for one person have the time of the first.
SAVE = """
INSERT INTO notify.held_notices (ticket_id, person_id, notice, wording, details, event_id, correlation_id, mail_at)
SELECT n.ticket_id, n.person_id, n.notice, n.wording, n.details, n.event_id, n.correlation_id,
       coalesce((SELECT min(h.mail_at)
                   FROM notify.held_notices h
                  WHERE h.ticket_id = n.ticket_id AND h.person_id = n.person_id), now() + $8)
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::jsonb[], $6::uuid[], $7::uuid[])
       AS n(ticket_id, person_id, notice, wording, details, event_id, correlation_id)
    ON CONFLICT DO NOTHING
"""
# A time further ahead than the wait was set before somebody set the clock back: it must not hold mails for so long.
_DUE = "(mail_at <= now() OR mail_at > now() + $1) AND wording = ANY($2)"
TICKETS = f"SELECT DISTINCT ticket_id FROM notify.held_notices WHERE {_DUE} LIMIT {BATCH}"
LATENESS = "SELECT extract(epoch FROM now() - min(mail_at))::float FROM notify.held_notices"
TAKE = f"""
DELETE FROM notify.held_notices
 WHERE {_DUE} AND ticket_id = ANY($3)
RETURNING ticket_id, person_id, notice, wording, details, event_id, correlation_id, given_at
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A row: a notice for one person, with the event that gave it."""

    ticket: UUID
    notice: UUID
    held: HeldNotice
    event: UUID
    correlation: UUID | None


def rows_of(decision: Decision[Command, Ticket]) -> Consequences:
    """The notices that a decision wants to be mailed, as rows that belong to it."""
    command = decision.command
    if not isinstance(command, GiveNotice):
        return Consequences()
    event, correlation = decision.events[0].id, decision.context.correlation_id
    return Consequences(
        rows=[Held(decision.stream, command.notice, each, event, correlation) for each in command.mails]
    )


async def save(connection: Connection, rows: Sequence[Held], wait: timedelta) -> None:
    """Holds notices, in the transaction of their events, until the first one of its ticket and person has waited."""
    await connection.execute(
        SAVE,
        [each.ticket for each in rows],
        [each.held.person for each in rows],
        [each.notice for each in rows],
        [each.held.wording for each in rows],
        [each.held.details for each in rows],
        [each.event for each in rows],
        [each.correlation for each in rows],
        wait,
    )


class HeldNotices:
    """Requests the mails of notices that have waited. Several may run side by side.

    `builder` is its own. `requested` is called when mails may wait to be sent.
    """

    def __init__(self, store: Store, builder: MailBuilder, wait: timedelta, requested: Callable[[], None]) -> None:
        self.store, self.builder, self.wait, self.requested = store, builder, wait, requested
        self.runner = CommandRunner(store, "ticket", ticket)
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        await supervise("held notices", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            await self.measure()
            while await self.request_due():
                self.heartbeat.beat()
            self.heartbeat.beat()
            await asyncio.sleep(POLL_SECONDS)

    async def measure(self) -> None:
        """Sets the metric of those that wait."""
        LATE.set(max(0.0, await self.store.pool.fetchval(LATENESS) or 0.0))

    async def request_due(self) -> int:
        """Requests the mails of a batch of tickets. Returns the number of notices in them."""
        known = list(BY_WORDING)  # others are left to newer versions
        wanted = [row["ticket_id"] for row in await self.store.pool.fetch(TICKETS, self.wait, known)]
        if not wanted:
            return 0
        async with self.runner.transaction() as (connection, unit):
            streams = await self.store.lock(connection, wanted, wait=False)
            rows = await connection.fetch(TAKE, self.wait, known, streams)
            hit("notices.taken")
            await self._decide(connection, unit, rows)
            await deliveries.schedule(connection, (await unit.record()).events)
        hit("notices.requested")
        if rows:
            self.requested()
        return len(rows)

    async def _decide(
        self, connection: Connection, unit: UnitOfWork[Command, Ticket], rows: Sequence[asyncpg.Record]
    ) -> None:
        streams = list({row["ticket_id"] for row in rows})
        tickets = await ticket_facts.load(connection, streams)
        people = await find(connection, {row["person_id"] for row in rows})
        await unit.load(*streams)
        for group in _mails(rows):
            first = group[0]
            facts, reader = tickets.get(first["ticket_id"]), people.get(first["person_id"])
            if facts is None or reader is None:
                continue  # they have left meanwhile
            try:
                command = self._mail(first["ticket_id"], facts, reader, group)
            except Exception:  # a bug of ours: the list has the notices, and other mails must not wait for this one
                log.exception("the mail of notices cannot be written", extra={"ticket": str(first["ticket_id"])})
                continue
            unit.decide(first["ticket_id"], command, _context(first))

    def _mail(self, stream: UUID, facts: TicketFacts, reader: Person, group: Sequence[asyncpg.Record]) -> Command:
        notices: list[tuple[UUID, str, Mapping[str, Mapping[str, str]]]] = [
            (row["notice"], row["wording"], row["details"]) for row in group
        ]
        return mail_of(self.builder, stream, facts, reader, notices)


def _mails(rows: Sequence[asyncpg.Record]) -> Iterator[Sequence[asyncpg.Record]]:
    """The rows of each mail, oldest first."""
    by_mail = itemgetter("ticket_id", "person_id")
    ordered = sorted(rows, key=itemgetter("ticket_id", "person_id", "given_at", "event_id"))
    for _, group in itertools.groupby(ordered, key=by_mail):
        yield list(group)


def _context(row: asyncpg.Record) -> Context:
    more: dict[str, Any] = {"correlation_id": row["correlation_id"]} if row["correlation_id"] is not None else {}
    return Context(actor=Actor("service", "notify"), causation_id=row["event_id"], **more)
