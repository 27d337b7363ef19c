"""Macros: several actions at once, all or nothing (A8.06)."""

from typing import Any

from shared.contracts.routing import AgentReplied
from tests.services.routing.triggers import KNOWN, has, macro, opened, rule, save, settled
from tests.services.routing.workplace import EVA, HR, KARI, OLA, PER, Workplace, person
from tests.specs.requirement import requirement

ALL_OF_IT: tuple[dict[str, Any], ...] = (
    {"do": "set-priority", "priority": 4},
    {"do": "tag", "tags": ["mac"]},
    {"do": "note", "text": "by macro"},
    {"do": "reply", "template": "known"},
)


async def saved(desk: Workplace, slug: str, *then: dict[str, Any], queues: tuple[str, ...] = ()) -> None:
    await save(desk, KNOWN)
    await save(desk, macro(slug, *then, queues=queues))


@requirement("A8.06")
async def test_a_macro_does_all_it_says_as_the_person_who_gave_it(desk: Workplace) -> None:
    await saved(desk, "mac", *ALL_OF_IT, queues=("it",))
    number = await opened(desk)
    await desk.done(number, "macro", {"macro": "mac"})
    state = await desk.state(number)
    assert (state.priority, state.tags, state.owner, state.locked_by) == (4, ("mac",), person(KARI), person(KARI))
    given = (await desk.events(number))[1:]
    assert {event.actor.id for event in given} == {str(KARI.person_id)}
    reply = next(event.payload for event in given if isinstance(event.payload, AgentReplied))
    assert reply.message.text == f"We know of {number}."
    assert [each.email for each in reply.message.to] == [PER.email]


@requirement("A8.06")
async def test_nothing_of_a_macro_happens_if_one_action_is_refused(desk: Workplace) -> None:
    await saved(desk, "torn", {"do": "tag", "tags": ["torn"]}, {"do": "assign", "owner": str(EVA.person_id)})
    number = await opened(desk)
    before = await desk.kinds(number)
    answer = await desk.give(number, "macro", {"macro": "torn"})
    assert answer.status_code == 409
    assert "Eva may not work" in answer.json()["detail"]
    assert await desk.kinds(number) == before


@requirement("A8.06")
async def test_a_macro_in_bulk_is_all_or_nothing_for_each_ticket_and_locks_none(desk: Workplace) -> None:
    await saved(desk, "mac", *ALL_OF_IT, queues=("it",))
    free, locked, far = await opened(desk), await opened(desk), await opened(desk, queue=HR)
    await desk.done(locked, "lock", who=OLA)
    answer = await desk.bulk([free, locked, far, "2011010110000011"], "macro", {"macro": "mac"}, who=OLA)
    assert [each["status"] for each in answer.json()["items"]] == [200, 200, 409, 404]
    assert (await desk.state(free)).locked_by is None
    answer = await desk.bulk([free, locked, far], "macro", {"macro": "mac"})
    assert [each["status"] for each in answer.json()["items"]] == [200, 409, 403]
    assert (await desk.state(far)).tags == ()


@requirement("A8.06")
async def test_a_macro_takes_the_rights_of_what_it_does(desk: Workplace) -> None:
    await saved(desk, "tags", {"do": "tag", "tags": ["x"]}, {"do": "set-priority", "priority": 1})
    await saved(desk, "mine", {"do": "tag", "tags": ["x"]}, queues=("secret",))
    number, far = await opened(desk), await opened(desk, queue=HR)
    for who, ref, slug, status in (
        (KARI, far, "tags", 403),  # she may read there
        (EVA, number, "tags", 404),
        (PER, number, "tags", 403),
        (KARI, number, "none", 422),
        (KARI, number, "mine", 422),  # of a queue that she does not know of
        (OLA, number, "mine", 409),
        (OLA, far, "tags", 200),
    ):
        answer = await desk.give(ref, "macro", {"macro": slug}, who=who)
        assert answer.status_code == status, (who.login, slug, answer.text)
        if status == 422:
            assert [each["pointer"] for each in answer.json()["errors"]] == ["/macro"]


@requirement("A8.06")
async def test_each_action_takes_its_right_where_the_ones_before_have_put_the_ticket(desk: Workplace) -> None:
    await saved(desk, "away", {"do": "set-fields", "fields": {"floor": 3}}, {"do": "move", "queue": "hr"})
    await saved(desk, "further", {"do": "move", "queue": "hr"}, {"do": "set-priority", "priority": 1})
    number, other = await opened(desk), await opened(desk)
    await desk.done(number, "macro", {"macro": "away"})
    state = await desk.state(number)
    assert state.queue is not None
    assert (state.queue.slug, state.owner, state.locked_by) == ("hr", person(KARI), None)
    assert (await desk.give(other, "macro", {"macro": "further"})).status_code == 403
    await desk.done(other, "macro", {"macro": "further"}, who=OLA)
    assert (await desk.state(other)).priority == 1


@requirement("A8.06")
async def test_a_macro_that_comes_again_is_done_once(desk: Workplace) -> None:
    await saved(desk, "note", {"do": "note", "text": "x"}, {"do": "note", "text": "y"})
    number = await opened(desk)
    first = await desk.give(number, "macro", {"macro": "note"}, key="once")
    again = await desk.give(number, "macro", {"macro": "note"}, key="once")
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await desk.kinds(number)).count("NoteAdded") == 2
    stale = await desk.give(number, "macro", {"macro": "note"}, expected=1)
    assert stale.status_code == 412


@requirement("A8.06", "A9.02")
async def test_triggers_answer_what_a_macro_does_step_by_step(desk: Workplace) -> None:
    await saved(desk, "steps", {"do": "tag", "tags": ["x"]}, {"do": "set-priority", "priority": 5})
    await rule(desk, "tagged", "tagged", {"do": "note", "text": "normal"}, when=has("priority", 3))
    number = await opened(desk)
    await desk.done(number, "macro", {"macro": "steps"})
    await settled(desk)
    assert (await desk.kinds(number)).count("NoteAdded") == 1


@requirement("A8.06")
async def test_a_macro_that_names_what_is_gone_says_so(desk: Workplace) -> None:
    await saved(desk, "gone", {"do": "tag", "tags": ["x"]}, {"do": "move", "queue": "hr"})
    number = await opened(desk)
    await save(desk, HR, 2, retired=True)
    answer = await desk.give(number, "macro", {"macro": "gone"}, who=OLA)
    assert answer.status_code == 409, answer.text
    assert (await desk.state(number)).tags == ()
