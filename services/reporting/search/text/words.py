"""Words of texts and questions: how they are told apart, folded and stemmed (decision 0100).

The index, the question and the marks of a hit use this one module, so that they agree on what a word is. A change here
needs a new generation of the index: raise `VERSION`.

A word is a run of letters and digits; addresses, codes and file names are several words in a row. A *term* is what the
index keeps of a word: its stem without accents, in lower case.
"""

import re
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from typing import cast, get_args

import Stemmer

from services.reporting.search.text.language import Guess, Language
from services.reporting.search.text.related import related

VERSION = 2
LONGEST = 64
"""Characters of a word. The rest of a longer one is ignored, in texts and in questions."""
WORD = re.compile(r"[^\W_]+")
BOUNDARY = "\ue001"
"""A term between two texts of one column: no phrase goes over it. No word contains a character of private use."""
LANGUAGES: tuple[Language, ...] = get_args(Language)
MOST_CACHED = 40_000
"""Words for each language."""
SHORTEST_STEM = 3
"""Letters of a stem's stem. A shorter one belongs to too many words."""
MOST_GUESSED = 100
"""Words of a text of doubtful language that are indexed under the stems of all languages."""

_ALGORITHMS: dict[Language, str] = {
    "nb": "norwegian",
    "sv": "swedish",
    "nl": "dutch",
    "ru": "russian",
    "en": "english",
    "de": "german",
    "fr": "french",
    "es": "spanish",
}
_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "đ": "d", "ð": "d", "ł": "l", "ı": "i"})
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\ue000-\uf8ff]")
"""Characters without a width, which are copied along with a word, and those of private use, which we use."""


class _Stemmers(threading.local):
    """A stemmer may not be used by two threads at once."""

    def __init__(self) -> None:
        self.of = {language: Stemmer.Stemmer(name, 0) for language, name in _ALGORITHMS.items()}


_stemmers = _Stemmers()
_terms: dict[Language, dict[str, str]] = {language: {} for language in LANGUAGES}
_bare_terms: dict[Language, dict[str, str]] = {language: {} for language in LANGUAGES}
_variants: dict[str, frozenset[str]] = {}
_asked: dict[str, frozenset[str]] = {}


def readable(text: str) -> str:
    """The text in composed characters, without invisible ones."""
    if text.isascii():
        return text
    return _INVISIBLE.sub("", unicodedata.normalize("NFC", text))


def words(text: str) -> list[str]:
    """The words of a text in their order, in lower case."""
    found = WORD.findall(readable(text).lower())
    if found and max(map(len, found)) > LONGEST:
        return [word[:LONGEST] for word in found]
    return found


def fold(word: str) -> str:
    """A word in lower case without accents."""
    word = word.lower()
    if word.isascii():
        return word
    decomposed = unicodedata.normalize("NFKD", word.translate(_LETTERS))
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def term(word: str, language: Language) -> str:
    """The term of a word in lower case of a text in that language."""
    known = _terms[language]
    found = known.get(word)
    if found is None:
        if len(known) > MOST_CACHED:
            known.clear()
        found = known[word] = fold(_stemmers.of[language].stemWord(word)) if word.isalpha() else fold(word)
    return found


def variants(word: str) -> frozenset[str]:
    """Every term that a word in lower case may have in a text, whatever the language of the text."""
    found = _variants.get(word)
    if found is None:
        if len(_variants) > MOST_CACHED:
            _variants.clear()
        plain = fold(word)
        spellings = (word,) if plain == word else (word, plain)
        found = _variants[word] = frozenset(
            (plain, *(term(each, language) for each in spellings for language in LANGUAGES))
        )
    return found


def asked_for(word: str) -> frozenset[str]:
    """Every term under which a text may have this word, in lower case, or an inflected form of it."""
    found = _asked.get(word)
    if found is None:
        if len(_asked) > MOST_CACHED:
            _asked.clear()
        plain = fold(word)
        spellings = (word,) if plain == word else (word, plain)
        more = (_of_forms(each, language) for each in spellings for language in LANGUAGES) if word.isalpha() else ()
        found = _asked[word] = variants(word).union(*more)
    return found


def _of_forms(word: str, language: Language) -> set[str]:
    """The terms of a word's forms that the stemmer takes for another word."""
    if (language == "ru") != ("\u0400" <= word[0] <= "\u04ff"):
        return set()
    stem = _stemmers.of[language].stemWord
    once = stem(word)
    twice = stem(once)  # the stem of a plural may be the singular, which has a stem of its own
    forms = related({word, once, twice} if len(twice) >= SHORTEST_STEM else {word, once}, language)
    # A form is also the stem that others have: Swedish `dator` of `datorer`.
    return set(map(fold, (*forms, *map(stem, forms))))


def stems(words: Sequence[str]) -> Iterator[str]:
    """The stems of many folded words in all languages, without the caches of the words that people use."""
    for language in LANGUAGES:
        yield from map(fold, _stemmers.of[language].stemWords(list(words)))


def phrases(wanted: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The terms of words in a row, for each language and without stems."""
    stemmed = (tuple(term(word, language) for word in wanted) for language in LANGUAGES)
    return list(dict.fromkeys((tuple(map(fold, wanted)), *stemmed)))


def _bare_term(word: str, language: Language) -> str:
    """The term of a word as people write it who leave the accents out."""
    known = _bare_terms[language]
    found = known.get(word)
    if found is None:
        if len(known) > MOST_CACHED:
            known.clear()
        found = known[word] = term(fold(word), language)
    return found


def indexed(found: Sequence[str], guess: Guess | None) -> list[str]:
    """The terms of a text with these words, as the index keeps them. `guess` None: names and addresses, which have no
    inflection.

    The terms come in the order of the words. Behind them stand, each for itself, further terms under which a word may
    be asked for: those of its spelling without accents, and of other languages if the language is in doubt.
    """
    if guess is None:
        return list(map(fold, found))
    language = guess.language
    known = list(map(_terms[language].get, found))  # a loop in C, because most words are known
    if None in known:
        known = [each or term(word, language) for each, word in zip(known, found, strict=True)]
    terms = cast("list[str]", known)
    others: set[str] = set()
    if not guess.sure:
        others.update(*map(variants, found[:MOST_GUESSED]))
    accented = {word for word in found if not word.isascii()}
    others.update([_bare_term(word, language) for word in accented])
    others.difference_update(terms)
    for other in sorted(others):
        terms += (BOUNDARY, other)
    return terms
