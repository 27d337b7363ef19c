"""Waiting mails are sent once, failures are retried or recorded, and a repeat after a crash is recognisable."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.notify.sending import backoff, claims, deliveries, sender
from services.notify.sending.backoff import LATE_AFTER, RETRY_DELAYS
from services.notify.sending.transports.maildir import Maildir
from services.notify.writing.message import MOST_BYTES
from shared.blobs.store import BlobStore
from shared.contracts.notify import NotificationDelayed, NotificationFailed, NotificationSent
from shared.contracts.parts import Address, Attachment, Blob
from shared.runtime import failpoints
from shared.testing.progress import until
from tests.services.notify.desk import PER, MailServer, Notify, sending, smtp
from tests.specs.requirement import requirement


@requirement("A10.03")
async def test_a_waiting_mail_is_sent_and_recorded(desk: Notify, server: MailServer) -> None:
    ticket, notification = await desk.request()
    async with sending(desk, smtp(server)) as one:
        assert await desk.settled(one, ticket) == NotificationSent(
            notification=notification, transport="smtp", attempts=1
        )
    (envelope,) = server.received
    assert envelope.mail_from == "it@help.example.org"
    assert envelope.rcpt_tos == [PER]
    (mail,) = server.mails()
    assert mail["Message-ID"] == f"<{notification.hex}@help.example.org>"
    assert await desk.waiting() == []
    requested, sent = await desk.events(ticket)
    assert sent.causation_id == requested.id
    assert sent.correlation_id == requested.correlation_id


async def test_a_sender_is_woken_and_does_not_wait_for_its_poll(
    desk: Notify, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "POLL_SECONDS", 3600)
    async with sending(desk, smtp(server)) as one:
        ticket, _ = await desk.request()
        one.wake()
        assert await until(lambda: desk.outcome(ticket))


async def test_automatic_mail_has_an_empty_envelope_sender(desk: Notify, server: MailServer) -> None:
    ticket, _ = await desk.request(auto_submitted="auto-replied")
    async with sending(desk, smtp(server)) as one:
        await desk.settled(one, ticket)
    assert server.received[0].mail_from == "<>"


async def test_a_deferred_mail_is_tried_again(desk: Notify, server: MailServer) -> None:
    answers = iter(["451 greylisted", "421 too busy"])
    server.data = lambda _: next(answers, None)
    ticket, notification = await desk.request()
    async with sending(desk, smtp(server)) as one:
        assert await desk.settled(one, ticket) == NotificationSent(
            notification=notification, transport="smtp", attempts=3
        )
    assert len(server.received) == 1


async def test_a_permanent_refusal_is_recorded_at_once(desk: Notify, server: MailServer) -> None:
    server.recipient = lambda _: "550 5.1.1 no such user"
    ticket, notification = await desk.request()
    async with sending(desk, smtp(server)) as one:
        told = await desk.settled(one, ticket)
    assert told == NotificationFailed(
        notification=notification, transport="smtp", attempts=1, reason=f"{PER}: 550 5.1.1 no such user"
    )
    assert await desk.waiting() == []


@pytest.mark.parametrize("answer", ["554 5.7.1 looks like spam", "552 too large"])
async def test_a_mail_with_refused_content_is_given_up(desk: Notify, server: MailServer, answer: str) -> None:
    server.data = lambda _: answer
    ticket, _ = await desk.request()
    async with sending(desk, smtp(server)) as one:
        told = await desk.settled(one, ticket)
    assert isinstance(told, NotificationFailed)
    assert (told.reason, told.attempts) == (answer, 1)


async def test_retry_delays_grow_a_delay_is_recorded_and_after_five_days_the_mail_is_given_up(
    desk: Notify, server: MailServer
) -> None:
    server.recipient = lambda _: "450 mailbox busy"
    ticket, _ = await desk.request()
    pauses: list[float] = []
    async with sending(desk, smtp(server)) as one:
        for attempt in range(1, len(RETRY_DELAYS) + 1):

            async def tried(attempt: int = attempt) -> bool:
                return [(row["attempts"], bool(row["last_error"])) for row in await desk.waiting()] == [(attempt, True)]

            await until(tried)
            (row,) = await desk.waiting()
            pauses.append(row["pause"].total_seconds())
            await desk.hurry()
            one.wake()
        told = await until(lambda: desk.outcome(ticket))
    assert told is not None
    assert isinstance(told.payload, NotificationFailed)
    assert told.payload.attempts == len(RETRY_DELAYS) + 1
    assert "450 mailbox busy" in told.payload.reason
    assert all(
        0.7 * planned - 2 <= pause <= 1.21 * planned for pause, planned in zip(pauses, RETRY_DELAYS, strict=True)
    )
    assert 4.8 * 86_400 < sum(RETRY_DELAYS) < 5.2 * 86_400
    delayed = [
        event.payload for event in await desk.store.load(ticket) if isinstance(event.payload, NotificationDelayed)
    ]
    assert [(each.attempts, "450 mailbox busy" in each.reason) for each in delayed] == [(LATE_AFTER, True)]


async def test_no_mail_is_lost_while_the_server_is_unavailable(
    desk: Notify, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "SERVER_BACKOFF", (3600.0,))  # it is tried once
    away = MailServer(port=1)
    ticket, _ = await desk.request()
    async with sending(desk, smtp(away)):

        async def tried() -> bool:
            return [row["last_error"] for row in await desk.waiting()] == [
                "the mail server cannot be reached: SMTPConnectError"
            ]

        await until(tried)
    await desk.hurry()
    async with sending(desk, smtp(server)) as one:
        told = await desk.settled(one, ticket)
    assert isinstance(told, NotificationSent)
    assert told.attempts == 2


async def test_each_recipient_gets_the_mail_once_if_some_are_deferred_and_one_is_refused(
    desk: Notify, server: MailServer
) -> None:
    busy = {"b@x.example"}
    server.recipient = lambda who: "450 busy" if who in busy else "550 unknown" if who == "c@x.example" else None
    ticket, notification = await desk.request("a@x.example", "b@x.example", "c@x.example")
    async with sending(desk, smtp(server)) as one:

        async def tried() -> bool:
            return [row["remaining"] for row in await desk.waiting()] == [["b@x.example"]]

        await until(tried)
        busy.clear()
        told = await desk.settled(one, ticket)
    assert [e.rcpt_tos for e in server.received] == [["a@x.example"], ["b@x.example"]]
    assert told == NotificationFailed(
        notification=notification, transport="smtp", attempts=2, reason="c@x.example: 550 unknown"
    )


async def test_after_a_crash_between_reply_and_record_the_repeat_has_the_same_message_id(
    desk: Notify, server: MailServer
) -> None:
    """The crash is an error at the failpoint; test_crash.py kills the process there."""
    failpoints.arm("notify.after_send=raise")
    ticket, _ = await desk.request()
    async with sending(desk, smtp(server)) as one:

        async def tried() -> bool:
            return len(server.received) >= 1 and any(row["last_error"] for row in await desk.waiting())

        await until(tried)
        failpoints.arm("")
        told = await desk.settled(one, ticket)
    assert isinstance(told, NotificationSent)
    first, *repeats = server.received
    assert repeats
    assert all(again.content == first.content for again in repeats)


async def test_the_mail_of_a_dead_sender_is_claimed_again_after_its_lease(desk: Notify, server: MailServer) -> None:
    ticket, _ = await desk.request()
    (claimed,) = await claims.claim(desk.pool, "notify", 10)
    assert await claims.claim(desk.pool, "notify", 10) == []
    await desk.pool.execute("UPDATE notify.deliveries SET due_at = due_at - interval '60 s'")
    async with sending(desk, smtp(server)) as one:
        told = await desk.settled(one, ticket)
    assert isinstance(told, NotificationSent)
    assert told.attempts == claimed.attempts + 1


async def test_leases_are_renewed_while_a_server_is_slow(
    desk: Notify, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RENEW_SECONDS", 0.05)
    server.held = asyncio.Event()
    ticket, _ = await desk.request()
    async with sending(desk, smtp(server)) as one:

        async def prolonged() -> bool:
            (row,) = await desk.waiting()
            return bool(row["attempts"] == 1 and row["pause"].total_seconds() > 50)

        await until(prolonged)
        await desk.hurry()
        await until(prolonged)
        server.held.set()
        await desk.settled(one, ticket)
    assert len(server.received) == 1


async def test_a_mail_that_this_sender_holds_is_not_started_twice(desk: Notify, server: MailServer) -> None:
    server.held = asyncio.Event()
    ticket, _ = await desk.request()
    async with sending(desk, smtp(server)) as one:
        await until(lambda: _taken(desk, 1))
        await desk.hurry()  # its lease runs out, as while the database is away
        one.wake()
        await until(lambda: _taken(desk, 2))
        server.held.set()
        await desk.settled(one, ticket)
        await until(lambda: _let_go(one))
    assert len(server.received) == 1


async def _let_go(one: sender.Sender) -> bool:
    return not one._held


async def _taken(desk: Notify, times: int) -> bool:
    (row,) = await desk.waiting()
    return bool(row["attempts"] >= times)


async def test_parallel_senders_send_each_mail_once(desk: Notify, server: MailServer) -> None:
    tickets = [(await desk.request())[0] for _ in range(150)]
    async with sending(desk, smtp(server)), sending(desk, smtp(server)), sending(desk, smtp(server)):

        async def all_sent() -> bool:
            return await desk.waiting() == []

        await until(all_sent)
    assert len(server.received) == 150
    assert len({m["Message-ID"] for m in server.mails()}) == 150
    assert len(await desk.outcomes(tickets)) == 150
    assert len(server.sessions) <= 3 * smtp(server).parallel


async def test_two_mails_of_one_ticket_are_both_recorded_in_a_dense_stream(desk: Notify, server: MailServer) -> None:
    ticket, _ = await desk.request()
    await desk.request(ticket=ticket, expected=1)
    async with sending(desk, smtp(server)) as one:
        await until(lambda: _count(desk, ticket, 4))
        assert one is not None
    assert [e.version for e in await desk.events(ticket)] == [1, 2, 3, 4]


async def _count(desk: Notify, ticket: UUID, wanted: int) -> bool:
    return len(await desk.events(ticket)) == wanted


async def test_a_stopping_process_waits_for_the_mail_that_is_being_sent(desk: Notify, server: MailServer) -> None:
    server.held = asyncio.Event()
    ticket, _ = await desk.request()
    async with sending(desk, smtp(server)):

        async def on_its_way() -> bool:
            return server.asked > 0

        await until(on_its_way)
        asyncio.get_running_loop().call_later(0.1, server.held.set)
    assert await desk.outcome(ticket) is not None
    assert await desk.waiting() == []
    assert len(server.received) == 1


async def test_an_outcome_survives_a_lost_database_connection(
    desk: Notify, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is cut between the server's reply and the record: the sender keeps the outcome, and does not send
    again."""
    failing = 3
    done = deliveries.done

    async def flaky(connection: object, notifications: list[UUID]) -> None:
        nonlocal failing
        if failing:
            failing -= 1
            raise ConnectionResetError("cut")
        await done(connection, notifications)  # type: ignore[arg-type]

    monkeypatch.setattr(deliveries, "done", flaky)
    ticket, _ = await desk.request()
    async with sending(desk, smtp(server)):
        assert await until(lambda: desk.outcome(ticket))
    assert failing == 0
    assert len(server.received) == 1
    assert await desk.waiting() == []


async def test_an_attachment_is_sent_and_a_mail_with_a_missing_one_waits(desk: Notify, server: MailServer) -> None:
    blobs = BlobStore("memory:///")
    content = b"\x00\xff serial number" * 1000
    blob = await blobs.put(content, "application/pdf")
    good = Attachment(id=uuid4(), name="tegning åæø.pdf", blob=blob)
    lost = good.model_copy(update={"blob": blob.model_copy(update={"sha256": "0" * 64})})
    ticket, _ = await desk.request(attachments=(good,))
    late, _ = await desk.request(attachments=(lost,))
    async with sending(desk, smtp(server), blobs=blobs) as one:
        await until(lambda: desk.outcome(ticket))

        async def waits() -> bool:
            return [row["last_error"] for row in await desk.waiting()] == ["an attachment is not in the blob store"]

        await until(waits)
        assert one is not None
    (mail,) = server.mails()
    (part,) = mail.iter_attachments()
    assert part.get_filename() == "tegning åæø.pdf"
    assert part.get_content() == content
    assert await desk.outcome(late) is None


@requirement("A7.06")
async def test_bcc_recipients_get_the_mail_and_stay_hidden(desk: Notify, server: MailServer) -> None:
    ticket, _ = await desk.request(
        cc=(Address(email="b@x.example"),), bcc=(Address(email="c@x.example"),), html="<p>Please <b>do</b>.</p>"
    )
    async with sending(desk, smtp(server)) as one:
        await desk.settled(one, ticket)
    (envelope,) = server.received
    assert envelope.rcpt_tos == [PER, "b@x.example", "c@x.example"]
    assert b"c@x.example" not in (envelope.original_content or b"")
    (mail,) = server.mails()
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]


RAW = (
    b"Received: from x\r\nFrom: Per <per@customer.example>\r\nSubject: hums\r\nMessage-ID: <1@x>\r\n\r\n"
    b"\xe6\xf8\xe5\r\n.\r\n..two\r\n"
)


@requirement("A7.15")
async def test_a_mail_is_resent_byte_for_byte(desk: Notify, server: MailServer) -> None:
    blobs = BlobStore("memory:///")
    ticket, notification = await desk.request(resent=await blobs.put(RAW, "message/rfc822"), text="")
    async with sending(desk, smtp(server), blobs=blobs) as one:
        assert isinstance(await desk.settled(one, ticket), NotificationSent)
    (envelope,) = server.received
    content = envelope.original_content or b""
    assert content.endswith(RAW)
    assert content.startswith(b"Resent-Message-ID: <" + notification.hex.encode())
    assert (envelope.mail_from, envelope.rcpt_tos) == ("it@help.example.org", [PER])
    assert "BODY=8BITMIME" in envelope.mail_options


async def test_a_mail_whose_original_is_missing_waits(desk: Notify, server: MailServer) -> None:
    lost = Blob(sha256="0" * 64, size=3, type="message/rfc822")
    ticket, _ = await desk.request(resent=lost, text="")
    async with sending(desk, smtp(server), blobs=BlobStore("memory:///")):

        async def waits() -> bool:
            return [row["last_error"] for row in await desk.waiting()] == ["the mail is not in the blob store"]

        await until(waits)
    assert await desk.outcome(ticket) is None


async def test_attachments_that_are_too_large_together_are_recorded_as_a_failure(
    desk: Notify, server: MailServer
) -> None:
    """No file is read: their sizes stand in the event."""
    half = Blob(sha256="0" * 64, size=MOST_BYTES // 2 + 1, type="application/pdf")
    files = tuple(Attachment(id=uuid4(), name=f"{n}.pdf", blob=half) for n in range(2))
    ticket, notification = await desk.request(attachments=files)
    async with sending(desk, smtp(server), blobs=BlobStore("memory:///")) as one:
        told = await desk.settled(one, ticket)
    assert told == NotificationFailed(
        notification=notification,
        transport="smtp",
        attempts=1,
        reason="its attachments have 25.0 MiB together; a mail may have 25 MiB",
    )
    assert server.received == []


async def test_large_mails_wait_for_each_other_and_do_not_delay_small_ones(desk: Notify, server: MailServer) -> None:
    blobs = BlobStore("memory:///")
    large = Attachment(id=uuid4(), name="a.bin", blob=await blobs.put(bytes(sender.HEAVY_BYTES + 1)))
    server.held = asyncio.Event()
    heavy = [(await desk.request(attachments=(large,)))[0] for _ in range(sender.MOST_HEAVY + 2)]
    async with sending(desk, smtp(server), blobs=blobs) as one:

        async def on_their_way(wanted: int) -> bool:
            return server.asked == wanted

        await until(lambda: on_their_way(sender.MOST_HEAVY))
        await desk.request()
        one.wake()
        await until(lambda: on_their_way(sender.MOST_HEAVY + 1))
        server.held.set()
        for ticket in heavy:
            await desk.settled(one, ticket)
    assert len(server.received) == len(heavy) + 1


async def test_a_mail_that_crashes_every_sender_is_given_up_in_the_end(desk: Notify, server: MailServer) -> None:
    ticket, _ = await desk.request()
    await desk.pool.execute("UPDATE notify.deliveries SET attempts = 1000")
    async with sending(desk, smtp(server)) as one:
        told = await desk.settled(one, ticket)
    assert isinstance(told, NotificationFailed)
    assert server.received == []


async def test_an_unsendable_mail_is_recorded_as_a_failure(desk: Notify, server: MailServer) -> None:
    ticket, _ = await desk.request("nobody at all")
    async with sending(desk, smtp(server)) as one:
        told = await desk.settled(one, ticket)
    assert isinstance(told, NotificationFailed)
    assert told.reason == "an address is not a valid e-mail address"


async def test_the_maildir_is_a_transport_too(desk: Notify, tmp_path: Path) -> None:
    root = tmp_path / "sent"
    ticket, notification = await desk.request()
    async with sending(desk, Maildir(root)) as one:
        told = await desk.settled(one, ticket)
    assert told == NotificationSent(notification=notification, transport="maildir", attempts=1)
    assert len(list((root / "new").iterdir())) == 1
