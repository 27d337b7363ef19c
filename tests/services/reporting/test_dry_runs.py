"""Dry runs of triggers on real PostgreSQL: over made-up histories, beside the desk's own rules as the oracle."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from services.reporting.dry_runs import dry_runs_api
from services.reporting.dry_runs.dry_runs_api import DryRunBody, wanted_from
from services.reporting.dry_runs.replay import Act, PastEvent, Replay, Wanted
from services.reporting.dry_runs.running import MOST_OF_A_PERSON, DryRuns
from services.reporting.generations.projection_sets import projection_sets
from services.reporting.tickets.ticket_reader import TicketReader
from services.routing.ticket.state import Ticket, evolve, initial
from services.routing.triggers import matching
from shared.automation.evaluation import compiled
from shared.automation.facts import Facts, written
from shared.automation.happenings import happening
from shared.blobs.store import BlobStore
from shared.contracts.directory import Trigger
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import PersonRef, TicketRef
from shared.contracts.routing import (
    AgentReplied,
    CustomerAnswered,
    MergeUndone,
    NoteAdded,
    TicketMerged,
    TicketQueued,
)
from shared.directory.copy import Configuration, DirectoryCopy
from shared.http.identity import HEADER, sign
from shared.http.problems import Problem
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.rules.states import NEW
from shared.testing.keys import KEYS, SIGNING
from shared.testing.progress import until
from shared.timestamps import timestamp
from tests.histories.folding import Folding
from tests.histories.history import START, YEAR, cases, in_order
from tests.services.reporting.reporting_database import ZONE, Reporting
from tests.services.reporting.reports_over_http import ADMIN, AGENT
from tests.specs.requirement import requirement

EVERYTHING: dict[str, Any] = {"all": []}
THEN = [{"do": "tag", "tags": ["seen"]}]
PERIOD = {"start": START.isoformat(), "end": (START + YEAR).isoformat()}
RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%desk.history%' AND pid <> pg_backend_pid()"
Post = Callable[..., Awaitable[Response]]


def trigger(*on: str, when: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    document = {"id": UUID(int=7), "slug": "try", "name": "Try", "on": on, "when": when or EVERYTHING, "then": THEN}
    return Trigger.model_validate(document | more).model_dump(mode="json")


@pytest.fixture
async def post(live_desk: Reporting) -> AsyncIterator[Post]:
    copy = DirectoryCopy(live_desk.pool, live_desk.app_url)
    await copy.load()
    reader = TicketReader(live_desk.pool, copy, BlobStore("file:///nowhere"))
    routers = [dry_runs_api.router(reader, DryRuns(live_desk.app_url))]
    app = application(Health("reporting", "api"), keys=KEYS, routers=routers)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://reporting") as client:

        async def ask(body: dict[str, Any], who: Any = ADMIN, **headers: str) -> Response:
            signed = {HEADER: sign(who, "reporting", SIGNING), **headers}
            return await client.post("/internal/dry-runs", json={"then": THEN, **PERIOD, **body}, headers=signed)

        yield ask


async def fill(desk: Reporting, count: int, seed: int = 3) -> list[Recorded]:
    """Folds made-up cases into the live desk."""
    events = in_order(list(cases(seed, count, beside=0.6)))
    which = projection_sets(ZONE)["desk"]
    await Folding(desk.pool, [(which, 1)]).fold(events)
    return events


def expected(events: Sequence[Recorded], on: Sequence[str], when: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What the desk's own state and the shared condition say, event by event."""
    holds, by_id = compiled(when, {}), {event.id: event for event in events}
    tickets: dict[UUID, Ticket] = defaultdict(initial)
    found: list[tuple[Any, UUID, UUID]] = []
    for event in events:
        if event.producer != "routing":
            continue
        ticket = tickets[event.stream] = evolve(tickets[event.stream], event.payload)
        if happening(event.payload) not in on or ticket.merged_into is not None:
            continue
        cause = by_id.get(event.causation_id or UUID(int=0))
        named = cause if cause and isinstance(event.payload, TicketQueued | CustomerAnswered) else event
        if holds(facts(ticket, event, named)):
            found.append((named.time, event.stream, named.id))
    return [(str(ticket), str(named), timestamp(at)) for at, ticket, named in sorted(found, key=lambda each: each[0])]


def facts(ticket: Ticket, event: Recorded, named: Recorded) -> Facts:
    text = sender = ""
    actor = event.actor.kind
    match named.payload:
        case TicketOpened() as opened:
            text, actor = written(opened.message), "agent" if opened.opened_by else "customer"
            sender = (opened.message.sender or opened.customer).email
        case CustomerMessageReceived() as received:
            text, actor = written(received.message), "customer"
            sender = (received.message.sender or received.customer).email
        case AgentReplied() | NoteAdded() as by_agent:
            text = written(by_agent.message)
        case _:
            pass
    return matching.ticket_facts(ticket, actor, named.time, text, sender)


def has(field: str, *values: Any) -> dict[str, Any]:
    return {"field": field, "is": list(values)}


def says(field: str, *parts: str) -> dict[str, Any]:
    return {"field": field, "contains": list(parts)}


ALL = (
    "opened", "customer-message", "answered", "note", "state-changed", "moved", "owner-changed", "priority-changed",
    "tagged", "reminder",
)  # fmt: skip
QUESTIONS: tuple[tuple[Sequence[str], dict[str, Any]], ...] = (
    *(((each,), EVERYTHING) for each in ALL),
    (ALL, {"all": [has("queue", "it-support", "hr"), has("priority", 3, 4)]}),
    (ALL, {"any": [says("title", "PRINTER"), says("text", "door"), has("tag", "vip")]}),
    (ALL, {"not": has("state_type", "new", "open")}),
    (("opened", "answered", "note"), {"all": [has("actor", "agent"), says("text", "b 21")]}),
    (("customer-message", "opened"), says("from", "@firm3")),
    (("state-changed",), {"all": [has("state_type", "closed"), {"field": "owner", "empty": False}]}),
    (("moved", "opened"), {"any": [says("fields.room", "b 2"), has("company", "firm-5"), has("topic", "loan")]}),
    (ALL, {"any": []}),
)


@requirement("A9.02")
async def test_a_dry_run_finds_what_the_desks_own_rules_would(live_desk: Reporting, post: Post) -> None:
    events = await fill(live_desk, 250)
    before = await live_desk.pool.fetchval("SELECT sum(event_count) FROM desk.tickets")
    for on, when in QUESTIONS:
        answer = (await post({"trigger": trigger(*on, when=when)})).json()
        wanted = expected(events, on, when)
        shown = [(each["ticket"]["id"], each["event"], each["at"]) for each in answer["tickets"]]
        assert answer["count"] == len(wanted), (on, when)
        assert sorted(shown) == sorted(wanted)[:1000] if len(wanted) <= 1000 else len(shown) == 1000, (on, when)
        assert [at for _, _, at in shown] == [at for _, _, at in wanted][:1000]
        assert all(each["would"] == THEN for each in answer["tickets"])
    assert await live_desk.pool.fetchval("SELECT sum(event_count) FROM desk.tickets") == before


async def test_only_the_time_that_is_asked_for_counts(live_desk: Reporting, post: Post) -> None:
    events = await fill(live_desk, 60)
    wanted = expected(events, ALL, EVERYTHING)
    times = sorted({at for _, _, at in wanted})
    start, end = times[len(times) // 3], times[len(times) // 2]
    answer = (await post({"trigger": trigger(*ALL), "start": start, "end": end})).json()
    assert answer["count"] == len([at for _, _, at in wanted if start <= at < end]) > 0
    for ends in ({"start": end, "end": start}, {"start": "0001-01-01T00:00:00Z", "end": "1900-01-01T00:00:00Z"}):
        assert (await post({"trigger": trigger(*ALL), **ends})).json() == {"tickets": [], "count": 0}


async def test_idle_tickets_are_found_between_the_acts_of_people(live_desk: Reporting, post: Post) -> None:
    events = await fill(live_desk, 60)
    wait = timedelta(days=3)
    asked = trigger("idle", when=has("state_type", "open", "new"), idle_minutes=wait / timedelta(minutes=1))
    answer = (await post({"trigger": asked})).json()
    by_id = {str(event.id): event for event in events}
    acts = defaultdict(list)
    for event in events:
        if event.actor.kind in ("agent", "customer"):
            acts[event.stream].append(event.time)
    assert answer["count"] == len(answer["tickets"]) > 5
    for each in answer["tickets"]:
        cause = by_id[each["event"]]
        assert str(cause.stream) == each["ticket"]["id"]
        assert not [at for at in acts[cause.stream] if cause.time + timedelta(seconds=2) < at < cause.time + wait]


@requirement("A9.02")
def test_a_merged_ticket_is_no_longer_judged_as_for_the_desks_own_rules() -> None:
    """A customer's message on it is judged on the ticket that it was merged into."""
    holds = compiled(EVERYTHING, {})
    replay = Replay(Wanted(UUID(int=7), ALL, None, holds, reads_texts=False, start=START, end=START + YEAR))
    number = iter(range(1, 10))

    def acts(payload: Event) -> list[Act]:
        event = PastEvent(UUID(int=next(number)), payload.TYPE, START, Actor("agent"), None, payload, None)
        return list(replay.then(event))

    other, kari = TicketRef(id=UUID(int=8)), PersonRef(id=UUID(int=9), name="Kari")
    assert len(acts(CustomerAnswered(article=uuid4()))) == 1
    assert acts(TicketMerged(into=other, was=NEW, by=kari)) == []
    assert acts(CustomerAnswered(article=uuid4())) == []
    assert acts(MergeUndone(into=other, state=NEW, by=kari, undoes=uuid4())) == []
    assert len(acts(CustomerAnswered(article=uuid4()))) == 1


async def test_a_long_answer_lists_the_earliest_and_counts_all(live_desk: Reporting) -> None:
    events = await fill(live_desk, 60)
    body = DryRunBody.model_validate({"trigger": trigger(*ALL), "then": THEN, **PERIOD})
    listed = await DryRuns(live_desk.app_url).run(uuid4(), wanted_from(body, Configuration()), 5)
    wanted = expected(events, ALL, EVERYTHING)
    assert listed.count == len(wanted) > 100
    assert [each["at"] for each in listed.tickets] == [at for _, _, at in wanted[:5]]


async def test_progress_comes_in_lines_before_the_result(
    live_desk: Reporting, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.reporting.dry_runs.running.PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr("services.reporting.dry_runs.reading.PAGE_TICKETS", 20)
    await fill(live_desk, 60)
    answer = await post({"trigger": trigger("opened")}, accept="application/x-ndjson")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    *progress, last = [orjson.loads(line) for line in answer.text.splitlines()]
    assert [list(each) for each in progress] == [["progress"]] * len(progress)
    assert len(progress) >= 3
    shares = [each["progress"]["share"] for each in progress]
    assert shares == sorted(shares)
    whole = (await post({"trigger": trigger("opened")})).json()
    assert last == {"result": whole}
    assert progress[-1]["progress"]["count"] == whole["count"]


async def test_only_administrators_may(post: Post) -> None:
    assert (await post({"trigger": trigger("opened")}, AGENT)).status_code == 403


async def test_a_condition_that_is_not_known_here_is_refused(post: Post) -> None:
    answer = await post({"trigger": trigger("opened", when=has("within_calendar", "nowhere"))})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/trigger/when")


async def test_a_caller_who_leaves_ends_the_run_and_frees_the_place(live_desk: Reporting) -> None:
    await fill(live_desk, 60)
    runs, person = DryRuns(live_desk.app_url), uuid4()
    body = DryRunBody.model_validate({"trigger": trigger(*ALL), "then": THEN, **PERIOD})
    wanted = wanted_from(body, Configuration())
    for _ in range(MOST_OF_A_PERSON + 1):
        async with live_desk.owner.transaction():
            await live_desk.owner.execute("LOCK TABLE desk_v1.history IN ACCESS EXCLUSIVE MODE")
            running = asyncio.create_task(runs.run(person, wanted, 5))
            await until(lambda: _waits(live_desk, 1))
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await until(lambda: _waits(live_desk, 0))


async def test_too_many_of_a_person_are_refused_and_others_still_run(live_desk: Reporting) -> None:
    await fill(live_desk, 20)
    runs, person = DryRuns(live_desk.app_url), uuid4()
    body = DryRunBody.model_validate({"trigger": trigger(*ALL), "then": THEN, **PERIOD})
    wanted = wanted_from(body, Configuration())
    async with live_desk.owner.transaction():
        await live_desk.owner.execute("LOCK TABLE desk_v1.history IN ACCESS EXCLUSIVE MODE")
        running = [asyncio.create_task(runs.run(person, wanted, 5)) for _ in range(MOST_OF_A_PERSON)]
        await until(lambda: _waits(live_desk, MOST_OF_A_PERSON))
        with pytest.raises(Problem) as refused:
            await runs.run(person, wanted, 5)
        assert refused.value.status == 429
        other = asyncio.create_task(runs.run(uuid4(), wanted, 5))
        await until(lambda: _waits(live_desk, MOST_OF_A_PERSON + 1))
    counts = {(await each).count for each in (*running, other)}
    assert len(counts) == 1


async def _waits(desk: Reporting, count: int) -> bool:
    return bool(await desk.pool.fetchval(f"SELECT ({RUNNING} AND wait_event_type = 'Lock') = $1", count))
