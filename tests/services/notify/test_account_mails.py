"""Mails to people about their sign-in: kept once, sent soon, and no trace of a link afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import ASGITransport, AsyncClient

from services.notify.account_mails import api, rows
from services.notify.account_mails.letters import SUBJECTS, AccountMail, Letters
from services.notify.account_mails.sender import AccountMailSender
from services.notify.sending.transports.smtp import Smtp
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.languages.known import LOCALES
from shared.languages.translator import Translator
from shared.rules import message_ids
from shared.rules.access import Identity
from shared.runtime import failpoints
from shared.testing.keys import KEYS, SIGNING
from tests.services.notify.desk import MailServer, Notify
from tests.specs.requirement import requirement

LINK = "https://desk.example.org/password/new/the-secret-of-the-link"
KEY = b"the key of the mails of this test"
LETTERS = Letters(KEY, "help.example.org", Translator())


def asked(**more: Any) -> AccountMail:
    now = datetime.now(UTC)
    values = {
        "id": uuid4(),
        "kind": "reset_link",
        "email": "kari@customer.example",
        "name": "Kari",
        "language": None,
        "timezone": None,
        "at": now,
        "expires_at": now + timedelta(minutes=30),
        "link": LINK,
    }
    return AccountMail.model_validate(values | more)


async def keep(desk: Notify, mail: AccountMail) -> UUID:
    await rows.keep(desk.pool, mail.id, mail.kind, LETTERS.mail(mail), "customer.example", mail.expires_at)
    return mail.id


async def row(desk: Notify, mail: UUID) -> dict[str, Any]:
    found = await desk.pool.fetchrow("SELECT * FROM notify.account_mails WHERE id = $1", mail)
    assert found is not None
    return dict(found)


async def work(desk: Notify, server: MailServer) -> None:
    one = AccountMailSender(desk.pool, Smtp(server.server))
    try:
        while await one.send_one():
            pass
    finally:
        await one.transport.close()


async def hurry(desk: Notify) -> None:
    await desk.pool.execute("UPDATE notify.account_mails SET due_at = now() WHERE due_at IS NOT NULL")


@requirement("A19.07")
async def test_a_link_is_sent_once_and_then_forgotten(desk: Notify, server: MailServer) -> None:
    mail = asked()
    for _ in range(2):
        await keep(desk, mail)
    await work(desk, server)
    await keep(desk, mail)
    await work(desk, server)
    (sent,) = server.mails()
    assert LINK in sent.get_content().replace("=\n", "") and sent["Subject"] == "Choose a new password"
    assert (
        sent["Auto-Submitted"] == "auto-generated"
        and sent["From"].addresses[0].addr_spec == "no-reply@help.example.org"
    )
    assert server.received[0].mail_from == "<>", "a bounce would bring the link back into the desk"
    kept = await row(desk, mail.id)
    assert (kept["outcome"], kept["content"], kept["due_at"]) == ("sent", None, None)
    assert await desk.pool.fetchval("SELECT count(*) FROM es.events") == 0, "no event and so no topic has it"


async def test_a_server_that_takes_nothing_now_gets_it_later(desk: Notify, server: MailServer) -> None:
    server.recipient = lambda _: "450 later"
    mail = await keep(desk, asked())
    await work(desk, server)
    kept = await row(desk, mail)
    assert kept["outcome"] is None and kept["attempts"] == 1 and "450" in kept["last_error"]
    server.recipient = lambda _: None
    await hurry(desk)
    await work(desk, server)
    assert len(server.received) == 1 and (await row(desk, mail))["outcome"] == "sent"


async def test_after_its_time_a_link_is_not_sent(desk: Notify, server: MailServer) -> None:
    mail = await keep(desk, asked(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    await work(desk, server)
    kept = await row(desk, mail)
    assert server.received == [] and (kept["outcome"], kept["content"]) == ("expired", None)


async def test_an_address_that_no_server_takes_is_given_up(desk: Notify, server: MailServer) -> None:
    server.recipient = lambda _: "550 nobody here"
    mail = await keep(desk, asked())
    await work(desk, server)
    kept = await row(desk, mail)
    assert (kept["outcome"], kept["content"]) == ("failed", None)


@pytest.mark.parametrize(
    ("queue", "domain", "waits"),
    [(None, None, True), (None, "customer.example", True), (None, "other.example", False), (uuid4(), None, False)],
)
async def test_a_pause_holds_for_these_mails_too(
    desk: Notify, server: MailServer, queue: UUID | None, domain: str | None, waits: bool
) -> None:
    await desk.pool.execute(
        "INSERT INTO notify.pauses (pause, queue_id, domain, by_id, by_name, reason) VALUES ($1, $2, $3, $1, '', '')",
        uuid4(), queue, domain,
    )  # fmt: skip
    await keep(desk, asked())
    await work(desk, server)
    assert (server.received == []) is waits


async def test_a_sender_that_dies_sends_the_same_mail_again(desk: Notify, server: MailServer) -> None:
    await keep(desk, asked())
    failpoints.arm("account_mails.after_send=raise")
    with pytest.raises(failpoints.FailpointRaised):
        await work(desk, server)
    failpoints.arm("")
    await hurry(desk)
    await work(desk, server)
    assert len({mail["Message-ID"] for mail in server.mails()}) == 1 and len(server.received) == 2


async def test_finished_rows_go_after_two_days(desk: Notify, server: MailServer) -> None:
    old, new = await keep(desk, asked()), await keep(desk, asked())
    await work(desk, server)
    await desk.pool.execute("UPDATE notify.account_mails SET expires_at = now() - interval '3 days' WHERE id = $1", old)
    await rows.purge(desk.pool)
    assert [each["id"] for each in await desk.pool.fetch("SELECT id FROM notify.account_mails")] == [new]


@requirement("A21.06")
@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_mail_is_in_the_language_and_zone_of_its_reader(language: str, kind: str) -> None:
    at = datetime(2026, 11, 30, 9, 20, tzinfo=UTC)
    link = LINK if kind == "reset_link" else None
    mail = LETTERS.mail(asked(kind=kind, language=language, timezone="Europe/Oslo", at=at, expires_at=at, link=link))
    assert "10:20 CET" in mail.text and "Kari" in mail.text and (LINK in mail.text) == (link is not None)
    english = LETTERS.mail(asked(kind=kind, at=at, expires_at=at, link=link))
    assert (mail.subject == english.subject) == (language == "en")
    assert "://" not in mail.text.replace(LINK, ""), "no other mail has a link"


@pytest.mark.parametrize(
    "wrong", [{"link": None}, {"kind": "password_set"}, {"kind": "other"}, {"at": "2026-01-01T00:00:00"}]
)
def test_a_mail_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="AccountMail"):
        asked(**wrong)


def test_a_mail_that_comes_back_to_the_desk_is_known_as_its_own() -> None:
    """Intake ignores it (`services/intake/mail/verdict.py`), so that nobody reads the link in a ticket."""
    mail = asked()
    assert message_ids.tickets_named(KEY, LETTERS.mail(mail).message_id) == [mail.id]


def test_a_name_is_no_template() -> None:
    mail = LETTERS.mail(asked(name="{link} {0.__class__} %s\nBcc: x"))
    assert "Hello {link} {0.__class__} %s Bcc: x," in mail.text
    assert mail.text.count(LINK) == 1


async def test_only_the_gateway_hands_mails_over(desk: Notify, server: MailServer) -> None:
    app = application(Health("notify", "api"), keys=KEYS, routers=[api.router(desk.pool, LETTERS)])
    mail = asked()
    body = mail.model_dump(mode="json")

    async def given(kind: Any, content: Any) -> int:
        who = Identity(person_id=UUID(int=0), kind=kind, login="gateway", name="gateway", email="")
        headers = {HEADER: sign(who, "notify", SIGNING)}
        async with AsyncClient(transport=ASGITransport(app), base_url="http://notify") as client:
            return (await client.post("/internal/account-mails", json=content, headers=headers)).status_code

    for kind in ("admin", "agent", "customer"):
        assert await given(kind, body) == 404
    assert await given("service", body | {"kind": "other"}) == 422
    assert await desk.pool.fetchval("SELECT count(*) FROM notify.account_mails") == 0
    assert [await given("service", body) for _ in range(2)] == [204, 204]
    await work(desk, server)
    assert len(server.received) == 1
