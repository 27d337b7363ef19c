"""The desk's commands over HTTP, on real PostgreSQL."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.routing.api.routes import ACTIONS
from services.routing.ticket import Ticket
from shared.contracts.directory import State, Template
from shared.contracts.parts import CustomerRef, PersonRef
from shared.contracts.routing import AgentReplied, CallRecorded, NoteAdded, OwnerChanged, TicketSplit
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN
from shared.testing.documents import seed
from shared.testing.samples import sample_body
from tests.services.routing.workplace import ADMIN, EVA, IT, KARI, OLA, PER, SECRET, Workplace
from tests.specs.requirement import requirement

OLA_REF = PersonRef(id=OLA.person_id, name="Ola")


@requirement("A7.06", "A7.09", "A16.01")
async def test_one_form_is_one_decision(desk: Workplace) -> None:
    number = await desk.ticket()
    form = {"text": "Try turning it off.", "state": "closed-successful", "time_units": 2.5}
    done = await desk.done(number, "reply", form)
    assert await desk.kinds(number) == [
        "TicketQueued", "AgentReplied", "OwnerChanged", "StateChanged", "TimeAccounted",
    ]  # fmt: skip
    state = await desk.state(number)
    assert (state.state, state.locked_by, done["version"]) == (CLOSED_SUCCESSFUL, None, 5)
    replied = (await desk.events(number))[1].payload
    assert isinstance(replied, AgentReplied)
    assert (replied.message.id, replied.message.to[0].email) == (UUID(done["article_id"]), PER.email)


DONE = State(id=UUID(int=41), slug="done", name="Done", type="pending_auto_close", close_after_hours=72)
STANDARD_STATES = (
    State(id=UUID(int=42), slug="open", name="open", type="open"),
    State(id=UUID(int=43), slug="closed-successful", name="closed successful", type="closed"),
)


@requirement("A5.03", "A5.07")
async def test_a_reply_leads_to_the_state_that_its_queue_says(desk: Workplace) -> None:
    """Unless the reply names another state. A changed setting counts from the next reply on."""

    async def after_reply(setting: str, **form: Any) -> Ticket:
        await seed(desk.operations.directory.database_url, IT.model_copy(update={"next_state_after_reply": setting}))
        await desk.operations.directory.load()
        number = await desk.ticket()
        await desk.done(number, "reply", {"text": "Try this.", **form})
        return await desk.state(number)

    await seed(desk.operations.directory.database_url, DONE, *STANDARD_STATES)
    before = datetime.now(UTC)
    waiting = await after_reply("done")
    assert (waiting.state.slug, waiting.locked_by) == ("done", PersonRef(id=KARI.person_id, name="Kari"))
    assert waiting.pending_until is not None
    wait = timedelta(hours=72)
    assert before + wait <= waiting.pending_until <= datetime.now(UTC) + wait
    closed = await after_reply("closed-successful")
    assert (closed.state.type, closed.locked_by) == ("closed", None)
    assert (await after_reply("done", state="open")).state == OPEN
    assert (await after_reply("open")).state == OPEN
    assert (await after_reply("no-longer-there")).state == OPEN


async def test_a_refused_command_changes_nothing(desk: Workplace) -> None:
    """If the last part of a form is refused, nothing of it is done."""
    number = await desk.ticket()
    refused = await desk.give(number, "reply", {"text": "x", "owner": "eva"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/rejected")
    assert await desk.kinds(number) == ["TicketQueued"]


async def test_the_same_key_is_done_once(desk: Workplace) -> None:
    number = await desk.ticket()
    first = await desk.give(number, "note", {"text": "x"}, key="one")
    again = await desk.give(number, "note", {"text": "x"}, key="one")
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await desk.give(number, "note", {"text": "y"}, key="one")
    assert other.status_code == 422
    assert (await desk.kinds(number)).count("NoteAdded") == 1


async def test_a_lost_update_is_refused_with_the_ticket_as_it_is(desk: Workplace) -> None:
    number = await desk.ticket()
    await desk.done(number, "set-priority", {"priority": 5})
    late = await desk.give(number, "close", {}, expected=1)
    assert late.status_code == 412
    assert late.json()["ticket"]["versions"] == {"routing": 2}
    blind = await desk.give(number, "close", {}, expected=1, who=KARI.model_copy(update={"scopes": ("write",)}))
    assert blind.status_code == 412
    assert "ticket" not in blind.json()


@requirement("A6.02", "A6.06")
async def test_another_agents_lock_refuses_work_and_can_be_taken_over(desk: Workplace) -> None:
    number = await desk.ticket()
    await desk.done(number, "lock")
    for command, body in (
        ("reply", {"text": "x"}), ("set-state", {"state": "open"}), ("move", {"queue": "hr"}), ("close", {}),
        ("set-priority", {"priority": 1}), ("assign", {"owner": "ola"}), ("rename", {"title": "x"}),
        ("set-fields", {"fields": {"a": 1}}), ("set-customer", {"customer": "per"}),
        ("call", {"direction": "in", "text": "x"}),
    ):  # fmt: skip
        refused = await desk.give(number, command, body, who=OLA)
        assert (command, refused.status_code) == (command, 409)
        assert "Kari is working on this ticket" in refused.text
    await desk.done(number, "note", {"text": "x"}, who=OLA)
    for command in ("tag", "untag"):
        await desk.done(number, command, {"tags": ["x"]}, who=OLA)
    without = await desk.give(number, "lock", {"take_over": True}, who=OLA)
    assert without.status_code == 422
    await desk.done(number, "lock", {"take_over": True, "text": "Kari is ill"}, who=OLA)
    state = await desk.state(number)
    assert state.locked_by is not None and state.locked_by.name == "Ola"
    assert state.owner is not None and state.owner.name == "Ola"


@requirement("A19.02", "A19.05")
async def test_a_ticket_that_may_not_be_seen_does_not_exist(desk: Workplace) -> None:
    hidden = await desk.ticket(SECRET)
    for who in (KARI, EVA):
        assert (await desk.give(hidden, "note", {"text": "x"}, who=who)).status_code == 404
    assert (await desk.give(hidden, "note", {"text": "x"}, who=PER)).status_code == 403
    mine = await desk.ticket()
    for command, body, pointer in (
        ("merge", {"into": hidden}, "/into"),
        ("link", {"to": hidden, "kind": "related"}, "/to"),
        ("move", {"queue": "secret"}, "/queue"),
    ):
        refused = await desk.give(mine, command, body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer), refused.text
    assert (await desk.give(mine, "assign", {"owner": "eva"})).status_code == 409
    assert (await desk.give(mine, "assign", {"owner": "nobody"})).json()["errors"][0]["pointer"] == "/owner"


@requirement("A3.06", "A3.08", "A3.10")
async def test_a_move_sets_note_owner_and_state(desk: Workplace) -> None:
    number = await desk.ticket()
    await desk.done(number, "lock")
    await desk.done(number, "move", {"queue": "hr", "owner": "ola", "text": "Yours, I think.", "state": "open"})
    state = await desk.state(number)
    assert state.queue is not None and state.queue.slug == "hr"
    assert (state.locked_by, state.state) == (None, OPEN)
    assert state.owner is not None and state.owner.name == "Ola"
    kinds = await desk.kinds(number)
    assert kinds[3:] == ["NoteAdded", "TicketMoved", "StateChanged", "OwnerChanged", "TicketUnlocked"]
    # Kari may not work there any more.
    assert (await desk.give(number, "close", {})).status_code == 403


@requirement("A3.08", "A7.23")
async def test_a_move_without_a_text_adds_a_note_that_says_so(desk: Workplace) -> None:
    async def notes(body: dict[str, Any]) -> list[str]:
        number = await desk.ticket()
        told = await desk.done(number, "move", body)
        written = [event.payload.message for event in await desk.events(number) if isinstance(event.payload, NoteAdded)]
        assert told.get("article_id") == (str(written[0].id) if written else None)
        return [message.text for message in written]

    assert await notes({"queue": "hr"}) == ["This ticket was moved to the new queue."]
    assert await notes({"queue": "hr", "text": "Yours?"}) == ["Yours?"]
    assert await notes({"queue": "hr", "text": ""}) == []
    assert await notes({"queue": "it"}) == []


@requirement("A6.10", "A19.05")
async def test_a_previous_owner_who_has_left_gets_no_ticket(desk: Workplace) -> None:
    number = await desk.ticket()
    await desk.done(number, "lock")
    await desk.done(number, "assign", {"owner": "ola"})
    stream = await desk.operations.find(number)
    assert stream is not None
    gone = PersonRef(id=UUID(int=99), name="Gone")
    await desk.record(stream, OwnerChanged(to=OLA_REF, was=gone))
    refused = await desk.give(number, "assign", {"owner": "previous"}, who=OLA)
    assert (refused.status_code, "Gone" in refused.json()["detail"]) == (409, True)
    await desk.record(stream, OwnerChanged(to=OLA_REF, was=PersonRef(id=EVA.person_id, name="Eva")))
    assert (await desk.give(number, "assign", {"owner": "previous"}, who=OLA)).status_code == 409
    await desk.record(stream, OwnerChanged(to=OLA_REF, was=PersonRef(id=KARI.person_id, name="Kari")))
    await desk.done(number, "assign", {"owner": "previous"}, who=OLA)
    state = await desk.state(number)
    assert state.owner is not None and state.owner.name == "Kari"


@requirement("A6.11", "A6.12")
async def test_somebody_who_may_work_there_is_made_responsible(desk: Workplace) -> None:
    number = await desk.ticket()
    await desk.done(number, "lock", who=OLA)
    await desk.done(number, "set-responsible", {"responsible": "kari"})
    state = await desk.state(number)
    assert state.responsible is not None and state.responsible.name == "Kari"
    assert (await desk.give(number, "set-responsible", {"responsible": "eva"})).status_code == 409
    for body in ({"responsible": "nobody"}, {}, {"responsible": 3}):
        refused = await desk.give(number, "set-responsible", body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/responsible")
    await desk.done(number, "set-responsible", {"responsible": None})
    assert (await desk.state(number)).responsible is None


@requirement("A7.19")
async def test_merges_chains_and_their_undo(desk: Workplace) -> None:
    one, two, three = [await desk.ticket() for _ in range(3)]
    await desk.done(one, "merge", {"into": two})
    await desk.done(two, "merge", {"into": three})
    into = [(await desk.state(number)).merged_into for number in (one, two)]
    assert into == [await desk.operations.find(two), await desk.operations.find(three)]
    four = await desk.ticket()
    await desk.done(four, "merge", {"into": one})  # one is merged: its living end takes it
    assert (await desk.state(four)).merged_into == await desk.operations.find(three)
    assert (await desk.give(three, "merge", {"into": three})).status_code == 409
    assert (await desk.give(three, "merge", {"into": one})).status_code == 409  # would lead to itself
    merged = next(event for event in await desk.events(two) if event.type == "helpdesk.TicketMerged.v1")
    await desk.done(two, "undo", {"event": str(merged.id)})
    assert (await desk.state(two)).merged_into is None
    assert set((await desk.state(three)).absorbed) == {await desk.operations.find(four)}
    again = await desk.give(two, "undo", {"event": str(merged.id)})
    assert again.status_code == 409


async def test_two_agents_merge_in_opposite_directions(desk: Workplace) -> None:
    """One is first, the other is refused, and no ticket is lost."""
    one, two = await desk.ticket(), await desk.ticket()
    answers = await asyncio.gather(
        desk.give(one, "merge", {"into": two}), desk.give(two, "merge", {"into": one}, who=OLA)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409], [answer.text for answer in answers]
    merged = [(await desk.state(number)).merged_into for number in (one, two)]
    assert merged.count(None) == 1


@requirement("A7.16", "A7.17")
async def test_a_split_and_its_undo(desk: Workplace) -> None:
    number = await desk.ticket()
    article = str(uuid4())
    original = {"id": article, "channel": "email", "text": "And my chair squeaks.", "subject": "Two things"}
    led = {"body": {"articles": [article], "subject": "Chair"}, "originals": [original]}
    done = await desk.done(number, "split", led, root="/internal/tickets")
    made = UUID(done["ticket"]["id"])
    split = next(event for event in await desk.events(number) if event.type == "helpdesk.TicketSplit.v1")
    assert (split.payload.into, split.payload.title, split.payload.message.text) == (  # type: ignore[attr-defined]
        made, "Chair", "And my chair squeaks.",
    )  # fmt: skip
    # The new ticket comes by way of intake; here it is put in its queue at once.
    queued = (await desk.events(number))[0].payload
    await desk.record(made, queued.model_copy(update={"number": "2026112310999999"}))
    await desk.done(number, "undo", {"event": str(split.id)})
    assert (await desk.state(str(made))).state.type == "removed"
    refused = await desk.give(str(made), "note", {"text": "x"})
    assert (refused.status_code, "removed" in refused.text) == (409, True)


LONG = "\u0414\u043b\u0438\u043d\u043d\u044b\u0439 \u0442\u0435\u043a\u0441\u0442. " * 20_000
"""A text of 280 000 letters, which take twice as many bytes."""


def article(text: str) -> dict[str, Any]:
    return {"id": str(uuid4()), "channel": "email", "text": text, "subject": "Two things"}


@requirement("A7.16")
async def test_a_split_of_many_long_articles_keeps_every_word(desk: Workplace) -> None:
    number = await desk.ticket()
    blob = await desk.operations.uploads.store.put(LONG.encode(), "text/plain; charset=utf-8")
    cut = article(LONG[:1_000]) | {"text_blob": blob.model_dump()}
    originals = [cut, *(article(f"{n} " + "\u0436" * 30_000) for n in range(19))]
    led = {"body": {"articles": [each["id"] for each in originals]}, "originals": originals}
    await desk.done(number, "split", led, root="/internal/tickets")
    split = next(event.payload for event in await desk.events(number) if isinstance(event.payload, TicketSplit))
    assert split.message.text_blob is not None
    whole = (await desk.operations.uploads.store.get(split.message.text_blob.sha256)).decode()
    assert whole == "\n\n".join([LONG, *(each["text"] for each in originals[1:])])
    assert whole.startswith(split.message.text) and len(split.message.text.encode()) <= 64 * 1024


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("note", {}),
        ("reply", {}),
        ("call", {"direction": "in"}),
        ("move", {"queue": "hr"}),
        ("close", {}),
        ("assign", {"owner": "ola"}),
    ],
)
@requirement("A7.10")
async def test_a_long_text_of_any_command_is_stored_in_a_blob(
    desk: Workplace, command: str, more: dict[str, Any]
) -> None:
    number = await desk.ticket()
    done = await desk.done(number, command, {"text": LONG, **more})
    (message,) = [
        event.payload.message
        for event in await desk.events(number)
        if isinstance(event.payload, NoteAdded | AgentReplied | CallRecorded)
    ]
    assert str(message.id) == done["article_id"]
    assert message.text_blob is not None
    assert (await desk.operations.uploads.store.get(message.text_blob.sha256)).decode() == LONG
    assert LONG.startswith(message.text) and 1_000 < len(message.text.encode()) <= 64 * 1024


async def test_an_event_that_is_too_large_for_the_log_is_refused_with_its_size(desk: Workplace) -> None:
    number = await desk.ticket()
    blob = {"sha256": "0" * 64, "size": 1, "type": "image/png"}

    def pictures() -> list[dict[str, Any]]:
        return [{"id": str(uuid4()), "name": f"picture {n}.png", "blob": blob} for n in range(100)]

    originals = [article("see the pictures") | {"attachments": pictures()} for _ in range(50)]
    led = {"body": {"articles": [each["id"] for each in originals]}, "originals": originals}
    answer = await desk.give(number, "split", led, root="/internal/tickets")
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    assert "bytes" in answer.json()["detail"]
    assert "TicketSplit" not in await desk.kinds(number)


async def test_moves_states_and_closings_are_undone(desk: Workplace) -> None:
    number = await desk.ticket()

    async def last(kind: str) -> str:
        return str([event for event in await desk.events(number) if kind in event.type][-1].id)

    await desk.done(number, "move", {"queue": "hr"}, who=ADMIN)
    await desk.done(number, "undo", {"event": await last("TicketMoved")}, who=ADMIN)
    state = await desk.state(number)
    assert state.queue is not None and state.queue.slug == "it"
    await desk.done(number, "close", {"text": "Done."})
    closing = await last("StateChanged")
    await desk.done(number, "undo", {"event": closing})
    assert (await desk.state(number)).state.type == "new"
    gone = await desk.give(number, "undo", {"event": closing})
    assert (gone.status_code, "changed later" in gone.text) == (409, True)
    nothing = await desk.give(number, "undo", {"event": str(uuid4())})
    assert nothing.json()["errors"][0]["pointer"] == "/event"


@requirement("A7.28", "A21.12")
async def test_the_customer_of_a_ticket_is_changed(desk: Workplace) -> None:
    number = await desk.ticket(customer=CustomerRef(id=uuid4(), email="x@y.example"))
    await desk.done(number, "set-customer", {"customer": "per"})
    state = await desk.state(number)
    assert state.customer is not None and (state.customer.id, state.customer.name) == (PER.person_id, "Per")
    await desk.done(number, "set-customer", {"customer": "New@Person.Example"})
    customer = (await desk.state(number)).customer
    assert customer is not None and customer.email == "new@person.example"
    assert (await desk.give(number, "set-customer", {"customer": "nobody"})).status_code == 422


LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
BAD: list[tuple[str, dict[str, Any], int, str]] = [
    ("set-state", {"state": "unknown"}, 422, "/state"),
    ("set-state", {"state": "new"}, 422, "/state"),
    ("set-state", {"state": "merged"}, 422, "/state"),
    ("set-state", {"state": "pending-reminder"}, 422, "/pending_until"),
    ("set-state", {"state": "pending-reminder", "pending_until": "2020-01-01T00:00:00Z"}, 422, "/pending_until"),
    ("set-state", {"state": "pending-reminder", "pending_until": "9999-01-01T00:00:00Z"}, 422, "/pending_until"),
    ("set-state", {"state": "pending-reminder", "pending_until": "12026-01-01T00:00:00Z"}, 422, "/pending_until"),
    ("set-state", {"state": "open", "pending_until": LATER}, 422, "/pending_until"),
    ("set-fields", {"fields": {"floor": "third"}}, 422, "/fields/floor"),
    ("set-fields", {"fields": {"x": {"y": 1}}}, 422, ""),
    ("set-priority", {"priority": 6}, 422, "/priority"),
    ("set-priority", {"priority": True}, 422, "/priority"),
    ("tag", {"tags": [f"tag {n}" for n in range(1_500)]}, 422, "/tags"),
    ("tag", {"tags": [" "]}, 422, "/tags/0"),
    ("reply", {"text": " "}, 422, "/text"),
    ("reply", {"text": "x", "to": ["not an address"]}, 422, "/to/0"),
    ("reply", {"text": "x", "template": "nothing"}, 422, "/template"),
    ("reply", {"text": "x", "attachments": [str(uuid4())]}, 422, "/attachments/0"),
    ("reply", {"text": "x", "time_units": -1}, 422, "/time_units"),
    ("rename", {"title": "  "}, 422, "/title"),
    ("move", {"queue": "nowhere"}, 422, "/queue"),
    ("link", {"to": "2020010110000001"}, 422, "/to"),
    ("merge", {"into": "not a ticket"}, 422, "/into"),
    ("reopen", {}, 409, ""),
    ("assign", {"owner": "previous"}, 409, ""),
    ("reply", {"text": "x", "surprise": 1}, 422, "/surprise"),
]


async def test_bad_input_gets_a_clear_answer_and_changes_nothing(desk: Workplace) -> None:
    number = await desk.ticket()
    for command, body, status, pointer in BAD:
        answer = await desk.give(number, command, body)
        assert answer.status_code == status, (command, body, answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")
        if pointer:
            assert pointer in [error["pointer"] for error in answer.json()["errors"]], (command, body, answer.text)
    assert await desk.kinds(number) == ["TicketQueued"]


async def test_bulk_gives_each_ticket_its_own_result(desk: Workplace) -> None:
    tickets = [await desk.ticket() for _ in range(20)]
    hidden, locked = await desk.ticket(SECRET), tickets[3]
    await desk.done(locked, "lock", who=OLA)
    asked = [*tickets, hidden, "2020010110000001", "nonsense"]
    answer = await desk.bulk(asked, "set-priority", {"priority": 5}, key="many")
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["ticket"] for item in items] == asked
    assert {item["status"] for item in items[:20] if item["ticket"] != locked} == {200}
    assert [items[3]["status"], *(item["status"] for item in items[20:])] == [409, 404, 404, 404]
    assert "Ola is working" in items[3]["problem"]["detail"]
    assert (await desk.state(tickets[0])).locked_by is None  # bulk locks nothing
    again = await desk.bulk(asked, "set-priority", {"priority": 5}, key="many")
    assert [item["status"] for item in again.json()["items"]] == [item["status"] for item in items]
    assert (await desk.kinds(tickets[0])).count("PriorityChanged") == 1


async def test_an_invalid_bulk_command_is_refused(desk: Workplace) -> None:
    number = await desk.ticket()
    assert (await desk.bulk([number], "explode", {})).json()["errors"][0]["pointer"] == "/command"
    assert (await desk.bulk([number] * 201, "close", {})).status_code == 422
    wrong = await desk.bulk([number], "set-priority", {"priority": 9})
    assert wrong.json()["errors"][0]["pointer"] == "/body/priority"


@requirement("A8.01")
async def test_a_standard_answer_to_somebody_without_a_name_calls_them_by_their_address(desk: Workplace) -> None:
    greeting = Template(
        id=UUID(int=31), slug="thanks", name="Thanks", subject="To {{ customer.name }}", text="Hei {{ customer.name }}!"
    )
    await seed(desk.operations.directory.database_url, greeting)
    await desk.operations.directory.load()
    number = await desk.ticket(customer=CustomerRef(id=UUID(int=32), email="nobody@customer.example"))
    await desk.done(number, "reply", {"template": "thanks"})
    (answered,) = [event.payload for event in await desk.events(number) if isinstance(event.payload, AgentReplied)]
    assert answered.message.text == "Hei nobody@customer.example!"
    assert answered.message.subject == "To nobody@customer.example"


async def test_every_command_checks_the_rights(desk: Workplace) -> None:
    """An agent without a right on the queue gets 404 from every command."""
    number, other = await desk.ticket(), await desk.ticket()
    for command, action in ACTIONS.items():
        bodies: dict[str, dict[str, Any]] = {
            "reply": {"text": "x"}, "note": {"text": "x"}, "call": {"direction": "in", "text": "x"},
            "assign": {"owner": "kari"}, "set-responsible": {"responsible": None}, "move": {"queue": "it"},
            "set-priority": {"priority": 1}, "set-state": {"state": "open"}, "rename": {"title": "x"},
            "set-fields": {"fields": {"a": 1}},
            "set-customer": {"customer": "per"}, "tag": {"tags": ["x"]}, "untag": {"tags": ["x"]},
            "link": {"to": other}, "unlink": {"to": other}, "merge": {"into": other}, "undo": {"event": str(uuid4())},
            **{name: {} for name in ("lock", "unlock", "close", "reopen")},
        }  # fmt: skip
        body = bodies[command] if command in bodies else sample_body(action.body)
        answer = await desk.give(number, command, body, who=EVA)
        assert answer.status_code == 404, (command, answer.text)
    assert await desk.kinds(number) == ["TicketQueued"]


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("assign", {"owner": "{}"}),
        ("reply", {"text": "x", "owner": "{}"}),
        ("move", {"queue": "{}"}),
        ("move", {"queue": "it", "owner": "{}"}),
        ("set-responsible", {"responsible": "{}"}),
        ("set-customer", {"customer": "{}"}),
        ("link", {"to": "{}", "kind": "related"}),
        ("merge", {"into": "{}"}),
        ("set-fields", {"fields": {"{}": 1}}),
        ("set-state", {"state": "{}"}),
    ],
)
async def test_a_customer_learns_from_no_command_who_and_what_there_is(
    desk: Workplace, command: str, body: dict[str, Any]
) -> None:
    """Their own ticket is 403 and another's 404, whether or not what the body names exists."""
    own, hidden = await desk.ticket(), await desk.ticket(SECRET, customer=CustomerRef(id=uuid4(), email="x@y.example"))

    def naming(name: str) -> dict[str, Any]:
        return json.loads(json.dumps(body).replace("{}", name))  # type: ignore[no-any-return]

    for name in ("kari", "kari@help.example", "nobody-at-all", "secret", hidden, "2026010110999999", "floor", "open"):
        for ticket, status in ((own, 403), (hidden, 404)):
            answer = await desk.give(ticket, command, naming(name), who=PER)
            assert answer.status_code == status, (name, answer.text)
        (in_bulk,) = (await desk.bulk([own], command, naming(name), who=PER)).json()["items"]
        assert in_bulk["status"] == 403
