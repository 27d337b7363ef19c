"""A result takes the same rights whatever leads to it: a command, an undo, a form, a bulk command (decision 0092)."""

from uuid import UUID, uuid4

import pytest

from shared.contracts.directory import Member, Queue, TicketField
from shared.contracts.parts import PersonRef
from shared.contracts.routing import OwnerChanged, ResponsibleChanged, StateChanged, TicketMoved
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from shared.testing.documents import seed
from tests.services.routing.workplace import ADMIN, EVA, HR, IT, KARI, OLA, SECRET, Workplace
from tests.specs.requirement import requirement

KARI_REF, OLA_REF, EVA_REF = (PersonRef(id=who.person_id, name=who.name) for who in (KARI, OLA, EVA))


async def last(desk: Workplace, number: str) -> str:
    return str((await desk.events(number))[-1].id)


@requirement("A19.02")
async def test_undoing_a_move_needs_the_right_to_move_into_the_old_queue(desk: Workplace) -> None:
    number = await desk.ticket(SECRET)
    await desk.done(number, "move", {"queue": "it", "text": ""}, who=ADMIN)
    moved = await last(desk, number)
    plain = await desk.give(number, "move", {"queue": "secret"})
    undone = await desk.give(number, "undo", {"event": moved})
    assert (plain.status_code, undone.status_code) == (422, 422)
    assert undone.json()["errors"][0]["pointer"] == "/event"
    assert "Secret" not in undone.text
    assert (await desk.state(number)).queue == IT.ref
    await desk.done(number, "undo", {"event": moved}, who=OLA)
    assert (await desk.state(number)).queue == SECRET.ref


async def test_moving_into_a_visible_queue_without_the_right_is_forbidden_for_move_and_undo(desk: Workplace) -> None:
    reader = Member(person=KARI.person_id, rights=("read",))
    await _put(desk, HR.model_copy(update={"members": (reader,)}))
    number = await desk.ticket()
    stream, _ = await desk.operations.current(number)
    await desk.record(stream, TicketMoved(to=HR.ref, was=IT.ref), TicketMoved(to=IT.ref, was=HR.ref))
    plain = await desk.give(number, "move", {"queue": "hr"})
    undone = await desk.give(number, "undo", {"event": await last(desk, number)})
    assert (plain.status_code, undone.status_code) == (403, 403)


@requirement("A19.05")
@pytest.mark.parametrize(
    ("given", "command", "body"),
    [
        (OwnerChanged, "assign", {"owner": "eva"}),
        (OwnerChanged, "assign", {"owner": "previous"}),
        (ResponsibleChanged, "set-responsible", {"responsible": "eva"}),
        (OwnerChanged, "reply", {"text": "x", "owner": "eva"}),
        (OwnerChanged, "move", {"queue": "hr", "owner": "eva"}),
    ],
)
async def test_a_person_without_the_right_to_work_there_gets_no_ticket(
    desk: Workplace, given: type[OwnerChanged | ResponsibleChanged], command: str, body: dict[str, str]
) -> None:
    number = await desk.ticket()
    stream, _ = await desk.operations.current(number)
    await desk.record(stream, given(to=EVA_REF), given(to=OLA_REF, was=EVA_REF))
    before = await desk.kinds(number)
    plain = await desk.give(number, command, body)
    undone = await desk.give(number, "undo", {"event": await last(desk, number)})
    assert (plain.status_code, undone.status_code) == (409, 409)
    assert "Eva may not work" in plain.text
    assert "Eva may not work" in undone.text
    assert await desk.kinds(number) == before


async def test_a_person_who_has_left_gets_no_ticket_back(desk: Workplace) -> None:
    gone = PersonRef(id=UUID(int=99), name="Gro")
    number = await desk.ticket()
    stream, _ = await desk.operations.current(number)
    await desk.record(stream, OwnerChanged(to=gone), OwnerChanged(to=KARI_REF, was=gone))
    undone = await desk.give(number, "undo", {"event": await last(desk, number)})
    assert (undone.status_code, "Gro has left" in undone.text) == (409, True)


async def test_a_split_needs_the_right_to_create_in_its_queue(desk: Workplace) -> None:
    """Kari may read HR and move tickets into it, but not open tickets there."""
    number = await desk.ticket()
    led = {"body": {"articles": [str(uuid4())], "queue": "hr"}, "originals": [{"id": str(uuid4()), "channel": "email"}]}
    refused = await desk.give(number, "split", led, root="/internal/tickets")
    assert refused.status_code == 403
    await desk.done(number, "split", led, root="/internal/tickets", who=OLA)


async def test_a_note_with_a_state_needs_the_right_to_work(desk: Workplace) -> None:
    await _put(desk, IT.model_copy(update={"members": (Member(person=KARI.person_id, rights=("read", "note")),)}))
    number = await desk.ticket()
    await desk.done(number, "note", {"text": "only this"})
    refused = await desk.give(number, "note", {"text": "and more", "state": "open"})
    bulk = await desk.bulk([number], "note", {"text": "and more", "state": "open"})
    assert (refused.status_code, bulk.json()["items"][0]["status"]) == (403, 403)
    assert await desk.kinds(number) == ["TicketQueued", "NoteAdded"]


@requirement("A7.25")
async def test_an_undo_does_not_close_a_ticket_without_its_required_fields(desk: Workplace) -> None:
    floor = desk.operations.directory.configuration.fields["floor"]
    await _put(desk, floor.model_copy(update={"required_in": ("it",)}))
    number = await desk.ticket()
    stream, _ = await desk.operations.current(number)
    closed, opened = StateChanged(to=CLOSED_SUCCESSFUL, was=NEW), StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL)
    await desk.record(stream, closed, opened)
    undone = await desk.give(number, "undo", {"event": await last(desk, number)})
    assert (undone.status_code, "need a value: floor" in undone.text) == (409, True)


async def _put(desk: Workplace, document: Queue | TicketField) -> None:
    """Another version of a document."""
    await seed(desk.operations.directory.database_url, document)
    await desk.operations.directory.load()
