"""Tickets that rules and macros give to members of the queue: in turn, by load, never to who is away (A6.08, A21.01)."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from services import routing
from services.routing.matches.worker import TriggerWorker
from shared.contracts.directory import Absence, Member, Person, Queue
from tests.services.routing.test_trigger_faults import WAITING, another_worker
from tests.services.routing.triggers import left_out, macro, opened, rule, save, settled
from tests.services.routing.workplace import ADMIN, ALL, KARI_DOCUMENT, OLA, OLA_DOCUMENT, Workplace
from tests.specs.requirement import requirement

MIGRATION = Path(routing.__file__).parent / "migrations/0112_rules.sql"
FILL = MIGRATION.read_text().partition("INSERT INTO routing.owned (ticket_id, owner_id)\n")[2].partition(";")[0]
"""What the migration finds in the events from before."""
IN_TURN: dict[str, Any] = {"do": "assign", "to": "round-robin"}
BY_LOAD: dict[str, Any] = {"do": "assign", "to": "least-loaded"}


def worker(number: int) -> Person:
    return Person.model_validate(
        {"id": UUID(int=100 + number), "login": f"w{number}", "name": f"W{number}", "email": f"w{number}@x.example",
         "roles": ["agent"]}
    )  # fmt: skip


async def pool(desk: Workplace, size: int) -> tuple[Queue, list[Person]]:
    """A queue with so many members who may work there, and one who may only read."""
    people = [worker(n) for n in range(size)]
    reader = worker(99)
    for each in (*people, reader):
        await save(desk, each)
    members = [Member(person=each.id, rights=ALL) for each in people]
    queue = Queue(
        id=UUID(int=77), slug="pool", name="Pool", members=(*members, Member(person=reader.id, rights=("read",)))
    )
    await save(desk, queue)
    return queue, people


async def owners(desk: Workplace, numbers: list[str]) -> list[str]:
    found = [(await desk.state(number)).owner for number in numbers]
    return [owner.name if owner is not None else "-" for owner in found]


async def all_work(desk: Workplace, workers: int) -> None:
    async def work(one: TriggerWorker) -> None:
        while await desk.pool.fetchval(WAITING):
            await one.work(7)

    await asyncio.gather(*(work(another_worker(desk)) for _ in range(workers)))


@requirement("A6.08")
async def test_round_robin_gives_each_member_their_turn_however_many_workers_there_are(desk: Workplace) -> None:
    queue, _ = await pool(desk, 3)
    await rule(desk, "rr", "opened", IN_TURN)
    numbers = [await opened(desk, queue=queue) for _ in range(30)]
    await all_work(desk, 4)
    assert Counter(await owners(desk, numbers)) == {"W0": 10, "W1": 10, "W2": 10}
    one_by_one = []
    for _ in range(4):
        one_by_one.append(await opened(desk, queue=queue))
        await settled(desk)
    assert await owners(desk, one_by_one) == ["W0", "W1", "W2", "W0"]


@requirement("A6.08")
async def test_least_loaded_stays_even_however_many_workers_there_are(desk: Workplace) -> None:
    queue, people = await pool(desk, 3)
    busy = [await opened(desk, queue=queue) for _ in range(6)]
    for number in busy:
        await desk.done(number, "assign", {"owner": people[0].login}, who=ADMIN)
    await rule(desk, "ll", "opened", BY_LOAD)
    numbers = [await opened(desk, queue=queue) for _ in range(18)]
    await all_work(desk, 4)
    assert Counter(await owners(desk, numbers)) == {"W0": 2, "W1": 8, "W2": 8}
    for number in busy:
        await desk.done(number, "close", {"text": "done"}, who=ADMIN)
    numbers = [await opened(desk, queue=queue) for _ in range(6)]
    await all_work(desk, 2)
    assert Counter(await owners(desk, numbers)) == {"W0": 6}


@requirement("A21.01")
async def test_nothing_is_given_to_who_is_away_nor_to_their_substitute_for_them(desk: Workplace) -> None:
    queue, people = await pool(desk, 2)
    today = datetime.now(UTC).date()
    away = Absence(
        active=True, first_day=today - timedelta(1), last_day=today + timedelta(1), substitute=OLA_DOCUMENT.id
    )
    await save(desk, people[0].model_copy(update={"absence": away}), 2)
    await rule(desk, "rr", "opened", IN_TURN)
    numbers = [await opened(desk, queue=queue) for _ in range(3)]
    await settled(desk)
    assert await owners(desk, numbers) == ["W1", "W1", "W1"]
    await save(desk, people[1].model_copy(update={"absence": away}), 2)
    number = await opened(desk, queue=queue)
    await settled(desk)
    assert await left_out(desk, number) == [("assign", "Nobody in this queue can work on the ticket now.")]


@requirement("A21.01")
async def test_a_rule_gives_nothing_to_a_named_person_who_is_away(desk: Workplace) -> None:
    queue, people = await pool(desk, 2)
    await rule(desk, "named", "opened", {"do": "assign", "owner": str(people[0].id)}, {"do": "tag", "tags": ["rest"]})
    there = await opened(desk, queue=queue)
    await settled(desk)
    today = datetime.now(UTC).date()
    away = Absence(active=True, first_day=today, last_day=today)
    await save(desk, people[0].model_copy(update={"absence": away}), 2)
    gone = await opened(desk, queue=queue)
    await settled(desk)
    assert await owners(desk, [there, gone]) == ["W0", "-"]
    assert await left_out(desk, gone) == [("assign", "W0 is away.")]
    assert (await desk.state(gone)).tags == ("rest",)


@requirement("A1.25")
async def test_who_registers_in_a_drop_in_queue_is_given_to_those_present_in_the_order_of_registering(
    desk: Workplace,
) -> None:
    queue, people = await pool(desk, 3)
    today = datetime.now(UTC).date()
    away = Absence(active=True, first_day=today, last_day=today)
    await save(desk, people[1].model_copy(update={"absence": away}), 2)
    await rule(desk, "drop-in", "opened", IN_TURN, {"do": "tag", "tags": ["called"]})
    registered = [await opened(desk, "Guidance, please", queue=queue) for _ in range(5)]
    await settled(desk)
    assert await owners(desk, registered) == ["W0", "W2", "W0", "W2", "W0"]


@requirement("A6.08")
async def test_open_tickets_that_somebody_owns_are_counted_through_their_whole_life(desk: Workplace) -> None:
    async def owned() -> dict[str, int]:
        rows = await desk.pool.fetch("SELECT owner_id, count(*) AS n FROM routing.owned GROUP BY owner_id")
        names = {KARI_DOCUMENT.id: "Kari", OLA_DOCUMENT.id: "Ola"}
        filled = await desk.pool.fetch(f"SELECT owner_id, count(*) AS n FROM ({FILL}) AS f GROUP BY owner_id")
        assert sorted(map(tuple, filled)) == sorted(map(tuple, rows)), "the migration finds the same in the events"
        return {names[row["owner_id"]]: row["n"] for row in rows}

    number, other = await opened(desk), await opened(desk)
    await desk.done(number, "lock")
    assert await owned() == {"Kari": 1}
    await desk.done(number, "assign", {"owner": "ola"})
    assert await owned() == {"Ola": 1}
    await desk.done(number, "close", {}, who=OLA)
    assert await owned() == {}
    await desk.done(number, "reopen", {}, who=OLA)
    assert await owned() == {"Ola": 1}
    await desk.done(number, "merge", {"into": other}, who=OLA)
    assert await owned() == {}
    merged = next(event for event in await desk.events(number) if event.type == "helpdesk.TicketMerged.v1")
    await desk.done(number, "undo", {"event": str(merged.id)}, who=OLA)
    assert await owned() == {"Ola": 1}


@requirement("A6.08", "A8.06")
async def test_a_macro_in_bulk_gives_tickets_evenly(desk: Workplace) -> None:
    queue, _ = await pool(desk, 3)
    await save(desk, macro("share", BY_LOAD, {"do": "tag", "tags": ["shared"]}))
    await save(desk, macro("turn", IN_TURN))
    for slug in ("share", "turn"):
        numbers = [await opened(desk, queue=queue) for _ in range(12)]
        answer = await desk.bulk(numbers, "macro", {"macro": slug}, who=ADMIN)
        assert {each["status"] for each in answer.json()["items"]} == {200}, answer.text
        assert Counter(await owners(desk, numbers)) == {"W0": 4, "W1": 4, "W2": 4}


@requirement("A6.08", "A8.06")
async def test_macros_given_at_the_same_time_are_all_done_and_give_evenly(desk: Workplace) -> None:
    queue, _ = await pool(desk, 3)
    await save(desk, macro("share", BY_LOAD))
    await save(desk, macro("turn", IN_TURN))
    for slug in ("share", "turn"):
        numbers = [await opened(desk, queue=queue) for _ in range(24)]
        given = [desk.give(number, "macro", {"macro": slug}, who=ADMIN) for number in numbers]
        assert {answer.status_code for answer in await asyncio.gather(*given)} == {200}
        assert Counter(await owners(desk, numbers)) == {"W0": 8, "W1": 8, "W2": 8}
