"""Mails are in the language and the time zone of their reader (A21.06)."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.quoting.quote_marks import is_forward
from services.intake.mail.quoting.reply import parse_reply
from services.intake.mail.quoting.shown_headers import label
from services.notify.notices.mails import CLOSING, OPENING, STATES, mail_of
from services.notify.notices.to_agents import TO_AGENTS
from services.notify.notices.to_customers import TO_CUSTOMERS
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.writing import wording
from services.notify.writing.mail_body import BodyParts, text_of
from services.notify.writing.mail_builder import MailBuilder
from shared import templates
from shared.contracts.directory import Person
from shared.contracts.parts import Address, Message
from shared.directory.copy import Queues
from shared.languages.known import LOCALES, Language, language_of
from shared.languages.translator import Translator
from tests.specs.notify.tickets import DOMAIN, IT, KARI, KEY, NUMBER, TICKET, TITLE
from tests.specs.requirement import requirement

OSLO = ZoneInfo("Europe/Oslo")
DUE = "2026-11-30T09:20:00+00:00"
DETAILS: dict[str, dict[str, str]] = {
    "customer": {"name": "Per Hansen", "email": "per@customer.example"},
    "message": {"text": "It hums."},
    "holder": {"name": "Ola"},
    "deadline": {"clock": "update", "sla": "Gold"},
    "time": {"due": DUE},
}
GREETING: dict[Language, str] = {"en": "Hello", "nb": "Hei", "sv": "Hej", "nl": "Goedendag", "ru": "Здравствуйте,"}


def reader(language: str | None, zone: str | None = None) -> Person:
    return Person(
        id=KARI.id, login="kari", name="Kari", email="kari@help.example.org", language=language, timezone=zone
    )


def builder(language: Language = "en", zone: str = "UTC") -> MailBuilder:
    return MailBuilder(Queues, KEY, DOMAIN, zone=ZoneInfo(zone), language=language)


def mailed(one: Person, wordings: list[str], desk: MailBuilder | None = None, **facts: Any) -> tuple[str, str]:
    """Subject and text of a mail with such notices."""
    notices = [(uuid4(), each, DETAILS) for each in wordings]
    mail = mail_of(desk or builder(), TICKET, TicketFacts(NUMBER, TITLE, IT, **facts), one, notices).mail
    return mail.subject, mail.text


@requirement("A21.06", "A10.01")
@pytest.mark.parametrize("notice", TO_AGENTS, ids=lambda each: each.wording)
def test_a_notice_is_in_the_language_and_zone_of_its_reader(notice: Any) -> None:
    texts = set()
    for language in LOCALES:
        subject, text = mailed(reader(language, "Europe/Oslo"), [notice.wording])
        assert text.startswith(f"{GREETING[language]} Kari") and NUMBER in text and TITLE in text
        assert "{" not in text and "%" not in text and "2026-11-30" not in text
        assert "time.due" not in notice.text or "10:20 CET" in text
        texts.add((subject, text))
    assert len(texts) == len(LOCALES)


@requirement("A21.06")
def test_somebody_who_has_chosen_nothing_reads_as_the_desk_does() -> None:
    (text,) = {mailed(reader(None), ["reminder/"], builder("sv", "Europe/Stockholm"))[1] for _ in range(2)}
    assert text.startswith("Hej Kari") and "30 november 2026, 10:20 CET" in text
    assert mailed(reader("fr"), ["reminder/"], builder("ru"))[1].startswith("Здравствуйте, Kari!")


@pytest.mark.parametrize(
    ("language", "number", "words"),
    [
        ("en", 1, "There is 1 more notice."),
        ("en", 2, "There are 2 more notices."),
        ("nb", 1, "Det er 1 varsel til."),
        ("nb", 21, "Det er 21 varsler til."),
        ("ru", 1, "Есть ещё 1 уведомление."),
        ("ru", 3, "Есть ещё 3 уведомления."),
        ("ru", 5, "Есть ещё 5 уведомлений."),
        ("ru", 11, "Есть ещё 11 уведомлений."),
        ("ru", 21, "Есть ещё 21 уведомление."),
        ("ru", 112, "Есть ещё 112 уведомлений."),
    ],
)
def test_numbers_have_the_plural_of_their_language(language: str, number: int, words: str) -> None:
    _, text = mailed(reader(language), ["moved/"] * (20 + number))
    assert words in text


@requirement("A21.06", "A10.03")
@pytest.mark.parametrize("notice", TO_CUSTOMERS.values(), ids=lambda each: each.kind)
def test_customers_have_their_notices_in_every_language(notice: Any) -> None:
    for language in LOCALES:
        say = Translator(language)
        for name in ("Per", ""):
            for title in (TITLE, ""):
                for more in ("yes", ""):
                    text = templates.render(
                        say.gettext(notice.text),
                        {
                            "customer": {"name": name, "email": "per@customer.example"},
                            "queue": {"name": "IT", "address": "it@help.example.org", "takes_more": more},
                            "ticket": {"number": NUMBER, "title": title},
                        },
                    )
                    assert text.startswith(GREETING[language].rstrip(",")) and NUMBER in text
                    assert (name in text, title in text) == (True, True) and "{" not in text
                    assert text.rstrip().endswith("IT") and "\n\n\n" not in text
        assert (say.gettext(notice.subject) == notice.subject) == (language == "en")


@pytest.mark.parametrize("text", [OPENING, CLOSING, *STATES.values()])
def test_the_frame_of_a_notice_is_translated_too(text: str) -> None:
    assert len({Translator(language).gettext(text) for language in LOCALES}) == len(LOCALES)


@given(
    st.sampled_from(list(LOCALES)),
    st.sampled_from(["Europe/Oslo", "Asia/Tokyo", "America/Sao_Paulo", "Europe/Moscow", "UTC"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
    st.booleans(),
)
def test_our_own_quotes_are_recognised_in_every_language(
    language: Language, zone: str, when: datetime, marked: bool
) -> None:
    """The customer answers below or above them (decision 0047)."""
    line = wording.attribution(Translator(language, ZoneInfo(zone)), language, when, "Per Hansen")
    quoted = "> It hums.\n> Loudly." if marked else "\nIt hums.\nLoudly."
    assert parse_reply(f"Takk, Kari!\n\n{line}\n{quoted}\n").new_text.strip() == "Takk, Kari!"


@pytest.mark.parametrize("language", LOCALES)
def test_our_own_forwards_are_recognised_in_every_language(language: Language) -> None:
    original = Message(
        id=uuid4(),
        channel="email",
        text="It hums.",
        subject="Noise",
        sender=Address(email="per@customer.example", name="Per"),
        to=(Address(email="it@help.example.org"),),
        written_at=datetime(2026, 11, 30, 9, 20, tzinfo=UTC),
    )
    text = text_of(
        Message(id=uuid4(), channel="email", text="Please look."),
        BodyParts(forwarded=original, say=Translator(language, OSLO)),
    )
    lines = text.split("\n")
    (start,) = [n for n, line in enumerate(lines) if is_forward(line) and n < 6]
    assert all(label(line) is not None for line in lines[start + 1 : start + 5])
    assert "10:20 CET" in lines[start + 3]


def test_a_language_that_has_an_attribution_alone_has_its_date_in_figures() -> None:
    say = Translator(language_of("de", otherwise="nb"), OSLO)
    line = wording.attribution(say, "de", datetime(2026, 11, 30, 9, 20, tzinfo=UTC), "Per")
    assert line == "Am 2026-11-30 10:20 CET schrieb Per:"
