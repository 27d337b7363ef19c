"""Real mail servers, configured as in docs/mail/servers.md: what they took over SMTP becomes a ticket once,
whenever intake is there."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.services.intake.reception import ADMIN, Reception, mail
from tests.services.intake.transports.mail_servers import SERVERS, MailServer, NotHere, postfix
from tests.specs.requirement import requirement


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, intake: Reception) -> Iterator[MailServer]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(SERVERS[request.param](intake))
        except NotHere as why:
            pytest.skip(str(why))
        yield running


def new_id() -> str:
    return f"<{uuid.uuid4()}@customer.example>"


def taken(intake: Reception, message_id: str) -> list[dict[str, Any]]:
    """What became of a mail and its copies, oldest first."""
    items = intake.call("GET", "/mails", who=ADMIN).body["items"]
    found = [intake.call("GET", f"/mails/{item['id']}", who=ADMIN).body for item in items]
    return [each for each in reversed(found) if each["message_id"] == message_id]


def arrived(server: MailServer, intake: Reception, message_id: str) -> dict[str, Any]:
    """The mail's only ticket, once the mail server has nothing left to do."""
    try:
        intake.until(lambda: taken(intake, message_id) and not server.waiting(), seconds=60)
    except AssertionError:
        raise AssertionError(f"{server.waiting()} mails wait\n{server.log()[-3000:]}") from None
    mails = taken(intake, message_id)
    assert len({each["ticket"]["id"] for each in mails}) == 1
    first: dict[str, Any] = mails[0]
    return first


@requirement("A1.01")
def test_a_mail_by_smtp_becomes_a_ticket(server: MailServer, intake: Reception) -> None:
    name = new_id()
    server.send(mail(Message_ID=name, text=".\r\n..\r\nFrom here\r\n."), "it@help.example")
    found = arrived(server, intake, name)
    assert (found["outcome"], found["envelope_from"]) == ("created", "per@customer.example")
    assert found["envelope_to"] == ["it@help.example"]
    raw = intake.call("GET", f"/mails/{found['id']}/raw", who=ADMIN).raw
    assert raw.endswith(b"\r\n\r\n.\r\n..\r\nFrom here\r\n.\r\n")


def test_a_report_keeps_its_null_sender(server: MailServer, intake: Reception) -> None:
    name = new_id()
    server.send(mail(Message_ID=name, subject="Undelivered Mail"), "it@help.example", sender="")
    assert arrived(server, intake, name)["envelope_from"] == ""


def test_mails_wait_while_nobody_listens(server: MailServer, intake: Reception) -> None:
    port = intake.lmtp[1]
    intake.stop()
    names = [new_id() for _ in range(3)]
    try:
        for name in names:
            server.send(mail(Message_ID=name), "it@help.example")
        intake.until(lambda: server.says_later in server.log().lower())
        intake.until(lambda: server.waiting() >= len(names))  # one that is just moved from queue to queue is in neither
    finally:
        intake.start(lmtp_port=port)
    for name in names:
        assert arrived(server, intake, name)["outcome"] == "created"
        assert len(taken(intake, name)) == 1


def test_addresses_of_any_alphabet(server: MailServer, intake: Reception) -> None:
    if not server.speaks_utf8:
        pytest.skip(f"{server.name} does not speak SMTPUTF8")
    name = new_id()
    raw = mail(Message_ID=name, From="Пётр <пётр@пример.example>", To="støtte@help.example", subject="Blåbær")
    server.send(raw, "støtte@help.example", sender="пётр@пример.example")
    found = arrived(server, intake, name)
    assert (found["envelope_from"], found["envelope_to"]) == ("пётр@пример.example", ["støtte@help.example"])
    assert (found["from"], found["subject"]) == ("пётр@пример.example", "Blåbær")


def test_a_mail_of_megabytes(server: MailServer, intake: Reception) -> None:
    name = new_id()
    server.send(mail(Message_ID=name, text="a line of a very long letter\r\n" * 1_000_000), "it@help.example")
    assert arrived(server, intake, name)["size"] > 30_000_000


def test_two_recipients_are_one_ticket(server: MailServer, intake: Reception) -> None:
    name = new_id()
    server.send(
        mail(Message_ID=name, To="it@help.example, sales@help.example"), "it@help.example", "sales@help.example"
    )
    found = arrived(server, intake, name)
    assert found["outcome"] == "created"
    if server.hands_over_once:
        assert sorted(found["envelope_to"]) == ["it@help.example", "sales@help.example"]
        assert len(taken(intake, name)) == 1


def test_postfix_with_the_pipe_command(intake: Reception) -> None:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postfix(intake, pipe=True))
        except NotHere as why:
            pytest.skip(str(why))
        name = new_id()
        server.send(mail(Message_ID=name), "it@help.example", "sales@help.example")
        found = arrived(server, intake, name)
        assert (found["outcome"], found["envelope_from"]) == ("created", "per@customer.example")
        assert sorted(found["envelope_to"]) == ["it@help.example", "sales@help.example"]
        port = intake.lmtp[1]
        intake.stop()
        late = new_id()
        server.send(mail(Message_ID=late), "it@help.example")
        intake.until(lambda: "deferred" in server.log())
        intake.start(lmtp_port=port)
        assert arrived(server, intake, late)["outcome"] == "created"
