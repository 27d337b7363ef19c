"""Marks the words of a question in a text that is shown."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from services.reporting.search.query.question import Term
from services.reporting.search.text.words import LONGEST, WORD, asked_for, fold, readable, variants

Part = dict[str, Any]
"""A piece of a text: `{"text": "...", "hit": bool}`."""
LEAST_PREFIX = 3


def marked(text: str, terms: Sequence[Term]) -> list[Part] | None:
    """The text in parts, of which those that the terms mean are hits; None if there are none."""
    text = readable(text)
    hits = _hits(text, tuple(terms))
    if not hits:
        return None
    parts: list[Part] = []
    at = 0
    for start, end in sorted(hits):
        if end <= at:
            continue
        start = max(start, at)
        if start > at:
            parts.append({"text": text[at:start], "hit": False})
        parts.append({"text": text[start:end], "hit": True})
        at = end
    if at < len(text):
        parts.append({"text": text[at:], "hit": False})
    return parts


def _hits(text: str, terms: tuple[Term, ...]) -> list[tuple[int, int]]:
    """Where the terms stand, from and to."""
    found = list(WORD.finditer(text))
    words = [match[0].lower()[:LONGEST] for match in found]
    single, other = _single_words(terms)
    hits = [match.span() for match, word in zip(found, words, strict=True) if not single.isdisjoint(variants(word))]
    for term in other:
        count = len(term.words)
        for start in range(len(words) - count + 1):
            if _is(term, words, start):
                hits.append((found[start].start(), found[start + count - 1].end()))
    return hits


@lru_cache(maxsize=1_000)
def _single_words(terms: tuple[Term, ...]) -> tuple[frozenset[str], list[Term]]:
    """What the terms of one word may be in a text, in one set; and the other terms."""
    single = [term for term in terms if len(term.words) == 1 and not term.beginning and term.number is None]
    return frozenset().union(*(asked_for(term.words[0]) for term in single)), [t for t in terms if t not in single]


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
