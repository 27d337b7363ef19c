"""The languages of the desk, and which one suits a person."""

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "nb", "sv", "nl", "ru"]
LOCALES: Mapping[Language, str] = {"en": "en_GB", "nb": "nb_NO", "sv": "sv_SE", "nl": "nl_NL", "ru": "ru_RU"}
"""How dates and times are written in each language."""
NEAR: Mapping[str, Language] = {"no": "nb", "nn": "nb", "da": "nb"}
"""Languages without a catalogue whose readers understand another one better than the desk's."""


def language_of(*wanted: str | None, otherwise: Language = "en") -> Language:
    """The first wanted language that there is, by tags such as `nb`, `nb-NO` or `no`."""
    for tag in wanted:
        primary = (tag or "").lower().replace("_", "-").partition("-")[0]
        if primary in LOCALES:
            return primary  # type: ignore[return-value]
        if primary in NEAR:
            return NEAR[primary]
    return otherwise
