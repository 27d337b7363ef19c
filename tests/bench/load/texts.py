"""Made-up texts with the word frequencies of real ones: a few words are in every text, most words are rare.

Each language has its function words, which are the most frequent, and thousands of made-up words with its usual
endings. Some words are numbers, addresses, file names or codes.
"""

import itertools
import random
from functools import cache

from services.reporting.search.text.language import FUNCTION_WORDS, Language

LANGUAGES: tuple[tuple[Language, float], ...] = (
    ("en", 0.25), ("nb", 0.2), ("de", 0.15), ("sv", 0.1), ("nl", 0.1), ("fr", 0.08), ("es", 0.07), ("ru", 0.05),
)  # fmt: skip
ENDINGS: dict[Language, tuple[str, ...]] = {
    "en": ("", "", "s", "ing", "ed"), "nb": ("", "", "en", "er", "ene"), "de": ("", "", "en", "er", "ung"),
    "sv": ("", "", "en", "ar", "arna"), "nl": ("", "", "en", "je", "s"), "fr": ("", "", "s", "er", "ation"),
    "es": ("", "o", "a", "os", "ar"), "ru": ("", "", "а", "ы", "ами"),
}  # fmt: skip
SYLLABLES = {
    "latin": [c + v for c in ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "st", "tr") for v in "aeiou"],
    "ru": [c + v for c in "бвгдзклмнпрст" for v in "аеиоу"],
}  # fmt: skip
RUSSIAN = "и в не на я что он с как это по но они мы а то все она так его только мне было вы за бы для уже от из ему"
STEMS = 30_000
"""Of each language."""
EXPONENT, SHIFT = 1.05, 2.7
"""The frequency of the word of rank r is proportional to (r + SHIFT) ** -EXPONENT: Zipf's law, as Mandelbrot corrected
it."""
SPECIAL = 0.02
"""Share of numbers, addresses, file names and codes."""


@cache
def vocabulary(language: Language) -> tuple[list[str], list[float]]:
    """The words of a language, the most frequent first, and their cumulated frequencies."""
    chance = random.Random(f"words of {language}")
    syllables, endings = SYLLABLES["ru" if language == "ru" else "latin"], ENDINGS[language]
    words = dict.fromkeys(FUNCTION_WORDS.get(language, RUSSIAN).split())
    while len(words) < STEMS:
        stem = "".join(chance.choices(syllables, k=chance.choice((2, 2, 3, 3, 4)))) + chance.choice(
            "nrkstl" if language != "ru" else "нркст"
        )
        words.update(dict.fromkeys(stem + ending for ending in endings))
    found = list(words)
    return found, list(itertools.accumulate((rank + SHIFT) ** -EXPONENT for rank in range(len(found))))


def text(chance: random.Random, language: Language, count: int) -> str:
    """A text of so many words."""
    words, cumulated = vocabulary(language)
    chosen = chance.choices(words, cum_weights=cumulated, k=count)
    for n in range(0, count, 11):
        chosen[n] = chosen[n].capitalize()
        if n:
            chosen[n - 1] += ","
    for _ in range(round(count * SPECIAL)):
        number = chance.randrange(1_000_000)
        chosen[chance.randrange(count)] = (
            str(number), f"user{number % 50_000}@host{number % 997}.example", f"scan_{number % 4_000}.pdf",
            f"{'ABCDEFGH'[number % 8]}K-{number % 10_000}/{number % 10}",
        )[number % 4]  # fmt: skip
    return " ".join(chosen)


def language(chance: random.Random) -> Language:
    """A language, as often as on a desk in the north of Europe."""
    chosen = chance.choices(LANGUAGES, weights=[weight for _, weight in LANGUAGES])
    return chosen[0][0]
