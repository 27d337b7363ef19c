"""Forms of a word that the stemmers take for another word.

Swedish `klockan` has another stem than `klocka`, Norwegian `nøkler` than `nøkkel`, German `Autos` than `Auto`. The index
has each text's own stems, so that such forms are added to what is asked for. A rule may make a word that nobody writes:
it finds nothing.
"""

import re
from collections.abc import Iterable, Mapping

from services.reporting.search.text.language import Language

ROUNDS = 2
"""`datorn` is one rule from `dator`, `nyckeln` two from `nyckl`, the stem of `nycklar`."""
_RULES: Mapping[Language, tuple[tuple[str, str], ...]] = {
    "sv": (
        # The definite form: klocka, klockan, klockor; dator, datorn; konto, kontot, konton.
        (r"(?<=\w{4}a)n$", ""),
        (r"(?<=\w{3}a)$", "n"),
        (r"(?<=\w{3})or(?:na)?$", "an"),
        (r"(?<=\w{2}(?:or|el|er))n$", ""),
        (r"(?<=\w{2}(?:or|el|er))$", "n"),
        (r"(?<=\w{3}o)[nt]$", ""),
        (r"(?<=\w{3}o)$", "n"),
        (r"(?<=\w{3}o)$", "t"),
        # Neuter ones: lösenord, lösenordet. In shorter words, `et` is more often no ending.
        (r"(?<=\w{7})et$", ""),
        (r"(?<=\w{5}[^\Waeiouyåäö])$", "et"),
        # A vowel that the plural leaves out: nyckel, nycklar; fönster, fönstret.
        (r"(?<=\w{2}[^\Waeiouyåäö])e(?=[lr]$)", ""),
        (r"(?<=\w{2}[^\Waeiouyåäölr])(?=[lr]$)", "e"),
    ),
    "nb": (
        # skriver, skriverne; nøkkel, nøkler.
        (r"(?<=\w{2}er)ne?$", ""),
        (r"(?<=\w{3}er)$", "ne"),
        (r"(?<=\w{2})([^\Waeiouyåæø])\1?e(?=[lr]$)", r"\1"),
        (r"(?<=\w{2})([^\Waeiouyåæølr])(?=[lr]$)", r"\1e"),
        (r"(?<=\w{2})([^\Waeiouyåæølr])(?=[lr]$)", r"\1\1e"),
    ),
    "nl": (
        # probleem, problemen; wachtwoord, wachtwoorden.
        (r"ee([^\W\daeiou])$", r"e\1en"),
        (r"(?<=[^\We])e([^\W\daeiou])en$", r"ee\1"),
        (r"(?<=\w{3}d)$", "en"),
    ),
    # Plurals in -s, which German has of foreign words: Auto, Autos.
    "de": ((r"(?<=\w{2}[^s])$", "s"),),
    # perdu, perdus.
    "fr": ((r"(?<=\w{3}[^s])$", "s"), (r"(?<=\w{3}[^s])s$", "")),
    # luz, luces.
    "es": ((r"(?<=\w{2})z$", "ces"), (r"(?<=\w{2})ces$", "z")),
    # проблема and проблему, экрана and экранов: for one of each pair, the ending is part of the stem.
    "ru": ((r"(?<=\w{4})[аеиоуыэюя]$", ""),),
}
_COMPILED = {
    language: tuple((re.compile(found), instead) for found, instead in rules) for language, rules in _RULES.items()
}


def related(words: Iterable[str], language: Language) -> set[str]:
    """These words and what the rules of the language make of them."""
    found = set(words)
    new = set(found)
    for _ in range(ROUNDS):
        new = {
            made for word in new for rule, instead in _COMPILED.get(language, ()) if (made := rule.sub(instead, word))
        }
        new -= found
        found |= new
    return found
