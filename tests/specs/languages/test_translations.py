"""Every text that people are sent is there in every language, with the same variables."""

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog
from hypothesis import given
from hypothesis import strategies as st

from deploy import translations
from shared.languages.known import LOCALES, Language, language_of
from shared.languages.translator import Translator, translator
from tests.specs.requirement import requirement

OSLO = ZoneInfo("Europe/Oslo")
MOMENT = datetime(2026, 11, 30, 9, 20, tzinfo=UTC)


@requirement("A21.06")
def test_every_text_is_translated_into_every_language() -> None:
    texts = translations.extracted()
    assert len(texts) > 5
    for language in LOCALES:
        if language != "en":
            assert list(translations.faults(language, texts)) == []


def test_the_catalogues_are_up_to_date() -> None:
    assert translations.main(["--check"]) == 0, "run python -m deploy.translations"


def test_a_missing_translation_and_a_wrong_variable_are_found() -> None:
    texts = Catalog()
    texts.add("A text that no catalogue has, for {name}")
    (fault,) = [each for each in translations.faults("nb", texts) if "no such text" not in each]
    assert fault == "nb: not translated: A text that no catalogue has, for {name}"
    assert translations.places("{a} {{ b.c }} {% if x %}{ }") == ["{% if x %}", "{a}", "{{ b.c }}"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("nb",), "nb"), (("nb-NO",), "nb"), (("no",), "nb"), (("nn",), "nb"), (("NN_no",), "nb"), (("sv-FI",), "sv"),
        (("en-GB",), "en"), (("ru",), "ru"), (("nl-BE",), "nl"), (("fr",), "ru"), ((None,), "ru"), ((), "ru"),
        ((None, "sv"), "sv"), (("fr", "nl"), "nl"), (("",), "ru"), (("norsk",), "ru"),
    ],
)  # fmt: skip
def test_the_language_of_a_reader(wanted: tuple[str | None, ...], found: str) -> None:
    """The desk's is Russian here."""
    assert language_of(*wanted, otherwise="ru") == found


@requirement("A21.06")
@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "30 November 2026, 10:20 CET"),
        ("nb", "30. november 2026, 10:20 CET"),
        ("sv", "30 november 2026, 10:20 CET"),
        ("nl", "30 november 2026, 10:20 CET"),
        ("ru", "30 ноября 2026 г., 10:20 CET"),
    ],
)
def test_dates_and_times_in_each_language(language: Language, text: str) -> None:
    say = Translator(language, OSLO)
    assert say.moment(MOMENT) == text and text.startswith(say.day(date(2026, 11, 30)))


def test_a_time_that_no_calendar_has_is_shown_as_it_is() -> None:
    assert Translator("nb", OSLO).moment(datetime.max.replace(tzinfo=UTC)).startswith("9999-12-31")


def test_a_zone_that_nobody_knows_any_more_is_the_desks() -> None:
    for name in (None, "", "Mars/Olympus", "../../etc/passwd", "\x00", "Europe"):
        assert translator("nb", zone=name, desk=Translator("nb", OSLO)).zone is OSLO
    assert translator("sv", zone="Asia/Tokyo", desk=Translator("nb", OSLO)) == Translator("sv", ZoneInfo("Asia/Tokyo"))
    assert translator("fr", None, desk=Translator("nb", OSLO)) == Translator("nb", OSLO)


@given(st.text(max_size=100))
def test_what_is_put_in_is_never_read_as_a_text_of_ours(name: str) -> None:
    assert Translator("en").gettext("Hello {name}!", name=name) == f"Hello {name}!"


def test_the_plural_forms_of_russian() -> None:
    """One, few, many: the rule is the catalogue's own."""
    catalogue = Catalog(locale="ru")
    assert catalogue.num_plurals == 3 and re.search(r"n % 10 == 1", str(catalogue.plural_expr))
