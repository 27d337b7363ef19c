"""Conditions: what they mean, and what is refused (A9.02)."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from pydantic import ValidationError

from shared.automation.conditions import DEEPEST, MOST_CONDITIONS, TESTS
from shared.automation.evaluation import UnknownCondition, compiled
from shared.automation.facts import Facts
from shared.contracts.directory import Calendar
from shared.contracts.parts import CustomerRef
from tests.specs.automation.conditions import (
    CONDITION,
    CONDITIONS,
    FACTS,
    KARI,
    NILS,
    NOW,
    PIA,
    empty,
    facts,
    has,
    says,
)
from tests.specs.requirement import requirement

OFFICE = Calendar(id=UUID(int=9), slug="office", name="Office", timezone="UTC", hours={"mon": (("08:00", "16:00"),)})
NIGHTS = OFFICE.model_copy(update={"slug": "nights", "hours": {"mon": (("00:00", "06:00"),)}})
CALENDARS = {"office": OFFICE, "nights": NIGHTS}


def holds(condition: dict[str, Any], **more: Any) -> bool:
    """Whether a condition that the API takes holds."""
    CONDITION.validate_python(condition)
    return compiled(condition, CALENDARS)(facts(**more))


@requirement("A9.02")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (has("queue", "desk"), True),
        (has("queue", "other", "desk"), True),
        (has("queue", "other"), False),
        (says("queue", "ES"), True),
        (has("state", "new"), True),
        (has("state", "open"), False),
        (has("state_type", "new", "open"), True),
        (has("state_type", "closed"), False),
        (has("priority", 4), True),
        (has("priority", 3), False),
        (empty("owner"), True),
        (empty("owner", is_empty=False), False),
        (has("owner", str(KARI)), False),
        (has("customer", "PIA@example.org"), True),
        (has("customer", str(PIA)), True),
        (has("customer", "per@example.org"), False),
        (says("customer", "@example.org"), True),
        (empty("customer"), False),
        (has("company", "acme"), True),
        (has("company", "other"), False),
        (empty("company"), False),
        (has("channel", "phone"), True),
        (has("channel", "email"), False),
        (has("topic", "broken"), True),
        (empty("topic"), False),
        (has("tag", "laptop"), True),
        (has("tag", "desktop"), False),
        (says("tag", "TOP"), True),
        (empty("tag"), False),
        (has("title", "Blue screen, room 7"), True),
        (has("title", "blue screen, room 7"), False),
        (says("title", "BLUE"), True),
        (says("title", "green", "screen"), True),
        (says("title", "green"), False),
        (says("text", "burns"), True),
        (says("text", "straße"), True),
        (says("text", "room"), False),
        (empty("text"), False),
        (has("from", "Pia@Example.org"), True),
        (says("from", "@example.org"), True),
        (has("fields.room", "B 214"), True),
        (says("fields.room", "b 2"), True),
        (says("fields.room", "c"), False),
        (empty("fields.room"), False),
        (empty("fields.no-such"), True),
        (has("fields.floor", 2), True),
        (has("fields.floor", "2"), False),
        (has("fields.urgent", True), True),
        (has("fields.floor", True), False),
        (has("fields.urgent", 1), False),
        (has("escalated", False), True),
        (has("escalated", True), False),
        (has("actor", "agent"), True),
        (has("actor", "customer", "rule"), False),
        (has("within_calendar", "office"), True),
        (has("within_calendar", "nights"), False),
        (has("within_calendar", "nights", "office"), True),
        ({"all": []}, True),
        ({"any": []}, False),
        ({"not": {"all": []}}, False),
        ({"not": says("title", "green")}, True),
        ({"any": [has("priority", 1), has("priority", 4)]}, True),
        ({"all": [has("priority", 4), has("queue", "other")]}, False),
    ],
)
def test_what_a_condition_means(condition: dict[str, Any], expected: bool) -> None:
    assert holds(condition) is expected


def test_every_field_has_a_test() -> None:
    """Each is evaluated: none is taken for a field of tickets."""
    for field in TESTS:
        values = {"priority": 4, "escalated": True, "within_calendar": "office", "state_type": "new"}
        others = {"channel": "phone", "actor": "agent"}
        compiled(has(field, (values | others).get(field, "x")), CALENDARS)
    with pytest.raises(UnknownCondition):
        compiled(has("colour", "x"), CALENDARS)


def test_an_owner_is_found_by_id() -> None:
    assert holds(has("owner", str(NILS), str(KARI)), owner=KARI)
    assert not holds(has("owner", str(NILS)), owner=KARI)
    assert not holds(empty("owner"), owner=KARI)


def test_a_customer_without_a_record_is_found_by_the_address() -> None:
    somebody = CustomerRef(id=UUID(int=77), email="somebody@example.org")
    assert holds(has("customer", "somebody@example.org"), customer=somebody)
    assert not holds(has("customer", "somebody@example.org"), customer=None)
    assert holds(empty("customer"), customer=None)


def test_what_was_not_written_is_empty() -> None:
    assert holds({"all": [empty("text"), empty("from"), {"not": says("text", "x")}]}, text="", sender="")


def test_letters_and_accents_are_compared_in_one_form() -> None:
    assert holds(says("title", "Cafe\u0301"), title="CAF\u00c9")


def test_calendars_look_at_the_time_of_the_event() -> None:
    assert holds(has("within_calendar", "nights"), at=NOW - timedelta(hours=5))


@requirement("A9.02")
@given(CONDITIONS, FACTS)
def test_compiled_conditions_mean_what_they_say(condition: dict[str, Any], known: Facts) -> None:
    assert compiled(condition, CALENDARS)(known) == _meaning(condition, known)


def _meaning(condition: dict[str, Any], known: Facts) -> bool:
    match condition:
        case {"all": below}:
            return all(_meaning(each, known) for each in below)
        case {"any": below}:
            return any(_meaning(each, known) for each in below)
        case {"not": below}:
            return not _meaning(below, known)
        case {"field": "queue", "is": values}:
            return known.queue in values
        case {"field": "priority", "is": values}:
            return known.priority in values
        case {"field": "tag", "is": values}:
            return bool(set(known.tags) & set(values))
        case {"field": "title", "contains": [part]}:
            return part.lower() in known.title.lower()
        case {"field": "owner", "empty": True}:
            return known.owner is None
        case {"field": "escalated", "is": values}:
            return known.escalated in values
        case {"field": "fields.room"}:
            return True
        case _:
            return False


@given(CONDITIONS)
def test_the_api_takes_them_and_gives_them_back_as_they_came(condition: dict[str, Any]) -> None:
    if _depth(condition) <= DEEPEST:
        taken = CONDITION.validate_json(json.dumps(condition))
        assert CONDITION.dump_python(taken, exclude_unset=True, mode="json") == condition


def _depth(condition: dict[str, Any]) -> int:
    below = [*condition.get("all", []), *condition.get("any", []), *([condition["not"]] if "not" in condition else [])]
    return 1 + max(map(_depth, below), default=0)


def nested(levels: int) -> dict[str, Any]:
    condition: dict[str, Any] = has("queue", "desk")
    for _ in range(levels - 1):
        condition = {"not": condition}
    return condition


@pytest.mark.parametrize(
    ("condition", "at", "says_so"),
    [
        ({}, (), "not a condition"),
        ([], (), "not a condition"),
        ("x", (), "not a condition"),
        ({"field": "title"}, ("TextTest",), "Exactly one"),
        ({**has("title", "x"), "empty": True}, ("TextTest",), "Exactly one"),
        (has("colour", "x"), ("TicketFieldTest", "field"), "no such field"),
        ({"field": 7, "is": [1]}, ("TicketFieldTest", "field"), "string"),
        (has("fields.Room", "x"), ("TicketFieldTest", "field"), "pattern"),
        (has("title"), ("TextTest", "is"), "at least 1"),
        (says("title"), ("TextTest", "contains"), "at least 1"),
        (says("title", ""), ("TextTest", "contains", 0), "at least 1"),
        (has("priority", 6), ("PriorityTest", "is", 0), "less than"),
        (has("priority", "4"), ("PriorityTest", "is", 0), "integer"),
        (has("escalated", "yes"), ("EscalatedTest", "is", 0), "boolean"),
        (has("actor", "machine"), ("ActorTest", "is", 0), "agent"),
        (says("priority", "4"), ("PriorityTest", "contains"), "not permitted"),
        (empty("queue"), ("QueueTest", "empty"), "not permitted"),
        ({"all": {}}, ("AllOf", "all"), "array"),
        ({"not": []}, ("Not", "not"), "not a condition"),
        ({"all": [], "any": []}, ("AllOf", "any"), "not permitted"),
        ({"all": [has("queue", "x"), {"any": [{"not": 1}]}]}, ("AllOf", "all", 1, "AnyOf", "any", 0, "Not", "not"), ""),
        (nested(DEEPEST + 1), (), "nested"),
        (nested(60), (), "nested"),
        ({"all": [has("queue", "x")] * MOST_CONDITIONS}, (), "at most 200"),
        (has("title", *["x"] * 201), ("TextTest", "is"), "at most 200"),
    ],
)
def test_what_is_refused_is_named(condition: Any, at: tuple[Any, ...], says_so: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CONDITION.validate_json(json.dumps(condition))
    (error,) = caught.value.errors()
    assert error["loc"] == at
    assert re.search(says_so, error["msg"], re.IGNORECASE)


def test_the_limits_themselves_are_allowed() -> None:
    CONDITION.validate_python(nested(DEEPEST))
    CONDITION.validate_python({"all": [has("queue", "x")] * (MOST_CONDITIONS - 1)})


@pytest.mark.parametrize(
    "condition",
    [{"field": "colour", "is": ["x"]}, {"none": []}, {"field": "title", "matches": "x"}, has("title", ["x"])],
)
def test_a_condition_of_a_later_version_is_not_guessed(condition: dict[str, Any]) -> None:
    with pytest.raises(UnknownCondition):
        compiled({"not": condition}, CALENDARS)


def test_a_calendar_that_is_not_in_use_is_not_guessed() -> None:
    with pytest.raises(UnknownCondition, match="gone"):
        compiled(has("within_calendar", "gone"), CALENDARS)


def test_no_condition_holds_always() -> None:
    assert compiled({}, {})(facts())


def test_words_are_sought_in_a_million_letters() -> None:
    """Also in a text that would make a pattern try again and again."""
    text = "ab" * 500_000
    looks = compiled(says("text", *("ab" * 200 + str(n) for n in range(100))), {})
    assert not looks(facts(text=text))


def test_a_form_can_be_made_of_the_schema() -> None:
    schema = CONDITION.json_schema()
    models = [schema["$defs"][each["$ref"].rpartition("/")[2]] for each in schema["$defs"]["Condition"]["oneOf"]]
    fields = [each["properties"]["field"] for each in models if "field" in each["properties"]]
    named = {name for field in fields for name in (field.get("enum") or [field.get("const")])}
    assert named == {*TESTS, None}  # fields of tickets have a pattern
    assert all("is" in each["properties"] for each in models if "field" in each["properties"])
    assert all(each.get("description") for each in models)
