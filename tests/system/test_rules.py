"""Bad calendars, SLAs and triggers, and rules that go wrong, on a whole system: a clear problem document or an end with
a reason, never a lost event and never a loop (A9.02, A21.14)."""

import time
import uuid
from typing import Any

import pytest

from shared.testing.progress import until
from tests.specs.requirement import requirement
from tests.system.desk import Answer, Desk
from tests.system.test_dry_runs import SINCE, UNTIL

TAG = {"do": "tag", "tags": ["seen"]}


def pointers(answer: Answer) -> list[str]:
    assert answer.is_problem, answer
    return [each["pointer"] for each in answer.body.get("errors", [])]


def nested(depth: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"field": "priority", "is": [3]}
    for _ in range(depth):
        condition = {"not": condition}
    return condition


def trigger(slug: str, *on: str, when: dict[str, Any], then: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"slug": slug, "name": slug, "on": on, "when": when, "then": then, **more}


@pytest.mark.parametrize(
    ("kind", "document", "pointer"),
    [
        ("calendars", {"timezone": "UTC", "hours": {"mon": [["08:00", "12:00"], ["11:00", "16:00"]]}}, "/hours"),
        ("calendars", {"timezone": "UTC", "hours": {"mon": [["16:00", "08:00"]]}}, "/hours"),
        ("calendars", {"timezone": "Mars/Olympus", "hours": {"mon": [["08:00", "16:00"]]}}, "/timezone"),
        ("calendars", {"timezone": "UTC", "hours": {"mon": [["08:00", "16:00"]]}, "holidays": "XX"}, "/holidays"),
        ("calendars", {"timezone": "UTC", "hours": [["08:00", "16:00"]]}, "/hours"),
        ("slas", {"solution_minutes": 0}, "/solution_minutes"),
        ("slas", {"solution_minutes": 1_000_000_000}, "/solution_minutes"),
        ("slas", {"solution_minutes": 1e400}, ""),
        ("slas", {"solution_minutes": 5, "warn_percent": 0}, "/warn_percent"),
        ("triggers", {"on": ["opened"], "when": nested(50), "then": [TAG]}, "/when"),
        ("triggers", {"on": ["opened"], "when": {"all": [nested(1)] * 500}, "then": [TAG]}, "/when"),
        ("triggers", {"on": ["opened"], "when": {"field": "text", "matches": ["(a+)+$"]}, "then": [TAG]}, "/when"),
        ("triggers", {"on": ["opened"], "when": {"field": "text", "contains": ["x" * 10_000]}, "then": [TAG]}, "/when"),
        ("triggers", {"on": ["opened"], "when": nested(0), "then": [TAG] * 500}, "/then"),
        ("macros", {"then": [TAG, {"do": "reply", "template": "none"}]}, "/then/1/template"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_documents_say_where(desk: Desk, kind: str, document: dict[str, Any], pointer: str) -> None:
    slug = f"bad-{uuid.uuid4().hex[:8]}"
    answer = await desk.call("PUT", f"/{kind}/{slug}", {"slug": slug, "name": "Bad", **document})
    assert answer.status == 422, answer
    assert any(each.startswith(pointer) for each in pointers(answer)), answer.body
    assert (await desk.call("GET", f"/{kind}/{slug}")).status == 404


async def test_a_calendar_without_hours_promises_nothing_and_breaks_nothing(desk: Desk) -> None:
    """Its hours are nowhere, so nothing is ever due."""
    slug = f"never-{uuid.uuid4().hex[:8]}"
    saved = await desk.call(
        "PUT", f"/calendars/{slug}", {"slug": slug, "name": "Never", "timezone": "UTC", "hours": {}}
    )
    if saved.status == 422:
        assert pointers(saved) == ["/hours"]
        return
    sla = {"slug": slug, "name": "Never", "queues": [desk.queue], "calendar": slug, "solution_minutes": 1}
    await desk.saved(f"/slas/{slug}", sla)
    ticket = await desk.opened()
    shown = await desk.done("GET", f"/tickets/{ticket}")
    assert [each["state"] for each in shown["deadlines"] if each["due_at"] is not None] == []
    assert (await desk.call("DELETE", f"/slas/{slug}")).status == 204


@requirement("A9.02")
async def test_rules_that_answer_each_other_end_and_the_history_says_so(desk: Desk) -> None:
    """One rule moves a ticket to and one fro, two undo what the other did."""
    there = f"there-{uuid.uuid4().hex[:8]}"
    await desk.saved(f"/queues/{there}", {"slug": there, "name": "There", "members": []})
    here_or_there = {"field": "queue", "is": [desk.queue, there]}
    slugs = [f"{name}-{uuid.uuid4().hex[:8]}" for name in ("to", "fro", "on", "off")]

    def when(**condition: Any) -> dict[str, Any]:
        return {"all": [here_or_there, condition]}

    def tagged(*on: str, then: str, holds: bool) -> dict[str, Any]:
        hot = {"field": "tag", "is": ["hot"]}
        condition = hot if holds else {"not": hot}
        return {"on": on, "when": {"all": [here_or_there, condition]}, "then": [{"do": then, "tags": ["hot"]}]}

    documents = [
        trigger(
            slugs[0], "moved", when=when(field="queue", **{"is": [there]}), then=[{"do": "move", "queue": desk.queue}]
        ),
        trigger(
            slugs[1], "moved", when=when(field="queue", **{"is": [desk.queue]}), then=[{"do": "move", "queue": there}]
        ),
        {"slug": slugs[2], "name": "on", **tagged("priority-changed", then="tag", holds=False)},
        {"slug": slugs[3], "name": "off", **tagged("tagged", then="untag", holds=True)},
    ]
    for document in documents:
        await desk.saved(f"/triggers/{document['slug']}", document)
    ticket = await desk.opened()
    await desk.done("POST", f"/tickets/{ticket}/set-priority", {"priority": 5})
    await desk.done("POST", f"/tickets/{ticket}/move", {"queue": there})

    async def ended() -> bool:
        return any("LeftOut" in each["type"] for each in await desk.history(ticket))

    await until(ended)
    await until(lambda: _nothing_waits(desk))
    events = await desk.history(ticket)
    moves = [
        each for each in events if each["type"].split(".")[-2:][0] == "TicketMoved" or each["type"] == "TicketMoved"
    ]
    by_rules = [each for each in moves if each["actor"]["kind"] == "rule"]
    assert (len(moves), len(by_rules)) == (6, 5)
    assert len([each for each in events if "LeftOut" in each["type"]]) == 1
    assert "hot" not in (await desk.done("GET", f"/tickets/{ticket}"))["tags"]
    for slug in slugs:
        await desk.done("DELETE", f"/triggers/{slug}")


@requirement("A9.02")
async def test_a_condition_on_a_text_of_a_megabyte_is_quick(desk: Desk) -> None:
    """At the desk and in a dry run. The needle is in the beginning that events hold."""
    slug, phrases = f"long-{uuid.uuid4().hex[:8]}", [f"needle {n} that is nowhere" for n in range(99)]
    condition = {
        "all": [{"field": "queue", "is": [desk.queue]}, {"field": "text", "contains": [*phrases, "HERE it is"]}]
    }
    document = trigger(slug, "opened", when=condition, then=[TAG])
    await desk.saved(f"/triggers/{slug}", document)
    began = time.monotonic()
    answer = await desk.open(body="here it is " + "a" * 900_000)
    assert answer.status == 201, answer
    ticket = answer.body["id"]

    async def seen() -> bool:
        shown = await desk.call("GET", f"/tickets/{ticket}")
        return shown.status == 200 and shown.body["tags"] == ["seen"]

    await until(seen)
    tried = await desk.done("POST", "/triggers/dry-run", {"trigger": document, "from": SINCE, "to": UNTIL})
    assert [each["ticket"]["id"] for each in tried["tickets"]] == [ticket]
    assert time.monotonic() - began < 60
    await desk.done("DELETE", f"/triggers/{slug}")


async def _nothing_waits(desk: Desk) -> bool:
    return not await desk.rows("routing", "SELECT 1 FROM routing.matches")
