"""What came of claimed mails, and its record: events on their tickets and rows of the queue, in one transaction."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.notify import ticket
from services.notify.sending import claims, deliveries
from services.notify.sending.claims import Claimed, PutBack
from services.notify.sending.deliveries import Postponed
from services.notify.ticket.commands import Command, RecordDelayed, RecordFailed, RecordSent, RecordWithheld
from shared.contracts.envelope import Actor
from shared.eventstore.runner import CommandRunner, until_recorded
from shared.eventstore.store import Context, Store, utc_now
from shared.eventstore.unit_of_work import UnitOfWork
from shared.rules.rejected import Rejected

log = logging.getLogger(__name__)

RETRIES = 5


@dataclass(frozen=True, slots=True)
class Finished:
    """A mail that leaves the queue: it was sent, withheld or given up.

    Two commands if it was withheld from some of its readers.
    """

    claimed: Claimed
    commands: tuple[RecordSent | RecordWithheld | RecordFailed, ...]
    at: datetime


Outcome = Finished | Postponed | PutBack


class OutcomeRecorder:
    """`transport` is the name of the transport in events."""

    def __init__(self, store: Store, transport: str) -> None:
        self.store, self.transport = store, transport
        self.runner = CommandRunner(store, "ticket", ticket)

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Records all of them or none."""
        finished = [each for each in outcomes if isinstance(each, Finished)]
        postponed = [each for each in outcomes if isinstance(each, Postponed)]

        async def attempt() -> None:
            async with self.runner.transaction() as (connection, unit):
                await unit.load(
                    *(each.claimed.event.stream for each in finished),
                    *(each.claimed.event.stream for each in postponed if each.late),
                )
                for each in finished:
                    self._decide(unit, each.claimed, each.commands, each.at)
                for late in postponed:
                    if late.late:
                        self._decide(unit, late.claimed, [self._delayed(late.claimed, late.error)], late.at)
                await unit.record()
                await deliveries.done(connection, [each.claimed.request.notification for each in finished])
                await deliveries.postpone(connection, postponed)
                await claims.put_back(connection, [each for each in outcomes if isinstance(each, PutBack)])

        await until_recorded(attempt, RETRIES)

    async def record_late(self, seconds: float, reason: Callable[[Claimed, str], str]) -> None:
        """Tells the tickets of mails that have waited for so long that they are delayed, and why; once for each
        mail."""
        async with self.runner.transaction() as (connection, unit):
            found = await deliveries.late(connection, self.store, seconds)
            await unit.load(*(claimed.event.stream for claimed, _ in found))
            for claimed, error in found:
                self._decide(unit, claimed, [self._delayed(claimed, reason(claimed, error))], utc_now())
            await unit.record()
            await deliveries.told_late(connection, [claimed.request.notification for claimed, _ in found])

    def _delayed(self, claimed: Claimed, reason: str) -> RecordDelayed:
        return RecordDelayed(claimed.request.notification, self.transport, claimed.attempts, reason)

    def _decide(
        self, unit: UnitOfWork[Command, ticket.Ticket], claimed: Claimed, commands: Sequence[Command], at: datetime
    ) -> None:
        cause = claimed.event
        context = Context(
            actor=Actor("service", self.store.service),
            correlation_id=cause.correlation_id,
            causation_id=cause.id,
            traceparent=cause.traceparent,
            time=at,
        )
        try:
            for command in commands:
                unit.decide(cause.stream, command, context)
        except Rejected as refusal:
            log.error("the outcome of a mail is not recorded: %s", refusal.reason, extra={"ticket": str(cause.stream)})
