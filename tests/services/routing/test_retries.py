"""A repeated command gets its first response, whatever has become of its ticket.

Of a bulk command, each ticket has its own response.
"""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from services.routing.api import bulk
from shared.contracts.routing import ArticleForwarded, NoteAdded
from shared.runtime import failpoints
from shared.testing.progress import until
from tests.services.routing.workplace import ADMIN, EVA, HR, IT, KARI, OLA, SECRET, Workplace
from tests.specs.requirement import requirement


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


async def hide(desk: Workplace, number: str) -> None:
    """Moves a ticket to where Kari sees nothing."""
    await desk.done(number, "unlock", who=ADMIN)
    await desk.done(number, "move", {"queue": SECRET.slug}, who=ADMIN)
    assert (await desk.give(number, "note", {"text": "anybody?"})).status_code == 404


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("note", {"text": "seen"}),
        ("reply", {"text": "done"}),
        ("call", {"direction": "out", "text": "rang"}),
        ("set-priority", {"priority": 5}),
        ("assign", {"owner": "ola", "text": "yours"}),
        ("move", {"queue": HR.slug}),
        ("close", {}),
        ("tag", {"tags": ["printer"]}),
    ],
)
async def test_a_retry_gets_its_first_response_though_the_ticket_is_now_hidden(
    desk: Workplace, command: str, body: dict[str, Any]
) -> None:
    number = await desk.ticket()
    first = await desk.give(number, command, body, key="once")
    assert first.status_code == 200, first.text
    await hide(desk, number)
    kinds = await desk.kinds(number)
    again = await desk.give(number, command, body, key="once")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["X-Consistency-Token"] == first.headers["X-Consistency-Token"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await desk.kinds(number) == kinds


async def test_a_retried_merge_or_undo_gets_its_first_response_though_the_other_ticket_is_now_hidden(
    desk: Workplace,
) -> None:
    one, other = await desk.ticket(), await desk.ticket()
    merged = await desk.give(one, "merge", {"into": other}, key="merge")
    event = (await desk.events(one))[-1].id
    undone = await desk.give(one, "undo", {"event": str(event)}, key="undo")
    assert (merged.status_code, undone.status_code) == (200, 200)
    await hide(desk, other)
    assert (await desk.give(one, "merge", {"into": other}, key="merge")).json() == merged.json()
    assert (await desk.give(one, "undo", {"event": str(event)}, key="undo")).json() == undone.json()


async def test_a_retry_succeeds_though_the_person_that_it_names_has_left(desk: Workplace) -> None:
    number = await desk.ticket()
    first = await desk.give(number, "set-responsible", {"responsible": "ola"}, key="once")
    assert first.status_code == 200, first.text
    await desk.pool.execute("UPDATE directory.documents SET retired = true WHERE slug = 'ola'")
    assert (await desk.give(number, "set-responsible", {"responsible": "ola"})).status_code == 422
    assert (await desk.give(number, "set-responsible", {"responsible": "ola"}, key="once")).json() == first.json()


async def test_a_key_belongs_to_one_person_and_one_request(desk: Workplace) -> None:
    number = await desk.ticket()
    await desk.done(number, "note", {"text": "mine"}, key="shared")
    await hide(desk, number)
    assert (await desk.give(number, "note", {"text": "mine"}, key="shared", who=EVA)).status_code == 404
    other = await desk.give(number, "note", {"text": "something else"}, key="shared")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


def original(article: str, **more: Any) -> dict[str, Any]:
    """An article of the customer, as reporting has it."""
    written = {"written_by": "customer", "author": "Per", "internal": False}
    return {"id": article, "channel": "email", "subject": "Broken", "text": "It hums."} | written | more


@requirement("A7.14", "A7.16")
@pytest.mark.parametrize("command", ["forward", "bounce", "split"])
async def test_a_command_about_articles_is_identified_by_what_its_sender_sent(desk: Workplace, command: str) -> None:
    """When the request is repeated, the gateway may add something else, or nothing."""
    number, article = await desk.ticket(), str(uuid4())
    bodies: dict[str, dict[str, Any]] = {
        "forward": {"article": article, "to": ["x@elsewhere.example"], "text": "please"},
        "bounce": {"article": article, "to": ["x@elsewhere.example"]},
        "split": {"articles": [article]},
    }
    body = bodies[command]

    async def led(content: dict[str, Any], originals: Any, key: str = "once") -> Any:
        sent = {"body": content, "originals": originals}
        return await desk.give(number, command, sent, key=key, root="/internal/tickets")

    first = await led(body, [original(article)])
    assert first.status_code == 200, first.text
    later = original(article, reading_notes=["read again"], message_id="<9@example.org>")
    again = await led(dict(reversed(body.items())), [later])
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    await hide(desk, number)
    assert (await led(body, None)).json() == first.json()
    assert (await led(body, None, key="another")).status_code == 404
    changed = await led(body | {"to": ["y@elsewhere.example"]}, None)
    assert (changed.status_code, changed.json()["type"]) == (422, "/problems/idempotency-key-reused")


@requirement("A3.06", "A7.14")
@pytest.mark.parametrize("command", ["move", "forward"])
@pytest.mark.parametrize("lost", ["request", "response"])
async def test_a_move_or_forward_that_failed_on_the_way_is_done_once(desk: Workplace, command: str, lost: str) -> None:
    number, article = await desk.ticket(), str(uuid4())
    forwarded = {"article": article, "to": ["x@elsewhere.example"], "text": "please"}
    ways: dict[str, tuple[str, dict[str, Any], str]] = {
        "move": ("/api/v1/tickets", {"queue": HR.slug}, "TicketMoved"),
        "forward": ("/internal/tickets", {"body": forwarded, "originals": [original(article)]}, "ArticleForwarded"),
    }
    root, body, event = ways[command]
    failpoints.arm(f"append.{'before' if lost == 'request' else 'after'}_commit=raise@1")
    first = await desk.give(number, command, body, key="once", root=root)
    assert first.status_code == (503 if lost == "request" else 200), first.text
    failpoints.arm("")
    second = await desk.give(number, command, body, key="once", root=root)
    third = await desk.give(number, command, body, key="once", root=root)
    assert (second.status_code, third.json()) == (200, second.json())
    assert third.headers["Idempotent-Replayed"] == "true"
    assert (await desk.kinds(number)).count(event) == 1
    (written,) = [
        each.payload.message.id
        for each in await desk.events(number)
        if isinstance(each.payload, NoteAdded | ArticleForwarded)
    ]
    assert str(written) == second.json()["article_id"]


async def test_a_repeated_bulk_command_completes_the_tickets_that_failed(
    desk: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PATIENCE_SECONDS", 0.1)
    tickets = [await desk.ticket() for _ in range(12)]
    failpoints.arm("append.before_commit=raise@6")  # the first is the request itself
    first = await desk.bulk(tickets, "set-priority", {"priority": 5}, key="many")
    assert first.status_code == 200
    items = first.json()["items"]
    assert [item["ticket"] for item in items] == tickets
    done = [item for item in items if item["status"] == 200]
    failed = [item for item in items if item["status"] == 503]
    assert len(done) == 4 and len(done) + len(failed) == 12
    assert {item["problem"]["type"] for item in failed} == {"/problems/unavailable"}
    failpoints.arm("")
    again = (await desk.bulk(tickets, "set-priority", {"priority": 5}, key="many")).json()["items"]
    assert {item["status"] for item in again} == {200}
    assert all(item in again for item in done)
    for number in tickets:
        assert (await desk.kinds(number)).count("PriorityChanged") == 1


async def test_tickets_that_are_not_begun_in_time_are_left_for_a_repeat(
    desk: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [await desk.ticket() for _ in range(3)]
    with monkeypatch.context() as away:
        away.setattr(bulk, "PATIENCE_SECONDS", -1.0)
        late = (await desk.bulk(tickets, "close", {}, key="late")).json()["items"]
    assert {item["status"] for item in late} == {503}
    done = (await desk.bulk(tickets, "close", {}, key="late")).json()["items"]
    assert {item["status"] for item in done} == {200}


async def test_a_temporary_failure_is_retried_within_the_bulk_command(desk: Workplace) -> None:
    tickets = [await desk.ticket() for _ in range(6)]
    failpoints.arm("append.before_commit=raise@3")
    running = asyncio.create_task(desk.bulk(tickets, "tag", {"tags": ["fire"]}))

    async def failed() -> bool:
        return failpoints.hits("append.before_commit") > 6

    await until(failed)
    failpoints.arm("")
    items = (await running).json()["items"]
    assert {item["status"] for item in items} == {200}


async def test_a_lost_confirmation_of_the_database_is_not_a_failure(desk: Workplace) -> None:
    tickets = [await desk.ticket() for _ in range(6)]
    failpoints.arm("append.after_commit=raise@2")
    items = (await desk.bulk(tickets, "note", {"text": "x"})).json()["items"]
    assert {item["status"] for item in items} == {200}
    for number in tickets:
        assert (await desk.kinds(number)).count("NoteAdded") == 1


async def test_an_internal_error_on_one_ticket_is_its_result(desk: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = [await desk.ticket() for _ in range(5)]
    rename = desk.operations.runner.decider.decide

    def broken(command: Any, state: Any) -> Any:
        if state.number == tickets[2]:
            raise ValueError("a bug")
        return rename(command, state)

    monkeypatch.setattr(desk.operations.runner.decider, "decide", broken)
    items = (await desk.bulk(tickets, "rename", {"title": "New"})).json()["items"]
    assert [item["status"] for item in items] == [200, 200, 500, 200, 200]


@requirement("A7.19")
async def test_many_tickets_are_merged_into_one_by_two_people_at_once(desk: Workplace) -> None:
    target = await desk.ticket()
    tickets = [await desk.ticket() for _ in range(50)]
    answers = await asyncio.gather(
        desk.bulk(tickets[:25], "merge", {"into": target}), desk.bulk(tickets[25:], "merge", {"into": target}, who=OLA)
    )
    for answer in answers:
        assert {item["status"] for item in answer.json()["items"]} == {200}
    stream = await desk.operations.find(target)
    assert {(await desk.state(number)).merged_into for number in tickets} == {stream}
    assert (await desk.kinds(target)).count("TicketAbsorbed") == 50


@requirement("A7.19")
async def test_a_bulk_merge_gives_each_ticket_its_own_result_and_a_repeat_the_same(desk: Workplace) -> None:
    target, one, two, hidden = [*[await desk.ticket() for _ in range(3)], await desk.ticket(SECRET)]
    merged = await desk.ticket()
    await desk.done(merged, "merge", {"into": one})
    tickets = [one, target, hidden, merged, two, one]
    first = (await desk.bulk(tickets, "merge", {"into": target}, key="merge")).json()["items"]
    assert [item["status"] for item in first] == [200, 409, 404, 409, 200, 200]
    again = (await desk.bulk(tickets, "merge", {"into": target}, key="merge")).json()["items"]
    assert [(item["ticket"], item["status"], item.get("version")) for item in again] == [
        (item["ticket"], item["status"], item.get("version")) for item in first
    ]
    stream = await desk.operations.find(target)
    assert [(await desk.state(number)).merged_into for number in (one, two)] == [stream, stream]
    assert set((await desk.state(target)).absorbed) == {
        await desk.operations.find(one), await desk.operations.find(two),
    }  # fmt: skip
    assert (await desk.kinds(target)).count("TicketAbsorbed") == 2


async def test_many_tickets_are_linked_to_one_at_once(desk: Workplace) -> None:
    target = await desk.ticket(IT)
    tickets = [await desk.ticket() for _ in range(30)]
    items = (await desk.bulk(tickets, "link", {"to": target, "kind": "parent"}, who=KARI)).json()["items"]
    assert {item["status"] for item in items} == {200}
    assert len((await desk.state(target)).links) == 30


async def test_a_repeated_bulk_command_says_so(desk: Workplace) -> None:
    tickets = [await desk.ticket(), await desk.ticket()]
    first = await desk.bulk(tickets, "tag", {"tags": ["roof"]}, key="tags")
    again = await desk.bulk(tickets, "tag", {"tags": ["roof"]}, key="tags")
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-Consistency-Token"] == first.headers["X-Consistency-Token"]


async def test_another_bulk_command_with_the_same_key_is_refused_whatever_tickets_it_names(desk: Workplace) -> None:
    one, other = await desk.ticket(), await desk.ticket()
    assert (await desk.bulk([one], "tag", {"tags": ["roof"]}, key="shared")).status_code == 200
    for tickets, words in (([other], ["roof"]), ([one], ["floor"]), ([one, other], ["roof"])):
        refused = await desk.bulk(tickets, "tag", {"tags": words}, key="shared")
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert (await desk.state(other)).tags == ()


async def test_a_ticket_that_a_bulk_command_names_twice_gets_it_once(desk: Workplace) -> None:
    number = await desk.ticket()
    stream = str((await desk.events(number))[0].stream)
    tickets = [number, stream, number, stream.upper()]
    items = (await desk.bulk(tickets, "note", {"text": "Bring a ladder."})).json()["items"]
    assert [(each["ticket"], each["status"]) for each in items] == [(ticket, 200) for ticket in tickets]
    assert len({each["version"] for each in items}) == 1
    assert (await desk.kinds(number)).count("NoteAdded") == 1
