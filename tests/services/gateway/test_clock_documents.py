"""Calendars and service level agreements as documents (A21.14)."""

from typing import Any

import pytest

from tests.services.gateway.conftest import Gateway
from tests.specs.requirement import requirement

OFFICE = {
    "slug": "office",
    "name": "Office hours",
    "timezone": "Europe/Oslo",
    "hours": {"mon": [["08:00", "12:00"], ["12:30", "16:00"]], "sun": [["22:00", "24:00"]]},
    "holidays": "NO",
    "days_off": ["2026-12-24"],
    "days_on": ["2026-12-25"],
}
IT = {"slug": "it", "name": "IT", "members": []}
SLA = {"slug": "standard", "name": "Standard", "order": 1, "solution_minutes": 9}


@requirement("A21.14")
async def test_a_calendar_is_shown_as_it_was_saved(gateway: Gateway) -> None:
    admin, kari = await gateway.admin(), await gateway.person("kari", "agent")
    saved = await admin.put("/calendars/office", OFFICE)
    assert saved.status == 201, saved
    shown = (await kari.get("/calendars/office")).body
    assert {name: shown[name] for name in OFFICE} == OFFICE
    changed = await admin.put("/calendars/office", {**shown, "holidays": None}, headers={"If-Match": '"1"'})
    assert changed.status == 200 and changed.body["holidays"] is None
    assert (await admin.put("/calendars/office", OFFICE, headers={"If-Match": '"1"'})).status == 412
    history = (await admin.get("/calendars/office/history")).body["items"]
    assert [event["type"] for event in history] == ["helpdesk.CalendarSaved.v1"] * 2
    assert history[0]["data"]["document"]["holidays"] == "NO"


@requirement("A21.14")
async def test_a_document_is_shown_as_it_was_and_goes_back(gateway: Gateway) -> None:
    admin, kari = await gateway.admin(), await gateway.person("kari", "agent")
    await admin.put("/calendars/office", OFFICE)
    await admin.put("/calendars/office", {**OFFICE, "holidays": None})
    await admin.delete("/calendars/office")
    was = await admin.get("/calendars/office?version=1")
    assert was.status == 200 and was.body["holidays"] == "NO" and was.body["version"] == 1, was
    assert not was.body["retired"] and "ETag" not in was.headers
    assert (await admin.get("/calendars/office?version=2")).body["holidays"] is None
    assert (await admin.get("/calendars/office?version=3")).body["retired"] is True
    for version, status in (("4", 404), ("0", 422), ("x", 422), ("99999999999", 422)):
        assert (await admin.get(f"/calendars/office?version={version}")).status == status
    assert (await kari.get("/calendars/office?version=1")).status == 403
    back = await admin.put("/calendars/office", was.body)
    assert back.status == 200 and (back.body["holidays"], back.body["version"]) == ("NO", 4)


@requirement("A21.14")
@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"hours": {}}, "/hours"),
        ({"hours": {"mon": []}}, "/hours"),
        ({"hours": None}, "/hours"),
        ({"hours": {"monday": []}}, "/hours/monday"),
        ({"hours": {"mon": [["16:00", "08:00"]]}}, "/hours/mon/0"),
        ({"hours": {"mon": [["08:00", "08:00"]]}}, "/hours/mon/0"),
        ({"hours": {"mon": [["08:00", "12:00"], ["11:59", "16:00"]]}}, "/hours/mon/1"),
        ({"hours": {"mon": [["11:00", "16:00"], ["08:00", "12:00"]]}}, "/hours/mon/1"),
        ({"hours": {"mon": [["00:00", "24:00"], ["08:00", "09:00"]]}}, "/hours/mon/1"),
        ({"hours": {"mon": [["8:00", "12:00"]]}}, "/hours/mon/0/0"),
        ({"hours": {"mon": [["08:00", "24:01"]]}}, "/hours/mon/0/1"),
        ({"hours": {"mon": [["08:00"]]}}, "/hours/mon/0/1"),
        ({"hours": {"mon": [["00:00", "24:00"]] * 25}}, "/hours/mon"),
        ({"holidays": "XX"}, "/holidays"),
        ({"holidays": "Norway"}, "/holidays"),
        ({"days_off": ["2026-02-30"]}, "/days_off/0"),
        ({"days_on": ["2026-12-24", "2026-12-24T00:00:00"]}, "/days_on/1"),
        ({"days_on": [20261224]}, "/days_on/0"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_what_is_wrong_with_a_calendar_is_named(gateway: Gateway, wrong: dict[str, Any], pointer: str) -> None:
    answer = await (await gateway.admin()).put("/calendars/office", {**OFFICE, **wrong})
    assert answer.status == 422, answer
    assert pointer in {error["pointer"] for error in answer.body["errors"]}, answer


async def test_hours_may_touch(gateway: Gateway) -> None:
    hours = {"mon": [["12:00", "16:00"], ["08:00", "12:00"]]}
    assert (await (await gateway.admin()).put("/calendars/office", {**OFFICE, "hours": hours})).status == 201


@requirement("A21.14", "A4.07")
async def test_an_sla_names_documents_that_then_cannot_be_retired(gateway: Gateway) -> None:
    admin, kari, per = (
        await gateway.admin(),
        await gateway.person("kari", "agent"),
        await gateway.person("per", "customer"),
    )
    await admin.put("/calendars/office", OFFICE)
    it = (await admin.put("/queues/it", IT)).body["id"]
    await admin.put("/companies/acme", {"slug": "acme", "name": "Acme"})
    await admin.put("/topics/broken", {"slug": "broken", "name": "Broken", "queue": "it"})
    await admin.put("/states/waits", {"slug": "waits", "name": "waits", "type": "pending_reminder"})
    names = {"calendar": "office", "queues": [it], "companies": ["acme"], "topics": ["broken"], "pauses_in": ["waits"]}
    saved = await admin.put("/slas/standard", {**SLA, **names, "priorities": [4, 5], "first_answer_minutes": 0.5})
    assert saved.status == 201, saved
    assert saved.body["queues"] == ["it"] and saved.body["warn_percent"] == 80 and saved.body["update_minutes"] is None
    assert (await kari.get("/slas/standard")).body["priorities"] == [4, 5]
    assert (await per.get("/slas/standard")).status == 404 and (await per.get("/slas")).body["items"] == []
    for path in ("/calendars/office", "/queues/it", "/companies/acme", "/topics/broken", "/states/waits"):
        used = await admin.delete(path)
        assert used.status == 409 and "sla: standard" in used.body["detail"], used
    assert (await admin.put("/slas/standard", SLA)).status == 200
    for path in ("/calendars/office", "/topics/broken", "/queues/it", "/companies/acme", "/states/waits"):
        assert (await admin.delete(path)).status == 204, path


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"calendar": "no-such"}, "/calendar"),
        ({"solution_minutes": 0}, "/solution_minutes"),
        ({"solution_minutes": -1}, "/solution_minutes"),
        ({"update_minutes": 1_000_000_000}, "/update_minutes"),
        ({"first_answer_minutes": "10"}, "/first_answer_minutes"),
        ({"warn_percent": 101}, "/warn_percent"),
        ({"warn_percent": 0}, "/warn_percent"),
        ({"pauses_in": ["open", "no-such"]}, "/pauses_in/1"),
        ({"queues": ["no-such"]}, "/queues/0"),
        ({"companies": ["no-such"]}, "/companies/0"),
        ({"topics": ["no-such"]}, "/topics/0"),
        ({"priorities": [3, 6]}, "/priorities/1"),
        ({"order": -1}, "/order"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_what_is_wrong_with_an_sla_is_named(gateway: Gateway, wrong: dict[str, Any], pointer: str) -> None:
    answer = await (await gateway.admin()).put("/slas/standard", {**SLA, **wrong})
    assert answer.status == 422, answer
    assert pointer in {error["pointer"] for error in answer.body["errors"]}, answer
