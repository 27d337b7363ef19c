"""Does what triggers have matched: any number of processes, each match once (decision 0112).

A match is a row that was written with the event that it matched. A worker deletes it in the transaction of what it
does, so a match is done once, even if processes die. A match that fails is parked and does not delay others.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Never
from uuid import UUID

from prometheus_client import Counter, Gauge, Histogram
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from services.routing import ticket
from services.routing.matches import suspension, waiting
from services.routing.matches.idle import IdleTickets
from services.routing.matches.out_of_use import out_of_use
from services.routing.matches.unusable import UnusableTriggers
from services.routing.matches.waiting import WaitingMatch
from services.routing.operations.automation import actions
from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from services.routing.recording import write_rows
from services.routing.rows import Owned, TurnTaken
from services.routing.ticket import Command, Ticket
from services.routing.ticket.automation.distribution import Candidates, Way
from services.routing.ticket.automation.rules import LeaveOut
from services.routing.ticket.context import Actor
from shared.automation.actions import Assign as AssignAction
from shared.automation.actions import MacroAction, SetResponsible
from shared.automation.rule_actor import actor_of
from shared.contracts.event import Event
from shared.contracts.parts import PersonRef
from shared.contracts.routing import OwnerChanged, RuleActionLeftOut
from shared.database import Connection
from shared.eventstore.errors import Raced
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import CommandId, Context, utc_now
from shared.eventstore.unit_of_work import Conclude, UnitOfWork
from shared.messaging.consuming.handlers import reason_of, transient
from shared.rules.refusals import Invalid, Refusal, Unavailable
from shared.rules.rejected import Rejected
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

log = logging.getLogger(__name__)

ACTS = Counter("ledgerdesk_trigger_actions_total", "Actions of triggers that were done")
LEFT_OUT = Counter("ledgerdesk_trigger_actions_left_out_total", "Actions of triggers that were impossible")
SUSPENDED = Counter("ledgerdesk_triggers_suspended_total", "Triggers that were suspended")
LATENESS = Histogram(
    "ledgerdesk_trigger_lateness_seconds",
    "How long after its event a trigger acted",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 30, 300, 3600),
)
WAITING = Gauge("ledgerdesk_trigger_matches_waiting", "Matches of triggers that are to be done")
OLDEST = Gauge("ledgerdesk_trigger_matches_oldest_seconds", "Age of the oldest match that is to be done")
PARKED = Gauge("ledgerdesk_trigger_matches_parked", "Matches of triggers that wait for an operator")

POLL_SECONDS = 1.0
"""After so long a match of another process is noticed."""
BUSY_SECONDS = 0.05
MEASURE_SECONDS = 15.0
AT_ONCE = 100

Unit = UnitOfWork[Command, Ticket]
ConcludeAtDepth = Callable[[int], Conclude[Command, Ticket]]


class TriggerWorker:
    """`conclude` makes what concludes the doing of a rule at a place in a chain of rules."""

    def __init__(
        self,
        runner: CommandRunner[Command, Ticket],
        operations: TicketOperations,
        conclude: ConcludeAtDepth,
        idle: IdleTickets,
    ) -> None:
        self.runner, self.store, self.operations = runner, runner.store, operations
        self.conclude, self.idle = conclude, idle
        self._matched = asyncio.Event()
        self._measured_at = 0.0
        self.unusable = UnusableTriggers(runner.store, idle.rules)
        self.heartbeat = Heartbeat()

    def wake(self) -> None:
        """Something matched in this process."""
        self._matched.set()

    async def run(self) -> Never:
        """Never ends by itself."""
        await supervise("triggers", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            self._matched.clear()
            while await self.work(AT_ONCE):
                self.heartbeat.beat()
            self.heartbeat.beat()
            await self._measure()
            due = await self.idle.next_at()
            wait = POLL_SECONDS if due is None else (due - utc_now()).total_seconds()
            await set_within(self._matched, min(POLL_SECONDS, max(wait, BUSY_SECONDS)))

    async def work(self, limit: int) -> int:
        """Looks for idle tickets, and does the next matches. Returns how much was done."""
        await self.unusable.suspend()
        looked = await self.idle.look()
        return looked + await self.act(limit)

    async def act(self, limit: int) -> int:
        """Does waiting matches, those of the tickets of the first `limit` ones. Returns their number.

        If they fail together, each is tried alone. One that fails alone is parked.
        """
        tickets = [row["ticket_id"] for row in await self.store.pool.fetch(waiting.NEXT, limit)]
        if not tickets:
            return 0
        try:
            return await self._transaction(tickets, limit)
        except Exception as error:
            if transient(error) or isinstance(error, Raced):
                raise
        found = await self.store.pool.fetch(waiting.OF_TICKETS, tickets, limit)
        return sum([await self._alone(row["ticket_id"], row["match_id"]) for row in found])

    async def _alone(self, stream: UUID, match: int) -> int:
        try:
            return await self._transaction([stream], AT_ONCE, only=match)
        except Exception as error:
            if transient(error) or isinstance(error, Raced):
                raise
            log.exception("a trigger has failed and its match is parked", extra={"ticket": str(stream)})
            await self.store.pool.execute(waiting.PARK, match, reason_of(error))
            return 0

    async def _transaction(self, tickets: Sequence[UUID], limit: int, *, only: int | None = None) -> int:
        """Does the matches of those of these tickets that nobody else is writing to. Returns their number."""
        async with self.runner.transaction() as (connection, unit):
            free = await self.store.lock(connection, tickets, wait=False)
            hit("triggers.locked")
            matches = [WaitingMatch.of(row) for row in await connection.fetch(waiting.OF_TICKETS, free, limit)]
            if only is not None:
                matches = [match for match in matches if match.id == only]
            if not matches:
                return 0
            await unit.load(*(match.ticket for match in matches))
            reasons = await out_of_use(connection, self.operations.directory, [match.rule for match in matches])
            await self._lock_turns(connection, unit, matches)
            for match in matches:
                await self._do(connection, unit, match, reasons.get((match.rule.id, match.rule.version)))
            await write_rows(connection, (await unit.record()).events, unit.rows)
            await connection.execute(waiting.TAKE, [match.id for match in matches])
            hit("triggers.before_commit")
        hit("triggers.after_commit")
        now = utc_now()
        for match in matches:
            LATENESS.observe((now - match.matched_at).total_seconds())
        return len(matches)

    async def _do(self, connection: Connection, unit: Unit, match: WaitingMatch, refused: str | None) -> None:
        unit.conclude = self.conclude(match.depth)
        if refused is not None:
            self._leave_out(unit, match, RuleActionLeftOut.ALL_ACTIONS, refused)
            return
        try:
            read = actions.read_all(match.actions)
        except ValidationError as error:
            # Written by a version that this one does not know.
            reason = "This version of the desk does not know one of its actions."
            log.warning("trigger %s: %s", match.rule.id, error)
            await self._suspend(connection, unit, match, reason)
            self._leave_out(unit, match, RuleActionLeftOut.ALL_ACTIONS, reason)
            return
        for action in read:
            await self._act(connection, unit, match, action)

    async def _act(self, connection: Connection, unit: Unit, match: WaitingMatch, action: MacroAction) -> None:
        """Does one action, or leaves it out and says why. What is already so is left out silently."""
        rule = match.rule
        request = CommandRequest(Actor("rule", rule.id, rule.name), str(match.ticket), CommandId(uuid7()))
        candidates = await self._candidates(connection, unit, match.ticket, actions.way_of(action))
        try:
            commands = await actions.commands(self.operations, request, rule, action, candidates)
            for command in commands:
                before = unit.state(match.ticket)
                made = command.make(self.operations.context(request, before, command.queue), before)
                events = ticket.decide(made, before)
                after = before
                for event in events:
                    after = ticket.evolve(after, event)
                await self.operations.permit(request, before, events, after)
                await self._nobody_away_is_owner(events)
                if events:
                    unit.decide(match.ticket, made, self._context(match))
                    ACTS.inc()
        except Unavailable:
            raise
        except Rejected as refusal:
            self._leave_out(unit, match, action.do, refusal.reason)
        except Refusal as refusal:
            if isinstance(refusal, Invalid) and await self._is_broken(connection, action):
                await self._suspend(connection, unit, match, f"{action.do}: {refusal.detail}")
            self._leave_out(unit, match, action.do, await self._reason(refusal, action))

    async def _nobody_away_is_owner(self, events: Sequence[Event]) -> None:
        """Rules give nothing to who is away (A21.01). Raises Rejected."""
        for event in events:
            match event:
                case OwnerChanged(to=PersonRef() as person):
                    if await self.operations.assignees.is_away(person.id, utc_now()):
                        raise Rejected(f"{person.name} is away.")
                case _:
                    pass

    async def _is_broken(self, connection: Connection, action: MacroAction) -> bool:
        """Whether what an action says is impossible on every ticket. People may leave; the rule stays in use."""
        if isinstance(action, AssignAction | SetResponsible):
            return False
        return await suspension.ever_saved(connection, actions.documents(action))

    def _leave_out(self, unit: Unit, match: WaitingMatch, action: str, reason: str) -> None:
        LEFT_OUT.inc()
        unit.decide(match.ticket, LeaveOut(match.rule, action, reason), self._context(match))

    async def _reason(self, refusal: Refusal, action: MacroAction) -> str:
        """Why an action is impossible. Somebody who has left is called by name."""
        named = action.owner if isinstance(action, AssignAction) else getattr(action, "responsible", None)
        with suppress(ValueError, TypeError):
            person = await self.operations.directory.person(UUID(named), retired=True)
            if person is not None:
                return f"{person.name} has left."
        return refusal.detail

    @staticmethod
    def _context(match: WaitingMatch) -> Context:
        return Context(actor=actor_of(match.rule), correlation_id=match.correlation, causation_id=match.cause)

    async def _candidates(
        self, connection: Connection, unit: Unit, stream: UUID, way: Way | None
    ) -> Callable[[Ticket], Candidates]:
        """The people among whom an action finds the owner, after what this transaction has decided so far."""
        queue = self.operations.queue_of(unit.state(stream))
        if way is None or queue is None:
            return _nobody
        found = await self.operations.assignees.candidates(queue, way, datetime.now(UTC), connection)
        for row in unit.rows:
            match row:
                case TurnTaken(turn=found.turn):
                    found = found.after(row.person)
                case Owned() if way == "least-loaded":
                    found = found.with_load(row.was, row.owner)
                case _:
                    pass
        return lambda _: found

    async def _lock_turns(self, connection: Connection, unit: Unit, matches: Sequence[WaitingMatch]) -> None:
        """Locks the turns that will be taken, in one order, so that two workers never wait for each other."""
        wanted = set[UUID]()
        for match in matches:
            queue = self.operations.queue_of(unit.state(match.ticket))
            for action in match.actions:
                if queue is not None and action.get("to") in ("round-robin", "least-loaded"):
                    wanted.add(self.operations.assignees.turn(queue, action["to"]))
        for turn in sorted(wanted):
            await self.operations.assignees.lock(connection, turn)

    async def _suspend(self, connection: Connection, unit: Unit, match: WaitingMatch, reason: str) -> None:
        append = await suspension.suspend(connection, match.rule, reason, ticket=match.ticket, cause=match.cause)
        if append is not None:
            unit.add(append)
            SUSPENDED.inc()
            log.warning("trigger %s is suspended: %s", match.rule.id, reason)

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured_at >= MEASURE_SECONDS:
            self._measured_at = now
            row = await self.store.pool.fetchrow(waiting.WAITING)
            assert row is not None
            WAITING.set(row["waiting"])
            PARKED.set(row["parked"])
            OLDEST.set(row["oldest"])


def _nobody(_: Ticket) -> Candidates:
    raise Rejected("The ticket is not in a queue.")
