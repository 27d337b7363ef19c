"""What hostile mails try with a helpdesk, from their bytes to what leaves. docs/security/mail.md lists every class with its tests."""

import asyncio
import bz2
import contextlib
import socket
import zlib
from dataclasses import replace
from email import message_from_bytes, policy
from uuid import uuid4

import pytest

from deploy.local.ports import free_ports
from services.intake.mail.reading import read
from services.intake.mailroom.envelope import Envelope
from services.intake.transports.lmtp.server import LmtpServer
from shared.contracts.intake import AutomaticMailReceived, CustomerMessageReceived, TicketOpened
from shared.rules.message_ids import make
from shared.testing.progress import until
from tests.security.installation import Installation
from tests.services.intake.reception import mail

FIELDS = {
    "message-id", "date", "from", "to", "subject", "in-reply-to", "references", "auto-submitted", "x-auto-response-suppress",
    "mime-version", "content-type", "content-transfer-encoding",
}  # fmt: skip
"""Of a receipt: no other may get in."""


@pytest.mark.parametrize(
    "name",
    [
        "=?utf-8?q?Per=0D=0ABcc=3A_victim=40elsewhere=2Eexample?=",
        "=?utf-8?b?UGVyDQpCY2M6IHZpY3RpbUBlbHNld2hlcmUuZXhhbXBsZQ0KDQpidXk=?=",
        '"Per\\\r\n Bcc: victim@elsewhere.example"',
        "=?utf-8?q?Per=E2=80=A8Bcc=3A_victim=40elsewhere=2Eexample?=",
        '"Per\\" <victim@elsewhere.example>, \\""',
        "=?utf-8?q?Per=3C=2F?= =?utf-8?q?victim=40elsewhere=2Eexample=3E=2C?=",
    ],
)
async def test_no_name_or_subject_becomes_a_field_of_ours(desk: Installation, name: str) -> None:
    await desk.take(
        mail(subject=name, From=f"{name} <per@customer.example>", Message_ID="<a@b>\r\n\tX-Evil: 1"),
        "per@customer.example",
    )
    (receipt,) = desk.mails
    assert receipt.recipients == ("per@customer.example",)
    made = message_from_bytes(receipt.content, policy=policy.default)
    assert {field.lower() for field in made} <= FIELDS
    assert len(made.get_all("to", [])) == len(made.get_all("subject", [])) == 1
    assert [each.addr_spec for each in made["to"].addresses] == ["per@customer.example"]
    assert made.defects == []


@pytest.mark.parametrize(
    ("reply_to", "reached"),
    [
        ("", "victim@elsewhere.example"),
        ("second@elsewhere.example, seventh@elsewhere.example", "second@elsewhere.example"),
        (", ".join(f"n{n}@elsewhere.example" for n in range(9)), "victim@elsewhere.example"),
    ],
)
async def test_a_receipt_carries_nothing_of_a_mail_and_goes_to_one_address(
    desk: Installation, reply_to: str, reached: str
) -> None:
    """Whoever forges a sender gets neither their words nor more than one stranger per mail reached."""
    await desk.take(
        mail(
            "WIN AT http://evil.example",
            "BUY AT http://evil.example",
            From='"WIN AT http://evil.example" <victim@elsewhere.example>',
            Reply_To=reply_to,
            Cc="third@elsewhere.example",
            Disposition_Notification_To="fourth@elsewhere.example",
            Return_Receipt_To="fifth@elsewhere.example",
        ),
        "sixth@elsewhere.example",
    )
    (receipt,) = desk.mails
    assert receipt.recipients == (reached,)
    assert not any(words in receipt.content for words in (b"evil.example", b"BUY", b"WIN"))
    assert receipt.sender == ""  # what it leads to comes back to nobody


async def test_a_code_of_somebody_elses_service_stays_out_of_the_customers_sight(desk: Installation) -> None:
    """Who can read a ticket must not get codes that a service sends to an address of ours: by number or by the ticket's own address."""
    first = await desk.take(mail(From="Mallory <m@evil.example>"), "m@evil.example")
    code = mail(f"[Ticket#{first.number}] Your code is 123456", From="Service <noreply@service.example>")
    told = await desk.take(code, "bounce@service.example")
    assert told.ticket_id == first.ticket_id
    event = (await desk.events(first.ticket_id))[-1]
    assert isinstance(event, CustomerMessageReceived)
    assert (event.standing, event.no_answer) == ("unverified", True)


@pytest.mark.parametrize("known", ["number", "customers", "guessed"])
async def test_a_forged_report_marks_no_mail_of_ours(desk: Installation, known: str) -> None:
    """A report belongs to the ticket whose Message-ID it returns; nobody can make one up, and nothing less counts."""
    first = await desk.take(mail(Message_ID="<known@customer.example>"), "per@customer.example")
    assert first.ticket_id is not None
    returned = {
        "number": "<x@help.example>",
        "customers": "<known@customer.example>",
        "guessed": make(b"another key", first.ticket_id, uuid4(), "help.example"),
    }[known]
    report = mail(
        f"Undelivered: [Ticket#{first.number}]",
        "\r\n".join(
            (
                "--b", "Content-Type: text/plain", "", "It could not be delivered.",
                "--b", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example", "",
                "Final-Recipient: rfc822; per@customer.example", "Action: failed", "Status: 5.1.1",
                "--b", "Content-Type: text/rfc822-headers", "", f"Message-ID: {returned}", "", "--b--",
            )
        ),
        From="MAILER-DAEMON <mailer-daemon@evil.example>",
        Content_Type='multipart/report; report-type=delivery-status; boundary="b"',
    )  # fmt: skip
    told = await desk.take(report, "")
    assert told.outcome == "bounce_recorded"
    assert not [each for each in await desk.events(first.ticket_id) if isinstance(each, AutomaticMailReceived)]


@pytest.mark.parametrize(
    ("charset", "content"),
    [
        ("utf-7", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-"),
        ("x-user-defined", b"\xf7\xbc<script>alert(1)</script>"),
        ("iso-2022-jp", b"\x1b$B<script>alert(1)\x1b(B</script>"),
        ("utf-16", "<script>alert(1)</script>".encode("utf-16")),
        ("utf-16", b"<script>alert(1)</script>"),
        ("utf-32", "<img src=x onerror=alert(1)>".encode("utf-32")),
        ("hz", b"~{<script>alert(1)~}</script>"),
        ("unicode_escape", b"\\u003cscript\\u003ealert(1)"),
        ("rot13", b"<fpevcg>nyreg(1)</fpevcg>"),
        ("cp037", "<script>alert(1)</script>".encode("cp037")),
        ("utf-8\x00", b"<scr\x00ipt>alert(1)</scr\x00ipt>"),
        ("utf-8", b"\xc0\xbcscript\xc0\xbealert(1)"),
    ],
)
def test_no_charset_brings_a_script_in(charset: str, content: bytes) -> None:
    """Rich text is made safe after it was decoded, once, and shown as UTF-8: nobody decodes it another way."""
    raw = f'From: a@b.example\r\nContent-Type: text/html; charset="{charset}"\r\n\r\n'.encode() + content
    found = read(raw)
    shown = (found.html or "").lower()
    assert "<script" not in shown
    assert "onerror" not in shown.replace("&lt;img src=x onerror", "")
    assert "\x00" not in found.text


@pytest.mark.parametrize("codec", ["zlib", "bz2", "zip", "hex", "base64", "zlib_codec"])
def test_no_codec_inflates_anything(codec: str) -> None:
    """Python has codecs that unpack; a mail may ask for any by name."""
    packed = bz2.compress(bytes(50_000_000)) if codec == "bz2" else zlib.compress(bytes(50_000_000))
    for kind in ("plain", "html"):
        found = read(f'From: a@b.example\r\nContent-Type: text/{kind}; charset="{codec}"\r\n\r\n'.encode() + packed)
        assert len(found.text) + len(found.html or "") < 4 * len(packed)


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n\x00.\r\n", b"\r\r\n.\r\r\n"]
)
async def test_what_only_looks_like_the_end_of_a_mail_ends_none(end: bytes) -> None:
    """A second mail, smuggled in behind what one server takes for an end and another does not, stays words of the first."""
    taken: list[tuple[bytes, Envelope]] = []

    async def deliver(raw: bytes, envelope: Envelope) -> str:
        taken.append((raw, envelope))
        return "1"

    (port,) = free_ports(1)
    listener = asyncio.create_task(LmtpServer(f"127.0.0.1:{port}", deliver).run())
    smuggled = (
        b"MAIL FROM:<boss@help.example>\r\nRCPT TO:<it@help.example>\r\nDATA\r\nFrom: boss@help.example\r\n\r\nPay.\r\n"
    )
    content = b"From: a@b.example\r\n\r\nHello." + end + smuggled

    def talk() -> None:
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as connection:
            file = connection.makefile("rb")
            connection.sendall(
                b"LHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<it@help.example>\r\nDATA\r\n"
                + content
                + b"\r\n.\r\nQUIT\r\n"
            )
            assert file.read().count(b"250 2.0.0 taken") == 1

    async def listens() -> bool:
        with contextlib.suppress(OSError):
            await asyncio.to_thread(lambda: socket.create_connection(("127.0.0.1", port)).close())
            return True
        return False

    try:
        await until(listens)
        await asyncio.to_thread(talk)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    ((raw, envelope),) = taken
    assert envelope.sender == "a@b.example"
    assert b"Pay." in raw


async def test_one_who_writes_without_end_fills_one_ticket(desk: Installation) -> None:
    rules = replace(desk.mailroom.rules, tickets_a_day=2)
    desk.mailroom = replace(desk.mailroom, rules=rules)
    tickets = {(await desk.take(mail(f"matter {n}"), "per@customer.example")).ticket_id for n in range(6)}
    assert len(tickets) == 2
    assert len(desk.mails) == 2
    opened = [each for ticket in tickets for each in await desk.events(ticket) if isinstance(each, TicketOpened)]
    assert len(opened) == 2
