"""Triggers on real PostgreSQL: what matches, what is done, in which order, and when a chain ends (A9.02)."""

from typing import Any
from uuid import UUID

import pytest

from services.routing.matches import waiting
from shared.contracts.parts import PersonRef
from shared.contracts.routing import (
    NoteAdded,
    PriorityChanged,
    RuleNotified,
    TagsAdded,
    TicketMoved,
)
from tests.services.routing.triggers import (
    KNOWN,
    by_rules,
    customer_writes,
    has,
    left_out,
    opened,
    rule,
    save,
    says,
    settled,
    trigger,
)
from tests.services.routing.workplace import HR, KARI, OLA, OLA_DOCUMENT, PER, ROOM, Workplace, person
from tests.specs.requirement import requirement

TAG: dict[str, Any] = {"do": "tag", "tags": ["seen"]}


@requirement("A9.02")
async def test_what_a_trigger_does_is_an_event_that_names_it_its_version_and_its_cause(desk: Workplace) -> None:
    made = trigger("urgent", "opened", {"do": "set-priority", "priority": 5}, when=says("title", "FIRE"))
    await save(desk, made, version=3)
    number = await opened(desk, "Fire in room 7")
    quiet = await opened(desk, "It hums")
    await settled(desk)
    (done,) = await by_rules(desk, number)
    assert done.payload == PriorityChanged(to=5, was=3, by=PersonRef(id=made.id, name="Rule urgent"))
    assert done.actor.id == f"{made.id}/3"
    queued = (await desk.events(number))[0]
    assert done.causation_id == queued.causation_id is not None
    assert done.correlation_id == queued.correlation_id
    assert await by_rules(desk, quiet) == []


@requirement("A9.02")
async def test_every_event_is_judged_on_the_ticket_as_it_was_right_after_it(desk: Workplace) -> None:
    await rule(desk, "while-new", "answered", TAG, when=has("state_type", "new"))
    await rule(desk, "when-open", "state-changed", {"do": "tag", "tags": ["opened"]}, when=has("state", "open"))
    number = await opened(desk)
    await desk.done(number, "reply", {"text": "Restart it."})
    await desk.done(number, "set-priority", {"priority": 1})
    await settled(desk)
    assert set((await desk.state(number)).tags) == {"seen", "opened"}


@requirement("A9.02")
async def test_triggers_act_by_order_and_then_by_slug(desk: Workplace) -> None:
    for slug, order in (("z", 1), ("b", 2), ("a", 2)):
        await rule(desk, slug, "opened", {"do": "note", "text": slug}, order=order)
    number = await opened(desk)
    await settled(desk)
    notes = [
        event.payload.message.text for event in await by_rules(desk, number) if isinstance(event.payload, NoteAdded)
    ]
    assert notes == ["z", "a", "b"]


@requirement("A9.02")
async def test_the_text_and_the_writer_of_a_customers_message_can_be_tested(desk: Workplace) -> None:
    both = {"all": [says("text", "smoke"), says("from", PER.email), has("actor", "customer")]}
    await rule(desk, "smoke", "customer-message", TAG, when=both)
    number = await opened(desk, text="smoke")
    cause = await customer_writes(desk, number, "Now there is SMOKE.")
    await settled(desk)
    (done,) = await by_rules(desk, number)
    assert done.causation_id == cause


@pytest.mark.parametrize(("by", "kind"), [(None, "customer"), (person(KARI), "agent")])
@requirement("A9.02")
async def test_the_actor_of_an_opening_is_who_opened_the_ticket(desk: Workplace, by: Any, kind: str) -> None:
    await rule(desk, "by", "opened", TAG, when=has("actor", kind))
    number = await opened(desk, by=by)
    await settled(desk)
    assert (await desk.state(number)).tags == ("seen",)


@requirement("A9.02")
async def test_every_action_is_done_in_its_order(desk: Workplace) -> None:
    await save(desk, KNOWN)
    actions: list[dict[str, Any]] = [
        {"do": "set-priority", "priority": 4}, {"do": "set-state", "state": "open"}, {"do": "tag", "tags": ["one", "two"]},
        {"do": "untag", "tags": ["two"]}, {"do": "set-fields", "fields": {ROOM.slug: 3}},
        {"do": "set-responsible", "responsible": str(KARI.person_id)}, {"do": "assign", "owner": str(OLA.person_id)},
        {"do": "note", "text": "all done"}, {"do": "notify", "to": ["customer", "ops@x.example"], "template": "known"},
        {"do": "move", "queue": "hr"},
    ]  # fmt: skip
    made = await rule(desk, "all", "opened", *actions)
    number = await opened(desk)
    await settled(desk)
    state = await desk.state(number)
    assert (state.priority, state.state.slug, state.tags, dict(state.fields)) == (4, "open", ("one",), {ROOM.slug: 3})
    assert state.owner == person(OLA)
    assert state.responsible == person(KARI)
    assert state.queue is not None
    assert state.queue.slug == "hr"
    assert state.locked_by is None
    notified = next(e.payload for e in await by_rules(desk, number) if isinstance(e.payload, RuleNotified))
    assert (notified.rule.id, notified.to, notified.template) == (made.id, ("customer", "ops@x.example"), "known")
    assert await left_out(desk, number) == []


@requirement("A9.02")
async def test_no_lock_refuses_a_rule_and_a_rule_takes_no_lock(desk: Workplace) -> None:
    await rule(desk, "state", "tagged", {"do": "set-state", "state": "open"}, {"do": "set-priority", "priority": 1})
    number = await opened(desk)
    await desk.done(number, "lock", who=OLA)
    await desk.done(number, "tag", {"tags": ["x"]})
    free = await opened(desk)
    await desk.done(free, "tag", {"tags": ["x"]})
    await settled(desk)
    assert (await desk.state(number)).state.slug == "open"
    assert (await desk.state(number)).locked_by == person(OLA)
    assert (await desk.state(free)).priority == 1
    assert (await desk.state(free)).locked_by is None


@requirement("A9.02")
async def test_assigning_to_nobody_also_unlocks(desk: Workplace) -> None:
    await rule(desk, "free", "tagged", {"do": "assign", "to": "nobody"})
    number = await opened(desk)
    await desk.done(number, "lock")
    await desk.done(number, "tag", {"tags": ["free"]})
    await settled(desk)
    state = await desk.state(number)
    assert (state.owner, state.locked_by) == (None, None)


@requirement("A9.02")
async def test_what_is_already_so_is_left_alone_silently(desk: Workplace) -> None:
    await rule(desk, "again", "opened", {"do": "set-priority", "priority": 3}, {"do": "untag", "tags": ["none"]})
    number = await opened(desk)
    await settled(desk)
    assert await by_rules(desk, number) == []


@requirement("A9.02")
async def test_an_impossible_action_is_left_out_with_its_reason_and_the_rest_is_done(desk: Workplace) -> None:
    gone = OLA_DOCUMENT.model_copy(update={"id": UUID(int=99), "login": "gone", "name": "Gone", "email": "g@x.example"})
    await save(desk, gone)
    await save(desk, gone, 2, retired=True)
    owners = [{"do": "assign", "owner": str(who)} for who in (gone.id, PER.person_id)]
    made = await rule(
        desk,
        "left",
        "opened",
        *owners,
        TAG,
        {"do": "move", "queue": "secret"},
        {"do": "assign", "owner": str(KARI.person_id)},
    )
    number = await opened(desk)
    await settled(desk)
    assert await left_out(desk, number) == [
        ("assign", "Gone has left."),
        ("assign", "Per may not work on tickets of this queue."),
        ("assign", "Kari may not work on tickets of this queue."),
    ]
    assert (await desk.state(number)).tags == ("seen",)
    assert (
        await desk.pool.fetchval("SELECT count(*) FROM routing.suspended_triggers WHERE trigger_id = $1", made.id) == 0
    )


@requirement("A7.25")
async def test_a_rule_does_not_close_a_ticket_whose_required_fields_are_empty(desk: Workplace) -> None:
    await save(desk, ROOM.model_copy(update={"required_in": ("it",)}), 2)
    await rule(desk, "close", "opened", {"do": "set-state", "state": "closed-successful"})
    number = await opened(desk)
    await settled(desk)
    ((action, reason),) = await left_out(desk, number)
    assert action == "set-state"
    assert ROOM.slug in reason


@requirement("A9.02")
async def test_on_a_merged_ticket_everything_is_left_out(desk: Workplace) -> None:
    await rule(desk, "late", "tagged", {"do": "set-priority", "priority": 1})
    number, other = await opened(desk), await opened(desk)
    await desk.done(number, "tag", {"tags": ["x"]})
    await desk.done(number, "merge", {"into": other})
    await settled(desk)
    assert await left_out(desk, number) == [
        ("set-priority", "The ticket was merged into another one. Work on that one.")
    ]


@requirement("A9.02")
async def test_a_chain_ends_after_five_rules_and_the_history_says_so_once(desk: Workplace) -> None:
    for n in range(7):
        when = {"all": [has("tag", f"c{n}"), {"not": has("tag", f"c{n + 1}")}]}
        await rule(desk, f"chain{n}", "tagged", {"do": "tag", "tags": [f"c{n + 1}"]}, when=when)
    number = await opened(desk)
    await desk.done(number, "tag", {"tags": ["c0"]})
    await settled(desk)
    assert (await desk.state(number)).tags == ("c0", "c1", "c2", "c3", "c4", "c5")
    assert await left_out(desk, number) == [("all", "5 rules have acted one after the other. The chain ends here.")]


@requirement("A9.02")
async def test_no_rule_answers_its_own_doing(desk: Workplace) -> None:
    await rule(desk, "echo", "note", {"do": "note", "text": "echo"}, when=says("text", "hello", "echo"))
    number = await opened(desk)
    await desk.done(number, "note", {"text": "hello"})
    await settled(desk)
    assert len(await by_rules(desk, number)) == 1


@requirement("A9.02")
async def test_rules_that_undo_each_other_end_and_so_does_one_that_moves_to_and_fro(desk: Workplace) -> None:
    await rule(desk, "up", "priority-changed", {"do": "set-priority", "priority": 5}, when=has("priority", 1))
    await rule(desk, "down", "priority-changed", {"do": "set-priority", "priority": 1}, when=has("priority", 5))
    await rule(
        desk, "fro", "moved", {"do": "move", "queue": "it", "text": ""}, {"do": "move", "queue": "hr", "text": ""}
    )
    number = await opened(desk)
    await desk.done(number, "set-priority", {"priority": 5})
    await desk.done(number, "move", {"queue": "hr", "text": ""}, who=OLA)
    await settled(desk)
    changes = [event for event in await by_rules(desk, number) if isinstance(event.payload, PriorityChanged)]
    assert len(changes) == 5
    moves = [event for event in await by_rules(desk, number) if isinstance(event.payload, TicketMoved)]
    assert len(moves) == 2
    assert await desk.pool.fetchval("SELECT count(*) FROM routing.matches") == 0


@requirement("A9.02")
async def test_a_rules_doing_is_undone_like_a_persons(desk: Workplace) -> None:
    await rule(
        desk, "up", "opened", {"do": "set-priority", "priority": 5}, {"do": "assign", "owner": str(OLA.person_id)}
    )
    number = await opened(desk)
    await settled(desk)
    for event in await by_rules(desk, number):
        await desk.done(number, "undo", {"event": str(event.id)}, who=OLA)
    await settled(desk)
    state = await desk.state(number)
    assert (state.priority, state.owner) == (3, None)


@requirement("A9.02")
async def test_a_trigger_that_is_switched_off_or_retired_does_nothing(desk: Workplace) -> None:
    await rule(desk, "asleep", "opened", TAG, active=False)
    off, gone = await rule(desk, "off", "opened", TAG), await rule(desk, "gone", "opened", TAG)
    waiting_one = await opened(desk)
    await save(desk, off.model_copy(update={"active": False}), 2)
    await save(desk, gone, 2, retired=True)
    later = await opened(desk)
    await settled(desk)
    assert sorted(await left_out(desk, waiting_one)) == [
        ("all", "The rule was retired before it could act."),
        ("all", "The rule was switched off before it could act."),
    ]
    assert (await desk.state(waiting_one)).tags == ()
    assert await by_rules(desk, later) == []


@requirement("A9.02")
async def test_a_match_is_done_as_its_version_says(desk: Workplace) -> None:
    made = await rule(desk, "edited", "opened", TAG)
    number = await opened(desk)
    await save(desk, made.model_copy(update={"then": ({"do": "tag", "tags": ["new"]},), "name": "Edited"}), 2)
    await settled(desk)
    (done,) = await by_rules(desk, number)
    assert isinstance(done.payload, TagsAdded)
    assert (done.payload.tags, done.payload.by and done.payload.by.name) == (("seen",), "Rule edited")
    assert done.actor.id == f"{made.id}/1"


@requirement("A9.02")
async def test_a_trigger_whose_target_is_gone_is_suspended_once_and_the_event_is_not_lost(desk: Workplace) -> None:
    made = await rule(desk, "lost", "opened", {"do": "move", "queue": "hr"}, TAG)
    first, second = await opened(desk), await opened(desk)
    await save(desk, HR, 2, retired=True)
    await settled(desk)
    assert await left_out(desk, first) == [("move", "No such queue.")]
    assert (await desk.state(first)).tags == ("seen",)
    told = await desk.store.load(made.id)
    assert [event.type for event in told] == ["helpdesk.RuleSuspended.v1"]
    third = await opened(desk)
    await settled(desk)
    assert await left_out(desk, third) == [("all", "The rule is suspended, because it cannot do what it says.")]
    assert len(await desk.store.load(made.id)) == 1
    await save(desk, made.model_copy(update={"then": (TAG,)}), 2)
    fourth = await opened(desk)
    await settled(desk)
    assert (await desk.state(fourth)).tags == ("seen",)
    assert await left_out(desk, second)


@requirement("A9.02")
async def test_a_thousand_rules_act_once_each(desk: Workplace) -> None:
    for n in range(1000):
        if n % 100 == 0:
            await rule(desk, f"r{n}", "opened", {"do": "tag", "tags": [f"t{n}"]})
        else:
            await rule(desk, f"r{n}", "opened", {"do": "tag", "tags": [f"t{n}"]}, when=has("queue", "hr"))
    number = await opened(desk)
    await settled(desk)
    assert len((await desk.state(number)).tags) == 10


async def test_nothing_waits_when_nothing_has_matched(desk: Workplace) -> None:
    number = await opened(desk)
    await desk.done(number, "tag", {"tags": ["x"]})
    assert await desk.worker.work(100) == 0
    assert await waiting.Parked().parked(desk.pool) == []


@requirement("A9.02")
async def test_a_ticket_is_handled_by_one_unit_and_passed_on_to_the_next(desk: Workplace) -> None:
    """A sequential process: each unit tags its part as done, and the next one has the ticket."""
    await rule(
        desk, "to-hr", "tagged", {"do": "assign", "to": "nobody"}, {"do": "move", "queue": "hr"},
        {"do": "note", "text": "Checked by IT."}, when={"all": [has("queue", "it"), has("tag", "it-done")]},
    )  # fmt: skip
    await rule(
        desk, "to-secret", "tagged", {"do": "move", "queue": "secret"}, {"do": "set-state", "state": "open"},
        when={"all": [has("queue", "hr"), has("tag", "hr-done")]},
    )  # fmt: skip
    number = await opened(desk)
    for tag, queue in (("other", "it"), ("it-done", "hr"), ("hr-done", "secret")):
        await desk.done(number, "tag", {"tags": [tag]}, who=OLA)
        await settled(desk)
        state = await desk.state(number)
        assert state.queue is not None
        assert state.queue.slug == queue
    assert state.state.slug == "open"
    assert await left_out(desk, number) == []
