"""The marks of a single line: quoted, a separator over a quote, a ruler, the mark of a signature."""

import re

from services.intake.mail.quoting.languages import LANGUAGES
from services.intake.mail.quoting.patterns import LONGEST_LABEL, LONGEST_SEPARATOR, any_of

_INVISIBLE = dict.fromkeys(
    map(ord, "\u1427\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u00ad")
)
"""Marks of direction, joiners, and the character that a tracking program leaves in a line of its own."""
_ABOVE = any_of(word for row in LANGUAGES for word in row.above)
_POINTS_BELOW = re.compile(rf"(?:^|\W){any_of(word for row in LANGUAGES for word in row.below)}(?!\w)", re.IGNORECASE)
_FORWARDED = any_of(word for row in LANGUAGES for word in row.forwarded)
_COVER = any_of(word for row in LANGUAGES for word in (*row.original, *row.forwarded))
_QUOTED = re.compile(r"[ \t\xa0]{0,8}(?:[A-Z]{1,3})?>")
_BETWEEN_ARROWS = re.compile(r">>> (?=.{0,100}\d{1,2}[:.]\d\d).{1,110} >>>\Z")
_PROMPT = re.compile(r"[ \t\xa0]{0,8}(?:[A-Z]{1,3}>|>>>(?!>))")
_BARRED = re.compile(r"[ \t\xa0]{0,8}\|(?:[ \t\xa0]|\Z)")
_PREFIXES = re.compile(r"\A(?:[ \t\xa0]*(?:[A-Z]{1,3})?>)+[ \t\xa0]?")
_FORWARDS = re.compile(rf"{_FORWARDED}\b[^-=]{{0,60}}\Z", re.IGNORECASE)
_COVERS = re.compile(rf"{_COVER}\b[^-=]{{0,60}}\Z", re.IGNORECASE)
_DASHES = "-_=~*–—"
_WRITE_ABOVE = re.compile(rf".{{0,60}}{_ABOVE}", re.IGNORECASE)
_RULER = re.compile(r"[ \t]*(?:-{3,}|_{3,}|—{2,}|\*{5,}|={5,}|~{5,})[ \t]*\Z")
_SIGNATURE = re.compile(r"(?:--|—|––?|__|-\s-)[ \t\xa0]*\Z")
_FENCE = re.compile(r"[ \t]{0,3}(?:`{3,}|~{3,})[ \t]*[\w+-]{0,20}[ \t]*\Z")


def plain(line: str) -> str:
    """A line without invisible characters."""
    return line.translate(_INVISIBLE).rstrip() if not line.isascii() else line.rstrip()


def is_quoted(line: str) -> bool:
    """Whether a line begins with `>`, or with the initials of the quoted writer and `>` ("JD> ...")."""
    return _QUOTED.match(line) is not None and _BETWEEN_ARROWS.match(line[:LONGEST_SEPARATOR]) is None


def is_prompt(line: str) -> bool:
    """Whether a line begins with a prompt ("SQL> ", ">>> ") and not with a usual quote mark."""
    return _PROMPT.match(line) is not None


def is_barred(line: str) -> bool:
    """Whether a line begins with `|`. That is a quote only after an attribution, otherwise a table."""
    return _BARRED.match(line) is not None


def unquoted(line: str) -> str:
    return _PREFIXES.sub("", line)


def is_fence(line: str) -> bool:
    return len(line) <= LONGEST_LABEL and _FENCE.match(line) is not None


def is_ruler(line: str) -> bool:
    return _RULER.match(line) is not None


def is_signature_mark(line: str) -> bool:
    return len(line) <= 12 and _SIGNATURE.match(line) is not None


def is_separator(line: str) -> bool:
    """Whether a line is like "-----Original Message-----" or ">>> a name and a time >>>", or asks to write above it."""
    if len(line) > LONGEST_SEPARATOR:
        return False
    if _BETWEEN_ARROWS.match(line):
        return True
    return _is_cover(line, _COVERS) or _WRITE_ABOVE.match(line) is not None


def is_forward(line: str) -> bool:
    """Whether a line is a separator before a forwarded mail."""
    return len(line) <= LONGEST_SEPARATOR and _is_cover(line, _FORWARDS)


def points_below(text: str) -> bool:
    """Whether somebody says that their answers, or what they write about, are in the quote below."""
    return _POINTS_BELOW.search(text[:4_000]) is not None


def _is_cover(line: str, words: re.Pattern[str]) -> bool:
    said = unquoted(line).strip("#* \t\xa0")
    between = said[:2].strip(_DASHES) == "" or said[-1:] in (":", "：")
    return between and words.match(said.strip(_DASHES + " \t\xa0:：")) is not None
