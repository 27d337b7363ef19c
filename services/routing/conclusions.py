"""What follows from each decision of the desk, in its transaction: the clocks of the ticket, and the rules that match.

One object concludes for commands, for events of other services, and for timers. It is pure: the configuration comes as
data, and every event names the versions that counted.
"""

from collections.abc import Callable
from uuid import UUID

from services.routing import ticket
from services.routing.rows import DecisionRow, Owned, TurnTaken
from services.routing.ticket import Command, Ticket
from services.routing.ticket.automation.distribution import Distribute
from services.routing.triggers import idleness, matching
from services.routing.triggers.matching import WHOLE, Matched, actor_of
from services.routing.triggers.steps import steps
from shared.automation.rules import Rules, compile_rules
from shared.contracts.envelope import Actor
from shared.contracts.routing import RuleActionLeftOut
from shared.directory.copy import Configuration
from shared.eventstore.unit_of_work import Conclude, Consequences, Decision, Following

CLOCK = Actor("system", "clock")
"""Who records the events of clocks."""
OVER = frozenset(("closed", "merged", "removed"))
CHAIN_ENDED = f"{matching.LONGEST_CHAIN} rules have acted one after the other. The chain ends here."


class Conclusions:
    """`configuration` returns the newest snapshot."""

    def __init__(self, configuration: Callable[[], Configuration]) -> None:
        self.configuration = configuration
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
        events: list[Following] = []
        rules = self.rules
        if not rules.by_happening:
            return Consequences(events, rows_of(decision))
        matched = matching.matches(rules, decision, steps(decision, events), depth)
        idle = idleness.acted_on(rules, decision)
        return Consequences([*events, *chain_ended(matched)], [*rows_of(decision), *idle, *matched.rows])


def rows_of(decision: Decision[Command, Ticket]) -> list[DecisionRow]:
    """Whose work the ticket is from now on, and the turn that was taken to find its owner."""
    after = decision.before
    for event in decision.events:
        after = ticket.evolve(after, event.payload)
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
        Following(RuleActionLeftOut(rule=rule.ref, action=WHOLE, reason=CHAIN_ENDED), cause, actor_of(rule.ref))
        for rule, cause in matched.ended[:1]
    ]
