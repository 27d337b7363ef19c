"""The language of a text, guessed from its script and its function words."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Language = Literal["nb", "sv", "nl", "ru", "en", "de", "fr", "es"]

FUNCTION_WORDS: dict[Language, str] = {
    "nb": "og i det på som er en til å av for at med de ikke den har jeg om et men var meg seg han hun vi fra du så ved"
    " nå kan ble også skal hva når etter eller noe blir hvor mitt min din vår står hei takk hilsen kunne",
    "sv": "och i att det som en på är av för med den till inte har de jag om ett men var sig han hon vi från du så vid"
    " nu kan blev också ska vad när efter eller något blir hur mitt min din vår står hej tack mvh kunde utan mig",
    "nl": "de en van ik te dat die in een hij het niet zijn is was op aan met als voor had er maar om hem dan zou of wat"
    " mijn men dit zo door over ze zich bij ook tot je mij uit der daar haar naar heb hoe heeft hebben deze u nog",
    "en": "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they"
    " which one you were all her she there would their we him been has when who will no if my me your please can our",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat"
    " dass sie nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur ich wir bitte",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont la avec ils mais"
    " comme ou si leur y dont nous vous je ont été cette aux être avoir mon ma mes votre bonjour merci elle son sa",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin"
    " sobre este ya entre cuando todo esta ser son dos también fue había era muy hasta desde está mi porque hola gracias",
}
_LANGUAGES: dict[str, tuple[Language, ...]] = {}
for _language, _words in FUNCTION_WORDS.items():
    for _word in dict.fromkeys(_words.split()):
        _LANGUAGES[_word] = (*_LANGUAGES.get(_word, ()), _language)

LOOKED_AT = 80
"""Words of a text that decide."""
ENOUGH = 3.0
"""Function words that make sure of a language. One that belongs to several languages counts a share for each."""
CLEARLY = 1.5
"""How many times as many as of the next language."""


class Guess(NamedTuple):
    """A language, and whether that is sure. If not, a text is indexed under the stems of every language."""

    language: Language
    sure: bool


def language_of(words: Sequence[str], otherwise: Language = "en") -> Guess:
    """The language of these words, in lower case. `otherwise` if they tell nothing."""
    scores: dict[Language, float] = {}
    looked_at = words[:LOOKED_AT]
    for known in filter(None, map(_LANGUAGES.get, looked_at)):
        for language in known:
            scores[language] = scores.get(language, 0.0) + 1 / len(known)
    cyrillic = sum(["\u0400" <= word[0] <= "\u04ff" for word in looked_at if not word.isascii()])
    if cyrillic and cyrillic * 2 > sum(map(str.isalpha, looked_at)):
        return Guess("ru", cyrillic >= ENOUGH)
    if not scores:
        return Guess(otherwise, sure=False)
    first, *rest = sorted(scores.items(), key=lambda each: -each[1])
    return Guess(first[0], first[1] >= ENOUGH and (not rest or first[1] >= CLEARLY * rest[0][1]))
