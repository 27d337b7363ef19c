"""Marks the words of a question in a text that is shown."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from services.reporting.search.query.question import Term
from services.reporting.search.text.words import LONGEST, WORD, asked_for, fold, readable, variants

Part = dict[str, Any]
"""A piece of a text: `{"text": "...", "hit": bool}`."""
LEAST_PREFIX = 3
_SPLIT = re.compile(f"({WORD.pattern})")
"""Gives what is between words and the words in turn."""


class Marked(NamedTuple):
    """A text in parts, of which those that are meant are hits, and the terms that mean a hit."""

    parts: list[Part]
    terms: frozenset[Term]


def marked(text: str, terms: Sequence[Term]) -> list[Part] | None:
    """The text in parts, of which those that the terms mean are hits; None if there are none."""
    found = marks(text, terms)
    return found.parts if found is not None else None


def marks(text: str, terms: Sequence[Term]) -> Marked | None:
    """The text with the hits of these terms; None if there are none."""
    pieces = _SPLIT.split(readable(text))
    hits = _wanted(tuple(terms)).hits(pieces[1::2])
    if not hits:
        return None
    parts: list[Part] = []
    at = 0
    for first, last, _ in sorted(hits, key=itemgetter(0, 1)):
        start, end = max(2 * first + 1, at), 2 * last + 2
        if end <= at:
            continue
        if before := "".join(pieces[at:start]):
            parts.append({"text": before, "hit": False})
        parts.append({"text": "".join(pieces[start:end]), "hit": True})
        at = end
    if behind := "".join(pieces[at:]):
        parts.append({"text": behind, "hit": False})
    return Marked(parts, frozenset().union(*(terms for _, _, terms in hits)))


def may_have(texts: Iterable[str], terms: Sequence[Term]) -> bool:
    """Whether `marks` may find something in one of these texts: much faster than to look at each."""
    return _wanted(tuple(terms)).may_be_in(WORD.findall(readable("\n".join(texts))))


class _Wanted:
    """What is looked for in words: the terms of one word together, because most words are none of them."""

    def __init__(self, terms: tuple[Term, ...]) -> None:
        terms = tuple(term for term in terms if term.words)  # `owner:!` has none
        single = [term for term in terms if len(term.words) == 1 and not term.beginning and term.number is None]
        self._single = [(asked_for(term.words[0]), term) for term in single]
        self._any = frozenset().union(*(found for found, _ in self._single))
        self._other = [term for term in terms if term not in single]
        words = self._any.union(*({fold(term.words[0])} | asked_for(term.words[0]) for term in self._other))
        self._initials = {letter for word in words for letter in (word[:1], word[:1].upper())}

    def hits(self, words: Sequence[str]) -> list[tuple[int, int, frozenset[Term]]]:
        """The first and the last word of each hit, and its terms."""
        looked_at = self._looked_at(words)
        if not looked_at:
            return []
        found = [
            (n, n, frozenset(term for meant, term in self._single if not meant.isdisjoint(variants(word))))
            for n, word in looked_at
            if not self._any.isdisjoint(variants(word))
        ]
        if self._other:
            low = [word.lower()[:LONGEST] for word in words]
            for term in self._other:
                last = len(term.words) - 1
                found += [
                    (n, n + last, frozenset((term,))) for n, _ in looked_at if n + last < len(low) and _is(term, low, n)
                ]
        return found

    def may_be_in(self, words: Sequence[str]) -> bool:
        looked_at = self._looked_at(words)
        if self._other:
            return bool(looked_at)
        return any(not self._any.isdisjoint(variants(word)) for _, word in looked_at)

    def _looked_at(self, words: Sequence[str]) -> list[tuple[int, str]]:
        """The words, in lower case, that begin with a letter of a wanted one, or with one that may be written without
        an accent. No stem begins with another letter than its word."""
        initials = self._initials
        return [(n, word.lower()[:LONGEST]) for n, word in enumerate(words) if word[0] in initials or word[0] > "\x7f"]


@lru_cache(maxsize=1_000)
def _wanted(terms: tuple[Term, ...]) -> _Wanted:
    return _Wanted(terms)


def _is(term: Term, words: Sequence[str], start: int) -> bool:
    """Whether the words of a term stand there."""
    last = len(term.words) - 1
    for n, wanted in enumerate(term.words):
        word = words[start + n]
        if word == wanted:
            continue
        if n == last and term.beginning and fold(word).startswith(fold(wanted)):
            continue
        if term.number is not None or variants(word).isdisjoint(asked_for(wanted)):
            return False
    return True


@lru_cache(maxsize=1_000)
def pattern(term: Term) -> str:
    """A regular expression of PostgreSQL that matches wherever the words of a term may begin. It may match elsewhere
    too: what it finds is then looked at with `marked`."""
    return r"\m" + r"[[:alnum:]]*[^[:alnum:]]+".join(map(_start, term.words))


def _start(word: str) -> str:
    """How a word begins in every inflection, with or without accents."""
    found = sorted(asked_for(word))
    low, high = found[0], found[-1]
    same = next((n for n, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
    start = low[:same]
    starts = [start] if len(start) >= LEAST_PREFIX else found
    return f"(?:{'|'.join(map(_letters, starts))})"


def _letters(folded: str) -> str:
    return _PAIRS.sub(lambda match: _SPELLINGS[match[0]], "".join(folded))


def _classes() -> dict[str, str]:
    """The spellings of each folded letter, and of pairs that are one letter elsewhere, in upper and lower case."""
    letters: dict[str, set[str]] = {}
    for code in (*range(0x30, 0x3A), *range(0x41, 0x5B), *range(0x61, 0x7B), *range(0xC0, 0x180), *range(0x400, 0x482)):
        letter = chr(code)
        if letter.isalnum():
            letters.setdefault(fold(letter), set()).update((letter, letter.upper(), letter.lower()))
    made = {}
    for folded, spelled in letters.items():
        single = "".join(sorted(each for each in spelled if len(each) == 1))
        if len(folded) == 1:
            made[folded] = f"[{single}]"
        elif len(folded) == 2:
            made[folded] = f"(?:[{single}]|{made.get(folded[0], folded[0])}{made.get(folded[1], folded[1])})"
    return made


_SPELLINGS = _classes()
_PAIRS = re.compile("|".join(map(re.escape, sorted(_SPELLINGS, key=len, reverse=True))))


def applicable(terms: Iterable[Term], attribute: str) -> list[Term]:
    """The terms that may mean a word of that attribute."""
    return [term for term in terms if term.attribute in (None, attribute)]
