"""The triggers of a snapshot of the configuration, compiled once and found by what happened."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.automation.evaluation import Holds, UnknownCondition, compiled
from shared.automation.facts import Facts
from shared.contracts.directory import Calendar, Happening, Trigger
from shared.contracts.parts import RuleRef

LONGEST_CHAIN = 5
"""So many rules act one after the other. What the last of them does is answered by none."""


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
    _index: Mapping[str, "_Index"] = field(default_factory=dict, repr=False)

    def on(self, happening: Happening) -> Sequence[Rule]:
        """The triggers that may act on this."""
        return self.by_happening.get(happening, ())

    def matching(self, happening: Happening, facts: Facts) -> list[Rule]:
        """The triggers that are to act, in their order."""
        index = self._index.get(happening)
        return [rule for rule in index.candidates(facts) if rule.holds(facts)] if index is not None else []


INDEXED = ("company", "topic", "queue", "priority", "state", "actor", "state_type", "channel")
"""The fields of facts by which rules are found, those that tell most tickets apart first."""


@dataclass(frozen=True, slots=True)
class _Index:
    """The rules of a happening, by a value that the facts must have for their conditions to hold."""

    rules: Sequence[Rule]
    always: Sequence[int]
    """The places of those that name no such value."""
    by_value: Mapping[str, Mapping[Any, Sequence[int]]]

    def candidates(self, facts: Facts) -> list[Rule]:
        """The rules whose conditions may hold, in their order."""
        places = list(self.always)
        for name, values in self.by_value.items():
            places += values.get(getattr(facts, name), ())
        places.sort()
        return [self.rules[place] for place in places]


def _indexed(rules: Sequence[Rule]) -> _Index:
    always: list[int] = []
    by_value: dict[str, dict[Any, list[int]]] = {}
    for place, rule in enumerate(rules):
        named = _needed(rule.trigger.when)
        if named is None:
            always.append(place)
            continue
        name, values = named
        for value in set(values):
            by_value.setdefault(name, {}).setdefault(value, []).append(place)
    return _Index(rules, always, by_value)


def _needed(condition: Mapping[str, Any]) -> tuple[str, Sequence[Any]] | None:
    """A field of the facts, and the values of which it must have one for the condition to hold."""
    tests = condition.get("all", [condition])
    values = {test["field"]: test["is"] for test in tests if "field" in test and "is" in test}
    name = next((each for each in INDEXED if each in values), None)
    return (name, values[name]) if name is not None else None


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
    return Rules(by_happening, unusable, {each: _indexed(rules) for each, rules in by_happening.items()})
