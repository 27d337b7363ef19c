"""Dry runs of triggers through the gateway: what happened is found, bad triggers are told where, and a caller who leaves
ends the run (A9.02)."""

import asyncio
import json
import uuid
from typing import Any

import aiohttp
import asyncpg
import pytest

from shared.testing.progress import until
from tests.specs.requirement import requirement
from tests.system.desk import Answer, Desk

SINCE, UNTIL = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
TAG = {"do": "tag", "tags": ["seen"]}


def trigger(desk: Desk, **more: Any) -> dict[str, Any]:
    here = {"field": "queue", "is": [desk.queue]}
    return {"slug": f"try-{uuid.uuid4().hex[:6]}", "name": "Try", "on": ["opened"], "when": here, "then": [TAG]} | more


async def tried(desk: Desk, document: dict[str, Any], **more: Any) -> Answer:
    return await desk.call("POST", "/triggers/dry-run", {"trigger": document, "from": SINCE, "to": UNTIL} | more)


def pointers(answer: Answer) -> list[str]:
    assert answer.status == 422, answer
    assert answer.is_problem, answer
    return [each["pointer"] for each in answer.body["errors"]]


@requirement("A9.02")
async def test_what_happened_is_found_and_nothing_is_done(desk: Desk) -> None:
    ticket = await desk.opened()
    await desk.done("POST", f"/tickets/{ticket}/note", {"text": "Look at the FUSE."})
    await desk.done("POST", f"/tickets/{ticket}/set-priority", {"priority": 5})

    async def shown() -> bool:
        return len(await desk.history(ticket)) >= 4

    await until(shown)
    before = await desk.history(ticket)
    of = {each["type"].split(".")[-2] if "." in each["type"] else each["type"]: each for each in before}
    fuse = {"all": [{"field": "queue", "is": [desk.queue]}, {"field": "text", "contains": ["fuse"]}]}
    for document, event in (
        (trigger(desk), of["TicketOpened"]),
        (trigger(desk, on=["note"], when=fuse), of["NoteAdded"]),
        (trigger(desk, on=["priority-changed"]), of["PriorityChanged"]),
    ):
        answer = (await tried(desk, document)).body
        assert answer["count"] == 1
        (found,) = answer["tickets"]
        assert found["ticket"]["id"] == ticket
        assert (found["event"], found["at"], found["would"]) == (event["id"], event["at"], [TAG])
    assert (await tried(desk, trigger(desk, on=["moved"]))).body == {"tickets": [], "count": 0}
    assert await desk.history(ticket) == before


async def test_names_are_those_of_people_and_actions_come_back_as_sent(desk: Desk) -> None:
    ticket = await desk.opened()
    await desk.done("POST", f"/tickets/{ticket}/assign", {"owner": "admin"})
    sent = [{"do": "assign", "owner": "admin"}, {"do": "notify", "to": ["owner", "duty@x.example"], "template": "no"}]
    owned = {"all": [{"field": "queue", "is": [desk.queue]}, {"field": "owner", "is": ["admin"]}]}
    document = trigger(desk, on=["owner-changed"], when=owned, then=sent)
    assert pointers(await tried(desk, document)) == ["/trigger/then/1/template"]
    document["then"] = sent[:1]

    async def found() -> bool:
        answer = (await tried(desk, document)).body
        return [each["would"] for each in answer["tickets"]] == [sent[:1]]

    await until(found)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"then": []}, "/trigger/then"),
        ({"then": [TAG, {"do": "explode"}]}, "/trigger/then/1"),
        ({"then": [{**TAG, "colour": "red"}]}, "/trigger/then/0/colour"),
        ({"then": [{"do": "move", "queue": "no-such"}]}, "/trigger/then/0/queue"),
        ({"on": ["exploded"]}, "/trigger/on/0"),
        ({"on": ["idle"]}, "/trigger/idle_minutes"),
        ({"when": {"all": [{"not": {"field": "colour", "is": ["x"]}}]}}, "/trigger/when/all/0/not"),
        ({"when": {"field": "queue", "is": ["no-such"]}}, "/trigger/when"),
        ({"colour": "red"}, "/trigger/colour"),
    ],
)
async def test_a_bad_trigger_says_where(desk: Desk, wrong: dict[str, Any], pointer: str) -> None:
    answer = await tried(desk, trigger(desk, **wrong))
    assert any(each == pointer or each.startswith(f"{pointer}/") for each in pointers(answer)), answer.body


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"from": UNTIL, "to": SINCE}, "/to"), ({"to": "tomorrow"}, "/to"), ({"from": None}, "/from"),
        ({"to": "2026-01-01T00:00:00"}, "/to"), ({"colour": "red"}, "/colour"), ({"trigger": None}, "/trigger"),
        ({"trigger": []}, "/trigger"),
    ],
)  # fmt: skip
async def test_a_bad_time_says_where(desk: Desk, wrong: dict[str, Any], pointer: str) -> None:
    assert pointers(await tried(desk, trigger(desk), **wrong)) == [pointer]


@pytest.mark.parametrize(
    "times",
    [("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"), ("9999-01-01T00:00:00Z", "9999-01-01T00:00:00Z")],
)
async def test_times_at_the_ends_of_the_calendar_are_times(desk: Desk, times: tuple[str, str]) -> None:
    answer = await tried(desk, trigger(desk, on=["idle"], idle_minutes=5_000_000), **{"from": times[0], "to": times[1]})
    assert (answer.status, answer.body["count"]) == (200, 0)


async def test_progress_comes_in_lines(desk: Desk) -> None:
    await desk.opened()
    headers = {"Authorization": f"Bearer {desk.token}", "Accept": "application/x-ndjson"}
    body = {"trigger": trigger(desk), "from": SINCE, "to": UNTIL}
    async with desk.http.post("/api/v1/triggers/dry-run", json=body, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        lines = [json.loads(line) async for line in answer.content]
    assert {name for line in lines[:-1] for name in line} <= {"progress"}
    assert list(lines[-1]) == ["result"]
    headers["Authorization"] = ""
    async with desk.http.post("/api/v1/triggers/dry-run", json=body, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (401, "application/problem+json")


async def test_a_caller_who_leaves_ends_the_run(desk: Desk) -> None:
    """While PostgreSQL waits for a lock and nothing is sent."""
    await desk.opened()
    postgres = desk.system.instance.postgres
    owner = await asyncpg.connect(postgres.url("postgres", postgres.password, "reporting"))
    generation = await owner.fetchval(
        "SELECT generation FROM projections.generations WHERE name = 'desk' AND state = 'live'"
    )
    waiting = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = 'reporting' AND wait_event_type = 'Lock' AND query LIKE '%AS first%'"
    )
    try:
        async with owner.transaction():
            await owner.execute(f"LOCK TABLE desk_v{generation}.tickets IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.create_task(tried(desk, trigger(desk)))
            await until(lambda: desk.rows("reporting", waiting))
            asking.cancel()
            with pytest.raises((asyncio.CancelledError, aiohttp.ClientError)):
                await asking

            async def ended() -> bool:
                return not await desk.rows("reporting", waiting)

            await until(ended, seconds=4)  # sooner than the time limit of the statement
    finally:
        await owner.close()


async def test_without_reporting_nothing_can_be_tried(desk: Desk) -> None:
    desk.system.programs["reporting"].stop()
    answer = await tried(desk, trigger(desk))
    assert answer.status == 503, answer
    assert answer.is_problem
