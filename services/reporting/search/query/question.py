"""Parses what people write into the search field (requirements A11.02 to A11.04). No input is an error.

`printer fire` means all words, `"a b"` words in a row, `-word` without it, `word*` a beginning, `a OR b` one of the two,
`subject:x` only in that attribute. Everything else is words.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from services.reporting.search.text.words import LONGEST, WORD, fold, readable
from shared.addresses import canonical
from shared.rules.subjects import number_in

MOST_CHARACTERS = 2_000
"""Of a question; the rest is ignored, as are terms and words beyond the limits below (decision 0100)."""
MOST_TERMS = 32
MOST_IN_PHRASE = 16
MOST_BEGINNINGS = 8
SHORTEST_BEGINNING = 2
"""Letters; a shorter beginning is a word."""
SHORTEST_BEGINNING_IN_LARGE = 3
"""Letters; in a large index, a shorter beginning is searched in titles and names only: `for_large_index`."""

TEXT_ATTRIBUTES = frozenset(
    ("subject", "body", "from", "to", "cc", "title", "number", "attachment", "customer", "company", "tag")
)
"""Attributes that consist of words. Those of the ticket's fields begin with `field.`."""
ROW_ATTRIBUTES = frozenset(("queue", "state", "owner"))
"""Attributes that name an object."""
IN_TITLES = (None, "title", "customer")
"""Attributes that are searched for short beginnings. Without an attribute, that is in titles and customers' names."""
FIELD = "field."

_TOKEN = re.compile(
    r'(?P<minus>-*)(?:(?P<attribute>[A-Za-z][A-Za-z0-9_.-]{0,80}):(?=[^\s:]))?'
    r'(?:"(?P<quoted>[^"]*)"?(?P<star>\*?)|(?P<plain>[^\s"]+))'
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """Words in a row, of which the last may be a beginning. `written` is the text without operators.

    `number` and `address` are set if the text is the number of a ticket or an e-mail address. `in_titles_only`: only
    titles and names are searched for it.
    """

    words: tuple[str, ...]
    written: str
    attribute: str | None = None
    without: bool = False
    beginning: bool = False
    number: str | None = None
    address: str | None = None
    in_titles_only: bool = False

    @property
    def is_row(self) -> bool:
        """Whether the term is about an object that the ticket refers to, and not about words."""
        return self.attribute in ROW_ATTRIBUTES

    @property
    def begins_short(self) -> bool:
        """Whether so many words begin like this that a large index cannot be searched for them."""
        return self.beginning and not self.is_row and len(fold(self.words[-1])) < SHORTEST_BEGINNING_IN_LARGE


Clause = tuple[Term, ...]
"""One of these terms is enough."""


@dataclass(frozen=True, slots=True)
class Question:
    """All clauses must be true. `is_blank`: nothing was asked, so that every ticket is an answer."""

    clauses: tuple[Clause, ...]
    is_blank: bool

    @property
    def is_empty(self) -> bool:
        """Whether something was asked that has no words: nothing is an answer to it."""
        return not self.clauses and not self.is_blank


def question(text: str) -> Question:
    """What is asked. Terms that say the same count once."""
    asked = readable("".join(map(_printable, text[:MOST_CHARACTERS]))).strip()
    clauses: list[list[Term]] = []
    terms = beginnings = 0
    joined = False
    whole = number_in(asked)
    tokens = [asked] if whole is not None else [each[0] for each in _TOKEN.finditer(asked)]
    for token in tokens:
        if terms == MOST_TERMS:
            break
        if token == "OR":
            joined = bool(clauses)
            continue
        found = _term(token)
        if found is None:
            continue
        beginnings += found.beginning
        if found.beginning and beginnings > MOST_BEGINNINGS:
            continue
        terms += 1
        if joined:
            clauses[-1].append(found)
        else:
            clauses.append([found])
        joined = False
    made = dict.fromkeys(tuple(dict.fromkeys(clause)) for clause in clauses)
    return Question(tuple(made), is_blank=not text.strip())


def for_large_index(asked: Question) -> Question:
    """The question as a large index can answer it: two letters begin too many words of its texts.

    One such word is searched in titles and names. In other attributes and in phrases, the letters are a word.
    """
    clauses = tuple(tuple(_for_large_index(term) for term in clause) for clause in asked.clauses)
    return replace(asked, clauses=clauses)


def _for_large_index(term: Term) -> Term:
    if not term.begins_short:
        return term
    if len(term.words) == 1 and term.attribute in IN_TITLES:
        return replace(term, in_titles_only=True)
    return replace(term, beginning=False)


def _printable(character: str) -> str:
    """Control characters end a word; those without a width are left out later."""
    return " " if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") else character


def _term(token: str) -> Term | None:
    """The term that a token means; None if it has no words."""
    match = _TOKEN.fullmatch(token)
    whole = number_in(token)
    if whole is not None or match is None:
        return _of(token, None, without=False, beginning=False)
    without = bool(match["minus"])
    attribute = _attribute(match["attribute"])
    text = match["quoted"] if match["quoted"] is not None else match["plain"]
    if attribute is None and match["attribute"] is not None:
        text = f"{match['attribute']}:{text}"
    star = bool(match["star"]) if match["quoted"] is not None else text.endswith("*")
    return _of(text, attribute, without=without, beginning=star)


def _attribute(name: str | None) -> str | None:
    if name is None:
        return None
    name = name.lower()
    known = name in TEXT_ATTRIBUTES or name in ROW_ATTRIBUTES or (name.startswith(FIELD) and len(name) > len(FIELD))
    return name if known else None


def _of(text: str, attribute: str | None, *, without: bool, beginning: bool) -> Term | None:
    number = number_in(text)
    found = (number,) if number is not None else tuple(each[:LONGEST] for each in WORD.findall(text.lower()))
    if not found and attribute not in ROW_ATTRIBUTES:
        return None
    last = fold(found[-1]) if found else ""
    return Term(
        words=found[:MOST_IN_PHRASE],
        written=text.rstrip("*").strip(),
        attribute=attribute,
        without=without,
        beginning=beginning and len(found) <= MOST_IN_PHRASE and len(last) >= SHORTEST_BEGINNING,
        number=number,
        address=canonical(text) if "@" in text else None,
    )
