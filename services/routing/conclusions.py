"""What follows from each decision of the desk, in its transaction: the clocks of the ticket, and the rules that match.

One object concludes for commands, for events of other services, and for timers. It is pure: the configuration comes as
data, and every event names the versions that counted.
"""

from collections.abc import Callable
from uuid import UUID

from services.routing.rows import DecisionRow, Owned, TurnTaken
from services.routing.ticket import Command, Ticket
from services.routing.ticket.automation.distribution import Distribute
from services.routing.ticket.clocks import timeline as timelines
from services.routing.ticket.clocks.counting import Because, recount
from services.routing.ticket.clocks.promises import Slas, kind_after
from services.routing.triggers import idleness, matching
from services.routing.triggers.matching import Matched
from services.routing.triggers.steps import steps
from shared.automation.rule_actor import actor_of
from shared.automation.rules import LONGEST_CHAIN, Rules, compile_rules
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.routing import (
    AgentReplied,
    CustomerAnswered,
    CustomerChanged,
    MergeUndone,
    OwnerChanged,
    PriorityChanged,
    RuleActionLeftOut,
    StateChanged,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
)
from shared.directory.copy import Configuration
from shared.eventstore.unit_of_work import Conclude, Consequences, Decision, Following
from shared.rules.states import OVER

CLOCK = Actor("system", "clock")
"""Who records the events of clocks."""
CHAIN_ENDED = f"{LONGEST_CHAIN} rules have acted one after the other. The chain ends here."
MOVES_CLOCKS = (
    TicketQueued,
    StateChanged,
    AgentReplied,
    CustomerAnswered,
    PriorityChanged,
    TicketMoved,
    CustomerChanged,
    TicketMerged,
    MergeUndone,
    TicketRemoved,
)
"""The events after which the clocks of a ticket are counted anew."""
MOVES_OWNERS = (OwnerChanged, StateChanged, TicketMerged, MergeUndone, TicketRemoved)
"""The events after which somebody else may have the ticket to do."""


class Conclusions:
    """`configuration` returns the newest snapshot."""

    def __init__(self, configuration: Callable[[], Configuration]) -> None:
        self.configuration = configuration
        self._compiled: tuple[Configuration, Slas] | None = None
        self._rules: tuple[Configuration, Rules] | None = None

    def __call__(self, decision: Decision[Command, Ticket], /) -> Consequences:
        return self._concluded(decision, depth=0)

    def at_depth(self, depth: int) -> Conclude[Command, Ticket]:
        """Concludes for what a rule does, after so many rules that acted one after the other, itself included."""
        return lambda decision: self._concluded(decision, depth)

    @property
    def rules(self) -> Rules:
        """The triggers of the newest snapshot, compiled once for each snapshot."""
        newest = self.configuration()
        if self._rules is None or self._rules[0] is not newest:
            triggers = newest.triggers.values()
            self._rules = (newest, compile_rules(triggers, newest.versions, newest.calendars))
        return self._rules[1]

    def _concluded(self, decision: Decision[Command, Ticket], depth: int) -> Consequences:
        events = self._clocks(decision)
        rules = self.rules
        if not matching.looked_at(rules, decision.events, events):
            return Consequences(events, [*rows_of(decision), *idleness.acted_on(rules, decision)])
        matched = matching.matches(rules, decision, steps(decision, events), depth)
        idle = idleness.acted_on(rules, decision)
        return Consequences([*events, *chain_ended(matched)], [*rows_of(decision), *idle, *matched.rows])

    @property
    def slas(self) -> Slas:
        """The SLAs of the newest snapshot, compiled once for each snapshot."""
        newest = self.configuration()
        if self._compiled is None or self._compiled[0] is not newest:
            self._compiled = (newest, compiled(newest))
        return self._compiled[1]

    def _clocks(self, decision: Decision[Command, Ticket]) -> list[Following]:
        """What each event does to the clocks of the ticket, as if its clocks were decided right behind it."""
        slas, timeline, following = self.slas, decision.before.timeline, list[Following]()
        if not slas and not timeline.deadlines:
            return following
        kind = decision.before.kind
        for new in decision.events:
            timeline, kind = timelines.evolve(timeline, new.payload), kind_after(kind, new.payload)
            if kind is None or timeline.opened_at is None or not isinstance(new.payload, MOVES_CLOCKS):
                continue
            promise = slas.choose(kind)
            if promise is None and not timeline.deadlines:
                continue
            at = timeline.moment(decision.context.time)
            for event in recount(timeline, promise, at, _because(new.payload)):
                timeline = timelines.evolve(timeline, event)
                following.append(Following(event, new.id, CLOCK))
        return following


def compiled(configuration: Configuration) -> Slas:
    """The SLAs in use. One whose calendar was retired counts by it as it was last."""
    calendars = {**configuration.retired_calendars, **configuration.calendars}
    return Slas(configuration.slas.values(), calendars, configuration.versions)


def _because(event: Event) -> Because:
    if isinstance(event, StateChanged):
        return "state" if event.undoes is None else "undo"
    return "undo" if isinstance(event, MergeUndone) else "other"


def rows_of(decision: Decision[Command, Ticket]) -> list[DecisionRow]:
    """Whose work the ticket is from now on, and the turn that was taken to find its owner."""
    if not any(isinstance(event.payload, MOVES_OWNERS) for event in decision.events):
        return []
    after = decision.after
    was, now = owner_of(decision.before), owner_of(after)
    rows: list[DecisionRow] = [Owned(decision.stream, now, was)] if now != was else []
    command = decision.command
    if isinstance(command, Distribute) and after.owner is not None:
        rows.append(TurnTaken(command.candidates.turn, command.candidates.taken, after.owner.id))
    return rows


def owner_of(ticket: Ticket) -> UUID | None:
    """Who has the ticket to do; nobody if it is closed or gone."""
    return ticket.owner.id if ticket.owner is not None and ticket.state.type not in OVER else None


def chain_ended(matched: Matched) -> list[Following]:
    """The history says once that a chain of rules has ended, by the first one that would have gone on."""
    return [
        Following(
            RuleActionLeftOut(rule=rule.ref, action=RuleActionLeftOut.ALL_ACTIONS, reason=CHAIN_ENDED),
            cause,
            actor_of(rule.ref),
        )
        for rule, cause in matched.ended[:1]
    ]
