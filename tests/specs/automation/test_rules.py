"""Which triggers act on what, and in which order."""

from typing import Any
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from shared.automation.happenings import EVENT_TYPES, happening
from shared.automation.rules import compile_rules
from shared.contracts.directory import Trigger
from shared.contracts.parts import Message, PersonRef
from shared.contracts.routing import MOVED_NOTE, NoteAdded, PriorityChanged, TagsRemoved
from tests.specs.automation.conditions import CONDITIONS, FACTS, facts, has
from tests.specs.requirement import requirement

KARI = PersonRef(id=UUID(int=1), name="Kari")


def trigger(slug: str, order: int = 1, *on: str, **more: Any) -> Trigger:
    known: dict[str, Any] = {"when": has("queue", "desk"), "then": ({"do": "tag", "tags": [slug]},)}
    return Trigger(id=uuid4(), slug=slug, name=slug.title(), order=order, on=on or ("opened",), **known | more)


def note(text: str, kind: str = "note") -> NoteAdded:
    return NoteAdded(by=KARI, message=Message(id=uuid4(), channel="note", text=text), kind=kind)


@requirement("A9.02")
def test_triggers_act_in_their_order_and_equal_ones_by_slug() -> None:
    found = compile_rules([trigger("b", 2), trigger("c", 1), trigger("a", 2)], {}, {})
    assert [rule.trigger.slug for rule in found.matching("opened", facts())] == ["c", "a", "b"]


def test_only_what_acts_on_it_is_evaluated() -> None:
    found = compile_rules([trigger("a", 1, "opened", "moved"), trigger("b", 1, "moved")], {}, {})
    assert [rule.trigger.slug for rule in found.on("opened")] == ["a"]
    assert [rule.trigger.slug for rule in found.on("moved")] == ["a", "b"]
    assert found.on("tagged") == ()


def test_a_trigger_that_is_switched_off_does_not_act() -> None:
    assert not compile_rules([trigger("a", active=False)], {}, {}).on("opened")


def test_a_rule_knows_the_version_of_its_document() -> None:
    it = trigger("a")
    (rule,) = compile_rules([it], {it.id: 7}, {}).on("opened")
    assert (rule.ref.id, rule.ref.name, rule.ref.version) == (it.id, "A", 7)
    assert list(rule.actions) == [{"do": "tag", "tags": ["a"]}]


def test_a_trigger_that_cannot_be_evaluated_is_told_apart_and_the_others_act() -> None:
    broken = trigger("broken", when=has("within_calendar", "gone"))
    found = compile_rules([broken, trigger("a")], {}, {})
    assert [each.ref.id for each in found.unusable] == [broken.id]
    assert "gone" in found.unusable[0].reason
    assert [rule.trigger.slug for rule in found.on("opened")] == ["a"]


@given(st.lists(CONDITIONS, min_size=1, max_size=5), FACTS)
def test_what_matches_is_what_holds(conditions: list[dict[str, Any]], known: Any) -> None:
    triggers = [trigger(f"t{n}", n, when=each) for n, each in enumerate(conditions)]
    found = compile_rules(triggers, {}, {})
    assert found.matching("opened", known) == [rule for rule in found.on("opened") if rule.holds(known)]


def test_a_thousand_triggers() -> None:
    found = compile_rules([trigger(f"t{n}", n, when=has("queue", f"q{n}")) for n in range(1_000)], {}, {})
    assert [rule.trigger.slug for rule in found.matching("opened", facts(queue="q7"))] == ["t7"]


@requirement("A9.02")
def test_taking_something_back_is_no_happening() -> None:
    changed = PriorityChanged(to=4, was=3, by=KARI)
    assert happening(changed) == "priority-changed"
    assert happening(changed.model_copy(update={"undoes": uuid4()})) is None


def test_a_note_that_nobody_wrote_is_no_happening() -> None:
    assert happening(note("Look at the fuse.")) == "note"
    assert happening(note("Yours now.", "move")) == "note"
    assert happening(note(MOVED_NOTE, "move")) is None
    assert happening(note("What was internal", "split")) is None


def test_other_events_are_no_happenings() -> None:
    assert happening(TagsRemoved(tags=("a",), by=KARI)) is None
    assert "helpdesk.TicketQueued.v1" in EVENT_TYPES
    assert "helpdesk.TagsRemoved.v1" not in EVENT_TYPES
