"""Makes a function of a condition as documents hold it.

The function takes time in proportion to the texts that it looks at: texts are searched as they are, without patterns.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.addresses import comparable
from shared.automation.facts import Facts, folded
from shared.automation.parts import FieldName
from shared.clocks.working_time import WorkingTime, working_time
from shared.contracts.directory import Calendar

Holds = Callable[[Facts], bool]


class UnknownCondition(Exception):
    """A later version, or a calendar that is not known here, is needed to evaluate this condition."""


def compiled(condition: Mapping[str, Any], calendars: Mapping[str, Calendar]) -> Holds:
    """Whether a condition holds for facts. `calendars`: those in use, by slug. Raises UnknownCondition."""
    match condition:
        case {"all": [*conditions]} if len(condition) == 1:
            return _all([compiled(each, calendars) for each in conditions])
        case {"any": [*conditions]} if len(condition) == 1:
            return _any([compiled(each, calendars) for each in conditions])
        case {"not": {} as below} if len(condition) == 1:
            holds = compiled(below, calendars)
            return lambda facts: not holds(facts)
        case {"field": str() as field, "is": [*values]} if len(condition) == 2:
            return _is(field, values, calendars)
        case {"field": str() as field, "contains": [*parts]} if len(condition) == 2:
            return _contains(field, tuple(folded(str(part)) for part in parts))
        case {"field": str() as field, "empty": bool() as empty} if len(condition) == 2:
            texts = _texts(field)
            return (lambda facts: not any(texts(facts))) if empty else (lambda facts: any(texts(facts)))
        case {} if not condition:
            return lambda _: True
        case _:
            raise UnknownCondition("This version does not know this kind of condition.")


def _all(conditions: Sequence[Holds]) -> Holds:
    def holds(facts: Facts) -> bool:
        for each in conditions:  # noqa: SIM110 - twice as fast as `all`, and every event meets every rule
            if not each(facts):
                return False
        return True

    return conditions[0] if len(conditions) == 1 else holds


def _any(conditions: Sequence[Holds]) -> Holds:
    def holds(facts: Facts) -> bool:
        for each in conditions:  # noqa: SIM110 - as above
            if each(facts):
                return True
        return False

    return conditions[0] if len(conditions) == 1 else holds


def _is(field: str, values: Sequence[Any], calendars: Mapping[str, Calendar]) -> Holds:
    if not all(isinstance(each, str | int | float) for each in values):
        raise UnknownCondition("This version does not know values of this kind.")
    wanted = frozenset(values)
    match field:
        case "queue":
            return lambda facts: facts.queue in wanted
        case "state":
            return lambda facts: facts.state in wanted
        case "state_type":
            return lambda facts: facts.state_type in wanted
        case "priority":
            return lambda facts: facts.priority in wanted
        case "owner":
            people = _ids(values)
            return lambda facts: facts.owner in people
        case "customer":
            return _customer(values)
        case "company":
            return lambda facts: facts.company in wanted
        case "channel":
            return lambda facts: facts.channel in wanted
        case "topic":
            return lambda facts: facts.topic in wanted
        case "tag":
            return lambda facts: not wanted.isdisjoint(facts.tags)
        case "title":
            return lambda facts: facts.title in wanted
        case "text":
            return lambda facts: facts.text in wanted
        case "from":
            addresses = frozenset(comparable(str(each)) for each in values)
            return lambda facts: facts.sender in wanted or comparable(facts.sender) in addresses
        case "escalated":
            return lambda facts: facts.escalated in wanted
        case "actor":
            return lambda facts: facts.actor in wanted
        case "within_calendar":
            return _within(values, calendars)
        case _:
            name, typed = _field(field), frozenset(map(_typed, values))
            return lambda facts: _typed(facts.fields.get(name)) in typed


def _customer(values: Sequence[Any]) -> Holds:
    """Of addresses and ids: a customer without a record is known by the address only."""
    people, addresses = _ids(values), frozenset(comparable(str(each)) for each in values if "@" in str(each))

    def holds(facts: Facts) -> bool:
        customer = facts.customer
        return customer is not None and (customer.id in people or comparable(customer.email) in addresses)

    return holds


def _within(slugs: Sequence[Any], calendars: Mapping[str, Calendar]) -> Holds:
    unknown = [slug for slug in slugs if slug not in calendars]
    if unknown:
        raise UnknownCondition(f"The calendar {unknown[0]} is not in use.")
    hours: list[WorkingTime] = [working_time(calendars[slug]) for slug in slugs]
    return lambda facts: any(each.contains(facts.at) for each in hours)


def _contains(field: str, parts: Sequence[str]) -> Holds:
    match field, parts:
        case "text", (only,):
            return lambda facts: only in facts.folded_text
        case "title", (only,):
            return lambda facts: only in facts.folded_title
        case "text", _:
            return lambda facts: any(part in facts.folded_text for part in parts)
        case "title", _:
            return lambda facts: any(part in facts.folded_title for part in parts)
        case _:
            texts = _texts(field)
            return lambda facts: any(part in text for text in map(folded, texts(facts)) for part in parts)


def _texts(field: str) -> Callable[[Facts], Iterable[str]]:
    """The texts of a field that `contains` and `empty` look at: none, or empty ones, if it has no value."""
    match field:
        case "queue":
            return lambda facts: (facts.queue,)
        case "state":
            return lambda facts: (facts.state,)
        case "owner":
            return lambda facts: (str(facts.owner or ""),)
        case "customer":
            return lambda facts: (facts.customer.email or str(facts.customer.id),) if facts.customer else ()
        case "company":
            return lambda facts: (facts.company or "",)
        case "topic":
            return lambda facts: (facts.topic or "",)
        case "tag":
            return lambda facts: facts.tags
        case "title":
            return lambda facts: (facts.title,)
        case "text":
            return lambda facts: (facts.text,)
        case "from":
            return lambda facts: (facts.sender,)
        case _:
            name = _field(field)
            return lambda facts: _text_of(facts.fields.get(name))


def _field(field: str) -> str:
    if not field.startswith(FieldName.PREFIX):
        raise UnknownCondition(f"This version does not know the field {field}.")
    return field.removeprefix(FieldName.PREFIX)


def _text_of(value: Any) -> tuple[str, ...]:
    match value:
        case None | "":
            return ()
        case list() | tuple():
            return tuple(str(each) for each in value)
        case _:
            return (str(value),)


def _typed(value: Any) -> tuple[str, Any]:
    """A value that is equal to values of the same kind only: in Python, true is equal to 1."""
    match value:
        case bool():
            return "flag", value
        case int() | float():
            return "number", value
        case list() | tuple():
            return "list", tuple(value)
        case _:
            return "text", value


def _ids(values: Sequence[Any]) -> frozenset[UUID]:
    found: set[UUID] = set()
    for each in values:
        try:
            found.add(UUID(str(each)))
        except ValueError:
            continue
    return frozenset(found)
