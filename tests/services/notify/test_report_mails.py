"""A prepared report becomes a mail with the file, once, whatever comes twice (A10.13)."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.notify import ticket
from services.notify.sending import deliveries
from services.notify.ticket.commands import RequestReportMail
from services.notify.ticket.reports import outcomes_of
from shared.blobs.store import BlobStore
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.parts import Address, Attachment, Blob
from shared.contracts.reports import (
    ReportMailDelayed,
    ReportMailFailed,
    ReportMailRequested,
    ReportMailSent,
    ReportMailSuppressed,
    ReportPrepared,
    ScheduleRef,
)
from shared.contracts.topics import REPORTS, TICKETS
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Context
from shared.testing.documents import seed
from shared.testing.progress import until
from tests.servers import Kafka
from tests.services.notify.desk import OUTCOMES, MailServer, Notify, notify, sending, smtp
from tests.services.notify.test_outgoing import opened
from tests.services.notify.test_pipeline import Running, process
from tests.specs.notify.tickets import mail, person
from tests.specs.requirement import requirement

NOV = datetime(2026, 11, 1, 6, tzinfo=UTC)
SCHEDULE = ScheduleRef(id=UUID(int=77), slug="monthly", name="Tickets of\nthe month")
FILE = Attachment(id=UUID(int=78), name="monthly.csv", blob=Blob(sha256="0" * 64, size=3, type="text/csv"))


def prepared(*to: str, file: Attachment = FILE) -> ReportPrepared:
    return ReportPrepared(
        schedule=SCHEDULE,
        report="volume",
        due_at=NOV,
        starts_at=datetime(2026, 9, 30, 22, tzinfo=UTC),
        ends_at=datetime(2026, 10, 31, 23, tzinfo=UTC),
        timezone="Europe/Oslo",
        to=tuple(Address(email=each) for each in to),
        file=file,
    )


@pytest.fixture
async def running(
    postgres: Any, kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    async with notify(postgres) as one, process(one, kafka, tmp_path / "sent", monkeypatch) as made:
        yield made


@requirement("A10.13")
async def test_a_report_is_mailed_once_with_its_file(running: Running) -> None:
    blobs = BlobStore((running.sent.parent / "blobs").as_uri())
    file = FILE.model_copy(update={"blob": await blobs.put(b"interval,created\r\n", "text/csv")})
    run, board = uuid4(), f"board-{uuid4().hex[:8]}@help.example.org"
    event = await running.happens(run, prepared(board, file=file))
    requested, sent = await running.until_events(run, 2)
    assert isinstance(requested.payload, ReportMailRequested) and isinstance(sent.payload, ReportMailSent)
    assert requested.causation_id == event.id and requested.payload.TOPIC == REPORTS != TICKETS
    (mail,) = running.mails(board)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == "Tickets of the month: 2026-10-01 to 2026-10-31"
    assert str(mail["Message-ID"]).strip() == requested.payload.mail.message_id
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("monthly.csv", "text/csv")
    assert attached.get_payload(decode=True) == b"interval,created\r\n"
    body = mail.get_body(("plain",))
    assert body is not None and re.search(r'The report "volume" for 2026-10-01 to 2026-10-31', body.get_content())

    await running.again(event)
    other = uuid4()
    await running.happens(other, prepared(board, file=file))
    await running.until_events(other, 2)
    assert len(await running.notify.events(run)) == 2
    assert len(running.mails(board)) == 2


def requesting(one: Notify) -> CommandRunner[Any, ticket.Ticket]:
    return CommandRunner(one.store, "report-run", ticket)


async def request(one: Notify, *to: str, own: frozenset[str] = frozenset()) -> UUID:
    """Requests the mail of a run, as the policy does."""
    run, notification = uuid4(), uuid4()
    written = mail(message_id=f"<{run.hex}@help.example.org>", to=tuple(Address(email=each) for each in to))
    async with requesting(one).transaction() as (connection, unit):
        await unit.load(run)
        unit.decide(run, RequestReportMail(notification, written, own), Context(Actor("service", "notify")))
        appended = await unit.record()
        await deliveries.schedule(connection, appended.events)
    return run


async def settled(one: Notify, run: UUID) -> list[Recorded]:
    async def probe() -> list[Recorded] | None:
        events = await one.events(run)
        return events if isinstance(events[-1].payload, OUTCOMES) else None

    found = await until(probe)
    assert found is not None
    return found


async def test_who_left_while_it_waited_gets_nothing(desk: Notify, server: MailServer) -> None:
    kari, ola = person(1, "Kari"), person(2, "Ola")
    await seed(desk.url, kari, ola)
    await desk.pool.execute("UPDATE directory.documents SET retired = true WHERE id = $1", kari.id)
    alone = await request(desk, kari.email)
    both = await request(desk, kari.email, ola.email, "board@help.example")
    async with sending(desk, smtp(server)):
        (_, withheld) = await settled(desk, alone)
        events = await settled(desk, both)
    assert isinstance(withheld.payload, ReportMailSuppressed) and "not in use any more" in withheld.payload.reason
    assert {type(event.payload) for event in events} == {ReportMailRequested, ReportMailSuppressed, ReportMailSent}
    assert [each.rcpt_tos for each in server.received] == [[ola.email, "board@help.example"]]
    assert await desk.waiting() == []


async def test_an_address_that_somebody_has_again_gets_it(desk: Notify, server: MailServer) -> None:
    kari = person(1, "Kari")
    again = person(3, "Kari").model_copy(update={"email": kari.email})
    await seed(desk.url, kari, again)
    await desk.pool.execute("UPDATE directory.documents SET retired = true WHERE id = $1", kari.id)
    run = await request(desk, kari.email)
    async with sending(desk, smtp(server)):
        assert isinstance((await settled(desk, run))[-1].payload, ReportMailSent)


def test_what_became_of_a_mail_follows_from_its_events() -> None:
    sent, requested, failed, withheld, delayed = (
        each.TYPE
        for each in (ReportMailSent, ReportMailRequested, ReportMailFailed, ReportMailSuppressed, ReportMailDelayed)
    )
    for events, outcome in (
        ([(requested, "")], ("waiting", "")),
        ([(requested, ""), (delayed, "451 later")], ("waiting", "451 later")),
        ([(requested, ""), (delayed, "451 later"), (sent, "")], ("sent", "")),
        ([(requested, ""), (failed, "550 no")], ("failed", "550 no")),
        ([(requested, ""), (withheld, "Kari left")], ("withheld", "Kari left")),
        ([(requested, ""), (withheld, "Kari left"), (sent, "")], ("sent", "Kari left")),
        ([(requested, ""), (sent, ""), (withheld, "Kari left")], ("sent", "Kari left")),
        ([(withheld, "no address")], ("withheld", "no address")),
        ([(requested, ""), ("helpdesk.ReportMailRead.v1", "")], ("waiting", "")),
    ):
        run = uuid4()
        assert outcomes_of((run, type_name, reason) for type_name, reason in events) == {run: outcome}


async def test_no_report_goes_to_a_queue_of_our_own(desk: Notify) -> None:
    run = await request(desk, "it@help.example.org", own=frozenset({"it@help.example.org"}))
    (event,) = await desk.events(run)
    assert isinstance(event.payload, ReportMailSuppressed)


async def test_the_list_of_outgoing_mail_shows_it_without_a_ticket_and_it_can_be_given_up(desk: Notify) -> None:
    run = await request(desk, "board@help.example")
    async with opened(desk) as room:
        (item,) = (await room.done("GET", "/mails"))["items"]
        assert (item["ticket"], item["report_run"], item["kind"]) == (None, str(run), "report")
        answer = await room.call("POST", f"/mails/{item['id']}/give-up", {"reason": "Wrong board."})
        assert answer.status_code == 200 and "X-Consistency-Token" not in answer.headers
    assert isinstance((await desk.events(run))[-1].payload, ReportMailFailed)
    assert await desk.waiting() == []
