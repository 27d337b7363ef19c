"""The desk's language is a setting of every service that writes to people."""

import pytest

from shared.languages.known import LOCALES
from shared.languages.setting import NAME, desk_language
from shared.settings import SettingMissing
from tests.specs.requirement import requirement


@requirement("A21.06")
def test_the_desks_language_is_english_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert desk_language() == "en"
    for language in LOCALES:
        monkeypatch.setenv(NAME, language)
        assert desk_language() == language


@pytest.mark.parametrize("named", ["", "fr", "NB", "nb-NO", "norsk"])
def test_a_language_without_a_catalogue_is_refused(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, named)
    with pytest.raises(SettingMissing, match=NAME):
        desk_language()
