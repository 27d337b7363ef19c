"""When tickets are looked at that nobody acts on, for triggers on idle ones. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.routing.rows import ActedOn
from services.routing.ticket import Command, Ticket
from services.routing.ticket.customer_messages import TakeCustomerMessage
from services.routing.ticket.queueing import QueueTicket
from shared.automation.rules import Rule, Rules
from shared.eventstore.unit_of_work import Decision
from shared.rules.states import OVER


@dataclass(frozen=True, slots=True)
class Due:
    """The triggers to judge now, and when to look again; None: not before a person acts."""

    rules: Sequence[Rule]
    again_at: datetime | None


def acted_on(rules: Rules, decision: Decision[Command, Ticket]) -> list[ActedOn]:
    """When the ticket of a decision is looked at, if a person acted, or if it was opened again or is over."""
    idle = rules.on("idle")
    if not idle:
        return []
    was_over, is_over = decision.before.state.type in OVER, decision.after.state.type in OVER
    if is_over:
        return [] if was_over else [ActedOn(decision.stream, decision.context.time, None)]
    by_person = decision.context.actor.kind in ("agent", "customer")
    if not (by_person or was_over or isinstance(decision.command, QueueTicket | TakeCustomerMessage)):
        return []
    at = decision.context.time
    return [ActedOn(decision.stream, at, at + min(map(waits, idle)))]


def due(rules: Iterable[Rule], acted_at: datetime, now: datetime, judged: Iterable[UUID]) -> Due:
    """Which triggers on idle tickets look at a ticket on which a person acted last at that time."""
    known = frozenset(judged)
    waiting = [rule for rule in rules if rule.ref.id not in known]
    later = [acted_at + waits(rule) for rule in waiting if acted_at + waits(rule) > now]
    return Due([rule for rule in waiting if acted_at + waits(rule) <= now], min(later, default=None))


def waits(rule: Rule) -> timedelta:
    """After how long without an act of a person the trigger looks."""
    return timedelta(minutes=rule.trigger.idle_minutes or 0)
