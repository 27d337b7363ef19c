"""The life of a ticket once more, event by event: where a trigger would have acted."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.reporting.dry_runs.past_ticket import CHANGING, PastTicket, change
from shared.automation.evaluation import Holds
from shared.automation.facts import Facts, written
from shared.automation.happenings import EVENT_TYPES, happening
from shared.automation.rule_actor import RULE, rule_of
from shared.automation.rules import LONGEST_CHAIN
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.routing import AgentReplied, CustomerAnswered, NoteAdded, TicketQueued
from shared.rules.states import MERGED, OVER

PERSONS = frozenset(("agent", "customer"))
"""The kinds of actors that are people."""
KINDS = PERSONS | {RULE}
CAUSED = frozenset((TicketQueued.TYPE, CustomerAnswered.TYPE))
"""Events that rules do not name as their cause: they name the event that caused it, which intake recorded."""
WITH_MESSAGES = frozenset((AgentReplied.TYPE, NoteAdded.TYPE))
"""Events that bring a message themselves."""
TYPES = (frozenset(CHANGING) | EVENT_TYPES) - WITH_MESSAGES
"""Events that change what conditions look at, or are a happening."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a dry run is asked: a trigger, and from when (inclusive) until when (exclusive).

    `on`: what it acts on. `idle`: after so long without an act of a person, if it acts on that. `holds`: its condition.
    `reads_texts`: whether that looks at what was written.
    """

    trigger: UUID
    on: Collection[str]
    idle: timedelta | None
    holds: Holds
    reads_texts: bool
    start: datetime
    end: datetime

    @property
    def looked_from(self) -> datetime:
        """From when on events matter."""
        return self.start - (self.idle or timedelta())


@dataclass(frozen=True, slots=True)
class Told:
    """An event as rules see it: the event itself, or the one that caused it, with what was written."""

    id: UUID
    at: datetime
    payload: Event


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event of the history. `payload`: only of events that change what conditions look at. `told`: only of events
    with which something was written."""

    id: UUID
    type: str
    at: datetime
    actor: Actor
    cause: UUID | None
    payload: Event | None
    told: Told | None


@dataclass(frozen=True, slots=True)
class Act:
    """What the trigger would have done. `event`: what it would have named as the cause. `at`: when that happened; if
    nothing happened, since when that was too long."""

    event: UUID
    at: datetime


class Replay:
    """Takes routing's events of one ticket in their order."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._ticket = PastTicket()
        self._depths: dict[UUID, int] = {}
        """How many rules led to an event, one after the other; of those to which any did."""
        self._last: Act | None = None
        """What a person did last, while it is not long enough ago."""

    def then(self, event: PastEvent) -> Iterator[Act]:
        """What the trigger would have done before and at the ticket's next event."""
        yield from self.until(event.at)
        if event.payload is not None:
            change(event.payload, self._ticket)
        named = event.told if event.told is not None else event
        act = Act(named.id, named.at)
        if self._depth(event) < LONGEST_CHAIN and self._acts_on(event, act.at):
            yield act
        if event.actor.kind in PERSONS or event.type in CAUSED:
            self._last = Act(named.id, event.at)

    def until(self, moment: datetime) -> Iterator[Act]:
        """What it would have done because no person did anything until this moment."""
        last, wanted = self._last, self.wanted
        if last is None or wanted.idle is None or (due := last.at + wanted.idle) > moment:
            return
        self._last = None
        waits = self._ticket.state.type not in OVER and wanted.start <= due < wanted.end
        if waits and wanted.holds(self._ticket.facts("system", due)):
            yield Act(last.event, due)

    def _acts_on(self, event: PastEvent, at: datetime) -> bool:
        wanted = self.wanted
        if not wanted.start <= at < wanted.end:
            return False
        payload = event.payload or (event.told.payload if event.told is not None else None)
        if payload is None or happening(payload) not in wanted.on or self._ticket.state == MERGED:
            return False  # a merged ticket goes on in another one, where a customer's message arrives too
        rule = rule_of(event.actor)
        if rule is not None and rule[0] == wanted.trigger:
            return False  # no rule answers its own doing
        return wanted.holds(facts_of(self._ticket, event, at))

    def _depth(self, event: PastEvent) -> int:
        depth = self._depths.get(event.cause, 0) if event.cause is not None else 0
        depth += event.actor.kind == RULE
        if depth:
            self._depths[event.id] = depth
        return depth


def facts_of(ticket: PastTicket, event: PastEvent, at: datetime) -> Facts:
    """What a condition looks at, as in the decision in which rules were judged."""
    match event.told.payload if event.told is not None else None:
        case TicketOpened() as opened:
            sender = opened.message.sender.email if opened.message.sender is not None else opened.customer.email
            actor = "agent" if opened.opened_by is not None else "customer"
            return ticket.facts(actor, at, written(opened.message), sender)
        case CustomerMessageReceived() as received:
            sender = received.message.sender.email if received.message.sender is not None else received.customer.email
            return ticket.facts("customer", at, written(received.message), sender)
        case (AgentReplied() | NoteAdded()) as by_agent:
            return ticket.facts(_kind(event.actor), at, written(by_agent.message))
        case _:
            return ticket.facts(_kind(event.actor), at)


def _kind(actor: Actor) -> str:
    """Services and timers are the system."""
    return actor.kind if actor.kind in KINDS else "system"
