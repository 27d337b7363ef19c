"""Actions of triggers and macros (A8.06, A9.02)."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.automation.actions import Actions, MacroActions
from tests.specs.requirement import requirement

ACTIONS: TypeAdapter[Any] = TypeAdapter(Actions)
MACRO: TypeAdapter[Any] = TypeAdapter(MacroActions)
EVERY: list[dict[str, Any]] = [
    {"do": "move", "queue": "other", "owner": "kari", "text": "Look."},
    {"do": "set-priority", "priority": 4},
    {"do": "set-state", "state": "pending-reminder", "pending_until": "2026-12-01T08:00:00Z"},
    {"do": "assign", "owner": "previous"},
    {"do": "assign", "to": "round-robin", "text": "Your turn."},
    {"do": "tag", "tags": ["one", "two"]},
    {"do": "untag", "tags": ["two"]},
    {"do": "set-fields", "fields": {"room": "B 214", "floor": 2, "urgent": True, "gone": None}},
    {"do": "note", "text": "x", "internal": False},
    {"do": "set-responsible", "responsible": None},
    {"do": "notify", "to": ["customer", "duty@example.org"], "template": "known"},
]


@requirement("A9.02", "A8.06")
def test_every_action_is_taken_and_given_back_as_it_came() -> None:
    for adapter in (ACTIONS, MACRO):
        taken = adapter.validate_json(json.dumps(EVERY))
        assert adapter.dump_python(taken, exclude_unset=True, mode="json") == EVERY
    reply = [{"do": "reply", "template": "known"}]
    assert MACRO.dump_python(MACRO.validate_json(json.dumps(reply)), exclude_unset=True) == reply


@pytest.mark.parametrize(
    ("action", "at"),
    [
        ({"do": "explode"}, (0,)),
        ({}, (0,)),
        ("x", (0,)),
        ({"do": "reply", "template": "x"}, (0,)),
        ({"do": "note", "text": "x", "colour": "red"}, (0, "note", "colour")),
        ({"do": "note"}, (0, "note")),
        ({"do": "note", "text": " "}, (0, "note")),
        ({"do": "note", "text": "x" * 20_001}, (0, "note", "text")),
        ({"do": "note", "text": "a\u0000b"}, (0, "note", "text")),
        ({"do": "move"}, (0, "move", "queue")),
        ({"do": "assign"}, (0, "assign")),
        ({"do": "assign", "owner": "kari", "to": "nobody"}, (0, "assign")),
        ({"do": "assign", "to": "by-lot"}, (0, "assign", "to")),
        ({"do": "set-priority", "priority": 9}, (0, "set-priority", "priority")),
        ({"do": "set-priority", "priority": "4"}, (0, "set-priority", "priority")),
        ({"do": "set-state", "state": "x", "pending_until": "soon"}, (0, "set-state", "pending_until")),
        ({"do": "tag", "tags": []}, (0, "tag", "tags")),
        ({"do": "tag", "tags": ["ok", " "]}, (0, "tag", "tags", 1)),
        ({"do": "set-fields", "fields": {}}, (0, "set-fields", "fields")),
        ({"do": "notify", "to": [], "template": "x"}, (0, "notify", "to")),
        ({"do": "set-responsible"}, (0, "set-responsible", "responsible")),
    ],
)
def test_what_is_refused_is_named(action: Any, at: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        ACTIONS.validate_json(json.dumps([action]))
    assert [error["loc"] for error in caught.value.errors()] == [at]


@pytest.mark.parametrize("actions", [[], [{"do": "set-priority", "priority": 1}] * 51])
def test_there_is_at_least_one_action_and_not_any_number(actions: Any) -> None:
    with pytest.raises(ValidationError):
        ACTIONS.validate_python(actions)


def test_a_form_can_be_made_of_the_schema() -> None:
    schema: dict[str, Any] = ACTIONS.json_schema()
    discriminator = schema["items"]["discriminator"]
    assert discriminator["propertyName"] == "do"
    assert set(discriminator["mapping"]) == {each["do"] for each in EVERY}
