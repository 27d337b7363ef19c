"""The words, dates and times of mails and notices in the language of their reader (A21.06).

Source texts are English and mark themselves: `N_("...")` for a text that is declared in one place and used in another,
`gettext` and `ngettext` of a `Translator` for one that is used where it stands. `python -m deploy.translations` takes
them into the catalogues (`catalogues/nb.po` and the others), which are translated by hand.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.core import Locale
from babel.dates import format_date, format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from shared.languages.known import LOCALES, Language, language_of
from shared.rules.zones import zone_named

CATALOGUES = Path(__file__).parent / "catalogues"
"""One `.po` file for each language but English."""


def N_(message: str) -> str:
    """Marks a text for the catalogues; it is translated where it is used."""
    return message


@dataclass(frozen=True, slots=True)
class Translator:
    """Texts, dates and times for one reader: their language and the time zone in which they read times."""

    language: Language = "en"
    zone: tzinfo = UTC

    def gettext(self, message: str, /, **values: object) -> str:
        """The text in the reader's language. `{name}` stands for the value of that name."""
        found = _catalogue(self.language).gettext(message)
        return found.format(**values) if values else found

    def ngettext(self, singular: str, plural: str, number: int, /, **values: object) -> str:
        """The form of the text for a number, which `{number}` stands for."""
        return _catalogue(self.language).ngettext(singular, plural, number).format(number=number, **values)

    def moment(self, when: datetime) -> str:
        """A date and time as people read it, such as `30 November 2026, 10:20 CET`.

        A mail may claim a time that has no place in the calendar of the zone: that one is shown as it is.
        """
        try:
            local = when.astimezone(self.zone)
            return f"{self.day(local.date())}, {self.time(when)}"
        except (OverflowError, ValueError):
            return str(when)

    def figures(self, when: datetime) -> str:
        """A date and time that readers of every language understand, such as `2026-11-30 10:20 CET`."""
        try:
            return f"{when.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"
        except (OverflowError, ValueError):
            return str(when)

    def day(self, day: date) -> str:
        """A date, such as `30 November 2026`."""
        written = format_date(day, "long", locale=_locale(self.language))
        return " ".join(written.split())  # without spaces of special kinds, which plain mails show badly

    def time(self, when: datetime) -> str:
        """The time of a moment, such as `10:20 CET`."""
        local = when.astimezone(self.zone)
        return f"{format_skeleton('Hm', local, locale=_locale(self.language))} {local.tzname()}"


def translator(*wanted: str | None, zone: str | None = None, desk: "Translator") -> Translator:
    """The translator for a reader: their language (the first one that there is) and zone, else those of the desk."""
    return Translator(language_of(*wanted, otherwise=desk.language), zone_named(zone, desk.zone))


@cache
def _catalogue(language: Language) -> NullTranslations:
    """The catalogue, compiled in memory: what people review is what is used."""
    if language == "en":
        return NullTranslations()
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(LOCALES[language])
