"""A report by mail, through every service: made by reporting, handed on by the gateway, sent by notify (A10.13)."""

import uuid
from email.message import EmailMessage
from typing import Any

from shared.testing.progress import until
from tests.specs.requirement import requirement
from tests.system.desk import Desk
from tests.system.harness import System

DUE = "UPDATE gateway.report_timers SET due_at = due_at - interval '40 days' WHERE schedule_id = $1::uuid"


def schedule(desk: Desk, **more: Any) -> dict[str, Any]:
    unique = uuid.uuid4().hex[:8]
    return {
        "slug": f"plan-{unique}",
        "name": "Tickets of the month",
        "report": "volume",
        "parameters": {"queue": desk.queue, "interval": "day"},
        "every": "month",
        "at": "03:07",
        "timezone": "Europe/Oslo",
        "to": [f"board-{unique}@reports.example"],
        "format": "csv",
        "active": True,
    } | more


async def mailed(desk: Desk, document: dict[str, Any]) -> EmailMessage:
    """The only mail of a schedule."""

    async def found() -> list[EmailMessage]:
        return [mail for mail in desk.sent() if document["to"][0] in str(mail["To"])]

    (mail,) = await until(found)
    return mail


@requirement("A10.13")
async def test_a_report_is_sent_by_mail(desk: Desk) -> None:
    document = schedule(desk)
    await desk.saved(f"/report-schedules/{document['slug']}", document)
    run = await desk.done("POST", f"/report-schedules/{document['slug']}/send")
    assert run["state"] == "waiting"
    mail = await mailed(desk, document)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert str(mail["Subject"]).startswith("Tickets of the month: ")
    (file,) = mail.iter_attachments()
    content = file.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert file.get_filename() == f"{document['slug']}.csv"
    assert "interval,created,closed" in content.decode("utf-8-sig")
    assert len(content.splitlines()) >= 29, "a row for each day of the month before"

    async def known() -> Any:
        (run,) = (await desk.done("GET", f"/report-schedules/{document['slug']}/runs"))["items"]
        return run if run["mail"] is not None and run["mail"]["state"] == "sent" else None

    shown = await until(known)
    assert (shown["state"], shown["recipients"]) == ("mailed", document["to"])


@requirement("A10.13")
async def test_a_gateway_that_dies_while_a_report_is_due_sends_it_once(desk: Desk, system: System) -> None:
    document = schedule(desk, format="xlsx")
    await desk.saved(f"/report-schedules/{document['slug']}", document)
    known = (await desk.done("GET", f"/report-schedules/{document['slug']}"))["id"]
    system["gateway"].stop()
    system["gateway"].start("reports.before_record=exit")
    await desk.rows("gateway", DUE, known)

    async def died() -> bool:
        return not system["gateway"].runs

    await until(died)
    await desk.rows("gateway", "UPDATE gateway.report_runs SET attempt_at = now() WHERE schedule_id = $1::uuid", known)
    system.heal()
    mail = await mailed(desk, document)
    (file,) = mail.iter_attachments()
    assert (file.get_filename() or "").endswith(".xlsx")
    runs = (await desk.done("GET", f"/report-schedules/{document['slug']}/runs"))["items"]
    assert [(run["state"], run["attempts"]) for run in runs] == [("mailed", 2)]


async def test_what_reporting_does_not_know_is_refused(desk: Desk) -> None:
    for wrong, pointer in (
        ({"report": "colours"}, "/report"),
        ({"parameters": {"x": 1}}, "/parameters/x"),
        ({"parameters": {"by": "colour"}}, "/parameters/by"),
    ):
        document = schedule(desk) | wrong
        answer = await desk.call("PUT", f"/report-schedules/{document['slug']}", document)
        assert answer.status == 422, answer
        assert [error["pointer"] for error in answer.body["errors"]] == [pointer], answer.body
