"""The desk's language: that of readers who have chosen none."""

from shared.languages.known import LOCALES, Language
from shared.settings import SettingMissing, env

NAME = "LEDGERDESK_LANGUAGE"


def desk_language() -> Language:
    """Raises SettingMissing for a language without a catalogue."""
    named = env(NAME, "en")
    known: dict[str, Language] = {language: language for language in LOCALES}
    if named not in known:
        raise SettingMissing(f"{NAME} must be one of {', '.join(LOCALES)}")
    return known[named]
