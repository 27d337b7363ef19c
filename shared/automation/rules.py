"""The triggers of a snapshot of the configuration, compiled once and found by what happened."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.automation.evaluation import Holds, UnknownCondition, compiled
from shared.automation.facts import Facts
from shared.contracts.directory import Calendar, Happening, Trigger
from shared.contracts.parts import RuleRef


@dataclass(frozen=True, slots=True)
class Rule:
    """A trigger that is ready to be evaluated. `actions`: as its document has them."""

    ref: RuleRef
    trigger: Trigger
    holds: Holds = field(repr=False)

    @property
    def actions(self) -> Sequence[Mapping[str, Any]]:
        return self.trigger.then


@dataclass(frozen=True, slots=True)
class Unusable:
    """A trigger whose condition cannot be evaluated. `reason`: a sentence."""

    ref: RuleRef
    reason: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Active triggers, by what they act on, in the order in which they act."""

    by_happening: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    unusable: Sequence[Unusable] = ()

    def on(self, happening: Happening) -> Sequence[Rule]:
        """The triggers that may act on this."""
        return self.by_happening.get(happening, ())

    def matching(self, happening: Happening, facts: Facts) -> list[Rule]:
        """The triggers that are to act, in their order."""
        return [rule for rule in self.on(happening) if rule.holds(facts)]


def compile_rules(
    triggers: Iterable[Trigger], versions: Mapping[UUID, int], calendars: Mapping[str, Calendar]
) -> Rules:
    """The rules of these triggers. `versions`: of documents, by id. `calendars`: those in use, by slug."""
    by_happening: dict[str, list[Rule]] = {}
    unusable: list[Unusable] = []
    for trigger in sorted((each for each in triggers if each.active), key=lambda each: (each.order, each.slug)):
        ref = RuleRef(id=trigger.id, name=trigger.name, version=versions.get(trigger.id, 0))
        try:
            rule = Rule(ref, trigger, compiled(trigger.when, calendars))
        except UnknownCondition as error:
            unusable.append(Unusable(ref, str(error)))
            continue
        for happening in trigger.on:
            by_happening.setdefault(happening, []).append(rule)
    return Rules(by_happening, unusable)
