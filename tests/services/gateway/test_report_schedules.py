"""Report schedules: what may be saved, when runs start, and that each is sent once (A10.13)."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid5

import orjson
import pytest

from services.gateway import report_runs
from services.gateway.app import http_client
from services.gateway.due_times import covered
from services.gateway.report_schedules.reports import Reports
from services.gateway.report_schedules.runner import NOBODY, ReportRunner
from shared.blobs.store import BlobStore
from shared.contracts.directory import ReportSchedule
from shared.contracts.reports import ReportPrepared
from shared.eventstore.store import Store
from shared.http.identity import HEADER
from shared.http.keys import gateways_keys
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from tests.services.gateway.conftest import Answer, Client, Gateway
from tests.services.gateway.upstream import Asked, applied, response
from tests.specs.requirement import requirement

DAILY: dict[str, Any] = {
    "slug": "daily",
    "name": "Daily volume",
    "report": "volume",
    "parameters": {"queue": "postmaster", "interval": "day"},
    "every": "day",
    "at": "07:00",
    "timezone": "Europe/Oslo",
    "to": ["board@help.example.org"],
    "format": "csv",
    "active": True,
}
CSV = b"interval,created\r\n2026-11-28,7\r\n"


@dataclass
class Reporting:
    """What the stand-in for reporting answers, and what it was asked."""

    status: str = "200 OK"
    body: bytes = CSV
    asked: list[Asked] = field(default_factory=list)

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if not asked.target.startswith("/api/v1/reports/"):
            return await applied(asked, writer)
        self.asked.append(asked)
        kind = "text/csv" if self.status.startswith("200") else "application/problem+json"
        writer.write(response(self.status, self.body, content_type=kind))
        return True

    @property
    def last(self) -> dict[str, list[str]]:
        """The query of the last request."""
        return parse_qs(urlsplit(self.asked[-1].target).query)


@pytest.fixture
def reporting(gateway: Gateway) -> Reporting:
    made = Reporting()
    gateway.service.behaviour = made
    return made


@pytest.fixture
async def runner(gateway: Gateway) -> AsyncIterator[ReportRunner]:
    blobs = BlobStore("memory:///")
    async with http_client(0.5) as client:
        signing_key, _ = gateways_keys()
        yield ReportRunner(Store(gateway.pool, "gateway"), blobs, Reports(client, gateway.services, signing_key))
    blobs.close()
    failpoints.arm("")


async def runs(client: Client, slug: str = "daily") -> list[dict[str, Any]]:
    answer = await client.get(f"/report-schedules/{slug}/runs")
    assert answer.status == 200, answer
    items: list[dict[str, Any]] = answer.body["items"]
    return items


async def saved(client: Client, **changed: Any) -> Answer:
    document = {**DAILY, **changed}
    answer = await client.put(f"/report-schedules/{document['slug']}", document)
    assert answer.status in (200, 201), answer
    return answer


async def passes(gateway: Gateway, by: timedelta) -> None:
    """Lets time pass for all timers."""
    await gateway.pool.execute("UPDATE gateway.report_timers SET due_at = due_at - $1::interval", by)


async def prepared(runner: ReportRunner, run: dict[str, Any]) -> ReportPrepared:
    """The only event of a run."""
    (event,) = await runner.store.load(UUID(run["id"]))
    assert isinstance(event.payload, ReportPrepared)
    return event.payload


async def due(gateway: Gateway, runner: ReportRunner) -> None:
    """Makes the schedules due and carries out what follows."""
    await passes(gateway, timedelta(days=1))
    await runner.start_due()
    while await runner.work():
        pass


@requirement("A10.13")
async def test_a_schedule_is_saved_read_and_retired(gateway: Gateway, reporting: Reporting) -> None:
    admin = await gateway.admin()
    made = await admin.put("/report-schedules/daily", DAILY)
    assert made.status == 201, made
    assert {name: made.body[name] for name in DAILY} == DAILY
    assert (await admin.put("/report-schedules/daily", made.body)).status == 200
    assert [each["slug"] for each in (await admin.get("/report-schedules")).body["items"]] == ["daily"]
    assert (await admin.delete("/report-schedules/daily")).status == 204
    history = (await admin.get("/report-schedules/daily/history")).body["items"]
    assert [event["type"] for event in history] == [
        "helpdesk.ReportScheduleSaved.v1",
        "helpdesk.ReportScheduleRetired.v1",
    ]
    assert (await admin.post("/report-schedules/daily/send")).status == 404


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"every": "hour"}, "/every"),
        ({"at": "25:00"}, "/at"),
        ({"at": "7:00"}, "/at"),
        ({"timezone": "Mars/Base"}, "/timezone"),
        ({"timezone": "../etc/passwd"}, "/timezone"),
        ({"format": "doc"}, "/format"),
        ({"to": []}, "/to"),
        ({"to": ["no address"]}, "/to/0"),
        ({"to": ["a@b@c"]}, "/to/0"),
        ({"to": ["board@help.example.org"] * 51}, "/to"),
        ({"active": "yes"}, "/active"),
        ({"parameters": {"from": "2026-01-01"}}, "/parameters/from"),
        ({"parameters": {"format": "csv"}}, "/parameters/format"),
        ({"parameters": {"queue": ["it"] * 51}}, "/parameters/queue"),
        ({"parameters": {"queue": {"deep": 1}}}, "/parameters/queue"),
        ({"parameters": {str(n) * 3: 1 for n in range(21)}}, "/parameters"),
        ({"report": "../../internal"}, "/report"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_wrong_value_is_named(
    gateway: Gateway, reporting: Reporting, changed: dict[str, Any], pointer: str
) -> None:
    admin = await gateway.admin()
    answer = await admin.put("/report-schedules/daily", {**DAILY, **changed})
    assert answer.status == 422, answer
    assert any(error["pointer"].startswith(pointer) for error in answer.body["errors"]), answer.body


@pytest.mark.parametrize(
    ("status", "errors", "expected", "pointer"),
    [
        ("404 Not Found", [], 422, "/report"),
        ("422 Unprocessable", [{"pointer": "/query/x", "detail": "Unknown."}], 422, "/parameters/x"),
        ("422 Unprocessable", [{"pointer": "/query/format", "detail": "Unknown."}], 422, "/format"),
        ("422 Unprocessable", [], 422, "/parameters"),
        ("403 Forbidden", [], 403, None),
        ("503 Unavailable", [], 503, None),
        ("500 Error", [], 503, None),
    ],
)
async def test_reporting_has_to_make_such_a_report(
    gateway: Gateway,
    reporting: Reporting,
    status: str,
    errors: list[dict[str, str]],
    expected: int,
    pointer: str | None,
) -> None:
    admin = await gateway.admin()
    reporting.status, reporting.body = status, orjson.dumps({"detail": "No.", "errors": errors})
    answer = await admin.put("/report-schedules/daily", DAILY)
    assert answer.status == expected, answer
    if pointer is not None:
        assert [error["pointer"] for error in answer.body["errors"]] == [pointer]
    assert (await admin.get("/report-schedules")).body["items"] == []


async def test_a_report_is_tried_with_the_parameters_and_rights_of_the_administrator(
    gateway: Gateway, reporting: Reporting
) -> None:
    admin = await gateway.admin()
    await saved(admin, parameters={"queue": ["it", "hr"], "escalated": True, "priority": 3})
    assert reporting.last["queue"] == ["it", "hr"] and reporting.last["priority"] == ["3"]
    assert reporting.last["escalated"] == ["true"] and reporting.last["format"] == ["csv"]
    payload = (reporting.asked[-1].get(HEADER.lower()) or "").partition(".")[0]
    who = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["who"]
    assert (who["login"], who["timezone"]) == ("admin", "Europe/Oslo")  # the schedule's zone, whatever the admin's


async def test_only_administrators_have_report_schedules(gateway: Gateway, reporting: Reporting) -> None:
    await saved(await gateway.admin())
    for who in (await gateway.person("kari", "agent"), await gateway.person("per", "customer")):
        assert (await who.get("/report-schedules")).status == 403
        assert (await who.get("/report-schedules/daily")).status == 404
        assert (await who.put("/report-schedules/daily", DAILY)).status == 403
        assert (await who.post("/report-schedules/daily/send")).status == 403
        assert (await who.post("/report-schedules/nothing/send")).status == 403
        assert (await who.get("/report-schedules/daily/runs")).status == 403


@requirement("A10.13")
async def test_a_due_report_is_handed_to_notify_once(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await saved(admin)
    await runner.start_due()
    assert await runs(admin) == []
    await due(gateway, runner)
    (run,) = await runs(admin)
    assert (run["state"], run["recipients"], run["attempts"]) == ("mailed", ["board@help.example.org"], 1)
    event = await prepared(runner, run)
    assert await runner.blobs.get(event.file.blob.sha256) == CSV
    assert (event.file.name, event.file.blob.type) == ("daily.csv", "text/csv")
    schedule = ReportSchedule.model_validate({"id": event.schedule.id, **DAILY})
    period = covered(schedule, event.due_at)
    assert (event.starts_at, event.ends_at) == (period.starts_at, period.ends_at)
    assert datetime.fromisoformat(reporting.last["from"][0]) == period.starts_at
    await runner.start_due()
    assert not await runner.work()
    assert len(await runs(admin)) == 1


async def test_the_runs_say_what_became_of_their_mails_if_notify_answers(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await saved(admin)
    await due(gateway, runner)
    (run,) = await runs(admin)
    assert run["mail"] is None, "the stand-in for notify knows nothing of it"
    known = {run["id"]: {"state": "failed", "reason": "550 no such mailbox"}}

    async def notify(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        assert asked.target == f"/internal/report-mails?run={run['id']}"
        writer.write(response(body=orjson.dumps(known), content_type="application/json"))
        return True

    gateway.service.behaviour = notify
    assert (await runs(admin))[0]["mail"] == {"state": "failed", "reason": "550 no such mailbox"}


async def test_after_a_stop_over_several_due_times_the_latest_is_sent(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await saved(admin)
    await passes(gateway, timedelta(days=9))
    await runner.start_due()
    while await runner.work():
        pass
    (run,) = await runs(admin)
    assert run["state"] == "mailed"
    age = datetime.now(UTC) - (await prepared(runner, run)).due_at
    assert timedelta(0) <= age <= timedelta(days=1)


async def test_many_workers_send_it_once(gateway: Gateway, reporting: Reporting, runner: ReportRunner) -> None:
    admin = await gateway.admin()
    await saved(admin)
    await passes(gateway, timedelta(days=1))
    others = [ReportRunner(runner.store, runner.blobs, runner.reports) for _ in range(4)]
    await asyncio.gather(*(each.start_due() for each in others))
    await asyncio.gather(*(each.work() for each in others))
    (run,) = await runs(admin)
    await prepared(runner, run)
    assert len(reporting.asked) == 2, "once when it was saved, once for the run"


@pytest.mark.parametrize("point", ["reports.after_start", "reports.before_record", "append.before_commit"])
async def test_a_worker_that_dies_leaves_it_to_the_next(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner, point: str
) -> None:
    admin = await gateway.admin()
    await saved(admin)
    await passes(gateway, timedelta(days=1))
    failpoints.arm(f"{point}=raise")
    with pytest.raises(FailpointRaised):
        await runner.start_due()
        await runner.work()
    failpoints.arm("")
    await gateway.pool.execute("UPDATE gateway.report_runs SET attempt_at = now()")  # the lease ends
    await runner.start_due()
    while await runner.work():
        pass
    (run,) = await runs(admin)
    await prepared(runner, run)


async def test_a_run_and_its_event_follow_from_the_due_time(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    """A database that was restored from a backup sends a run again; notify recognises it."""
    admin = await gateway.admin()
    known = UUID((await saved(admin)).body["id"])
    await due(gateway, runner)
    (run,) = await runs(admin)
    at = (await prepared(runner, run)).due_at
    assert UUID(run["id"]) == report_runs.run_id(known, at)
    (event,) = await runner.store.load(UUID(run["id"]))
    await gateway.pool.execute("DELETE FROM gateway.report_runs")
    await gateway.pool.execute("UPDATE gateway.report_timers SET due_at = $1", at)
    await runner.start_due()
    assert await runner.work()
    (again,) = await runs(admin)
    assert (again["id"], again["state"]) == (run["id"], "mailed")
    assert await runner.store.load(UUID(run["id"])) == [event]
    assert event.id == uuid5(event.stream, "prepared")


async def test_a_worker_that_lost_its_lease_sends_nothing(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await saved(admin)
    await passes(gateway, timedelta(days=1))
    await runner.start_due()
    slow = await report_runs.claim(gateway.pool)
    assert slow is not None
    await gateway.pool.execute("UPDATE gateway.report_runs SET attempt_at = now()")
    while await runner.work():
        pass
    assert not await report_runs.finish(gateway.pool, slow, "failed", "too late")
    (run,) = await runs(admin)
    assert run["state"] == "mailed"


async def test_while_reporting_is_away_it_waits_and_the_next_one_takes_its_place(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await saved(admin)
    reporting.status = "503 Unavailable"
    await due(gateway, runner)
    (run,) = await runs(admin)
    assert run["state"] == "waiting" and "503" in run["reason"] and run["next_attempt_at"] is not None
    # The next day comes.
    await gateway.pool.execute(
        "UPDATE gateway.report_runs SET due_at = due_at - interval '1 day', run_id = $1", UUID(int=5)
    )
    reporting.status = "200 OK"
    await due(gateway, runner)
    later, earlier = await runs(admin)
    assert (later["state"], earlier["state"]) == ("mailed", "skipped")
    assert "before the next one was due" in earlier["reason"]


async def test_a_report_that_reporting_refuses_by_now_fails_with_its_words(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await saved(admin)
    reporting.status = "422 Unprocessable"
    reporting.body = orjson.dumps({"errors": [{"pointer": "/query/queue", "detail": "No such queue."}]})
    await due(gateway, runner)
    (run,) = await runs(admin)
    assert run["state"] == "failed" and "No such queue." in run["reason"]


async def test_a_recipient_who_has_left_is_left_out(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await gateway.person("kari", "agent")
    await gateway.person("ola", "agent")
    await saved(admin, to=["kari", "ola", "OLA@help.example.org", "board@help.example.org"])
    await admin.delete("/people/kari")
    person = (await admin.get("/people/ola")).body
    await admin.put("/people/ola", person | {"email": "ola.new@help.example.org"})
    await due(gateway, runner)
    (run,) = await runs(admin)
    assert run["recipients"] == ["ola.new@help.example.org", "ola@help.example.org", "board@help.example.org"]
    assert [each["recipient"] for each in run["left_out"]] == ["Kari"]
    assert (await saved(admin, to=["ola", (await admin.get("/people/kari")).body["id"]])).status == 200


async def test_an_address_that_only_a_former_person_has_is_left_out(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await gateway.person("kari", "agent")
    await saved(admin, to=["kari@help.example.org"])
    await admin.delete("/people/kari")
    await due(gateway, runner)
    (run,) = await runs(admin)
    assert (run["state"], run["reason"]) == ("failed", NOBODY)
    assert [each["recipient"] for each in run["left_out"]] == ["kari@help.example.org"]


async def test_it_stops_when_the_last_editor_is_no_administrator_until_another_one_saves_it(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    boss = await gateway.person("boss", "admin")
    await saved(boss)
    person = (await admin.get("/people/boss")).body
    assert (await admin.put("/people/boss", person | {"roles": ["agent"]})).status == 200
    await due(gateway, runner)
    (run,) = await runs(admin)
    assert run["state"] == "failed" and run["reason"].startswith("Boss saved the schedule last")
    assert (await saved(admin)).headers["ETag"] == '"1"', "nothing has changed, but somebody else answers for it"
    assert (await admin.post("/report-schedules/daily/send")).status == 202
    assert await runner.work()
    assert (await runs(admin))[0]["state"] == "mailed"


@requirement("A10.13")
async def test_it_is_sent_now_once_for_each_request(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await saved(admin, active=False)
    key = {"Idempotency-Key": "k1"}
    first = await admin.post("/report-schedules/daily/send", headers=key)
    assert first.status == 202 and first.body["state"] == "waiting", first
    again = await admin.post("/report-schedules/daily/send", headers=key)
    assert (again.status, again.body) == (202, first.body) and again.headers["Idempotent-Replayed"] == "true"
    while await runner.work():
        pass
    (run,) = await runs(admin)
    assert run["id"] == first.body["id"] and run["state"] == "mailed" and run["asked_by"] is not None
    assert (await admin.post("/report-schedules/nothing/send")).status == 404


async def test_what_waits_of_a_retired_schedule_is_not_sent(
    gateway: Gateway, reporting: Reporting, runner: ReportRunner
) -> None:
    admin = await gateway.admin()
    await saved(admin)
    await passes(gateway, timedelta(days=1))
    await runner.start_due()
    await admin.delete("/report-schedules/daily")
    assert not await runner.work()
    assert [run["state"] for run in await runs(admin)] == ["skipped"]


async def test_a_changed_time_takes_the_place_of_the_old_one(gateway: Gateway, reporting: Reporting) -> None:
    admin = await gateway.admin()
    await saved(admin)
    before = await gateway.pool.fetchval("SELECT due_at FROM gateway.report_timers")
    await passes(gateway, timedelta(days=3))
    await saved(admin, name="Another name")
    assert await gateway.pool.fetchval("SELECT due_at FROM gateway.report_timers") == before - timedelta(days=3)
    await saved(admin, at="08:00")
    moved = await gateway.pool.fetchval("SELECT due_at FROM gateway.report_timers")
    assert moved > datetime.now(UTC)
    await saved(admin, active=False)
    assert await gateway.pool.fetchval("SELECT due_at FROM gateway.report_timers") is None
