"""Attributions: the lines that tell who wrote a quote ("On 3 May 2026 at 10:00, Per <per@x.example> wrote:"), in all
languages."""

import re
from collections.abc import Sequence

from services.intake.mail.quoting.languages import LANGUAGES
from services.intake.mail.quoting.patterns import CLOCK, DIGIT, EMAIL, YEAR, any_of
from services.intake.mail.quoting.quote_marks import is_quoted, unquoted

LONGEST_ATTRIBUTION = 400
MOST_ATTRIBUTION_LINES = 6
MOST_LINES_OF_ANY = 2
WRAPPED_AT = 60
"""A longer line may have been wrapped by a program that quoted it."""
_ON = any_of(word for row in LANGUAGES for word in row.on)
_WROTE = any_of(word for row in LANGUAGES for word in row.wrote)
_WROTE_THEN = any_of(word for row in LANGUAGES for word in row.wrote_then)
_QUOTING = any_of(word for row in LANGUAGES for word in row.quoting)
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\s?\d{1,2}[-/.]\s?\d{2,4}|\d{1,2}\.?\s(?:de\s)?[^\W\d_]{2,12}\.?,?\s(?:de\s)?\d{4}"
    r"|[^\W\d_]{3,12}\.?\s\d{1,2},?\s\d{4}|\d{4}[年년]\s?\d{1,2}[月월]\s?\d{1,2}[日일])"
)
_BEGINS_WITH_NAME = re.compile(
    rf"[\"'“„]?[^.!?<>@:]{{0,80}}(?:\.[^.!?<>@:]{{0,60}}){{0,2}}[\"'”“]?\s?[<(\[]\s*(?:mailto:)?{EMAIL}"
)
_HAS_DATE = re.compile(
    rf"{_DATE}|\b(?:19|20)\d\d\b|\b\d{{1,2}}[:.h]\d{{2}}\b|\b\d{{1,2}}\.?\s[^\W\d_]{{3,12}}\b", re.IGNORECASE
)
_BEGINS_ON = re.compile(rf"{_ON}(?:\b|(?=\d)|\s)", re.IGNORECASE)
_BEGINS_WITH_DATE = re.compile(rf"(?:[^\W\d_]{{2,12}}\.?,?\s)?{_DATE}", re.IGNORECASE)
_ENDS_WROTE = re.compile(rf"(?:^|[\s>\"”’,)\]:]){_WROTE}\s*(?::|：|-{{2,}}|\Z)[\s:：*_-]*\Z", re.IGNORECASE)
_ENDS_WROTE_JOINED = re.compile(rf"{_WROTE}\s*[:：]\s*\Z")
_WROTE_IN_IT = re.compile(
    rf"(?:^|[\s>\"”’,)]){_WROTE_THEN}\s(?!(?:ich|wir|jeg|eg|vi|jag|ik|wij|я|мы)\b).*[:：][\s*_]*\Z", re.IGNORECASE
)
_BEGINS_WITH_WHOM = re.compile(rf"{_QUOTING}\s", re.IGNORECASE)
_NAMES_WHOM = re.compile(rf"{_QUOTING}\s.*{EMAIL}.*(?::|\b{_WROTE}:?)[\s*_]*\Z", re.IGNORECASE)
_DATED_AND_NAMED = re.compile(
    rf"(?:[^\W\d_]{{2,12}}\.?,?\s)?{_DATE}.{{0,60}}\s?.{{1,100}}<\s?(?:mailto:)?{EMAIL}\s?>\s?[:：]?\Z", re.IGNORECASE
)
_NAMED_AND_DATED = re.compile(
    rf"{_BEGINS_WITH_NAME.pattern}\s?[>)\]]\s?[(\[]?(?:[^\W\d_]{{2,12}}\.?,?\s)?{_DATE}.{{0,40}}[:：]\Z", re.IGNORECASE
)
_WEEKDAY_AND_DATE = re.compile(rf"[^\W\d_]{{2,12}}\.?,\s{_DATE}")
_IN_BRACKETS = re.compile(rf"[<(]\s?(?:mailto:)?{EMAIL}\s?[>)]", re.IGNORECASE)
_DATED_BY = re.compile(
    rf"{_DATE},?\s\d{{1,2}}[:.]\d{{2}}\s(?:by|von|par|por|av|af|door|da|przez|od|от)\s{EMAIL}\s?[:：]\Z", re.IGNORECASE
)
_SAYS_WROTE = re.compile(rf"(?:^|[\s>\"”’,)]){_WROTE}(?=[\s:：,(]|\Z)", re.IGNORECASE)
_I_OR_WE = r"\b(?:I|[Ww]e|[Ii]ch|[Ww]ir|[Jj]eg|[Ee]g|[Vv]i|[Jj]ag|[Ii]k|[Ww]ij|[Nn]ous|[Яя]|[Мм]ы)\b|\bj['’]"
_BY_ONESELF = re.compile(_I_OR_WE)
_OF_ONESELF = re.compile(rf"{_I_OR_WE}|\b[Jj]e\b")
"""With the French word, which is a common word in other languages."""
MOST_WORDS_OF_ANY = 16
_DATED_WITH_ZONE = re.compile(r"\d{4}-\d\d-\d\d \d{1,2}:\d\d (?:GMT|UTC)[+-]\d\d?:?\d\d \S.{0,100}\Z")


def attribution_lines(lines: Sequence[str], start: int) -> int:
    """How many lines the attribution takes that begins here; 0 if there is none."""
    first = lines[start]
    if not 4 <= len(first) <= LONGEST_ATTRIBUTION:
        return 0
    if not _may_begin(first):
        # In a language without a row, an attribution is recognised by its end, date and time on one line, or on a
        # wrapped line below an empty one.
        alone = start == 0 or not unquoted(lines[start - 1]).strip()
        most = MOST_LINES_OF_ANY if alone and len(first) >= WRAPPED_AT else 1
        return next((taken for taken in range(1, most + 1) if _is_any_attribution(lines, start, taken)), 0)
    joined = ""
    for taken in range(1, MOST_ATTRIBUTION_LINES + 1):
        if start + taken > len(lines):
            break
        line = lines[start + taken - 1]
        joined = f"{joined} {line.strip()}" if joined else line.strip()
        if len(joined) > LONGEST_ATTRIBUTION:
            break
        if _may_end(joined) and is_attribution(joined):
            return taken
        if taken <= MOST_LINES_OF_ANY and _is_any_attribution(lines, start, taken):
            return taken
        if line.endswith((":", "：")) and not line.endswith("mailto:"):
            break
        if taken > 1 and not line.strip() and "<" not in joined and not _next_is_bracket(lines, start + taken):
            break
    return 0


def _following(lines: Sequence[str], index: int) -> str:
    """The next line with words; one empty line may come before it."""
    return next((line for line in lines[index : index + 2] if line.strip()), "")


def _is_any_attribution(lines: Sequence[str], start: int, taken: int) -> bool:
    """Whether a line or two are an attribution in any language: they end in a colon, and have a year and a time. If the
    following lines are not marked as quoted, they also have an address in brackets or a word for "wrote"."""
    if not lines[start + taken - 1 : start + taken] or lines[start + taken - 1].rstrip(" *_-\t\xa0")[-1:] not in (
        ":",
        "：",
    ):
        return False
    said = unquoted(" ".join(line.strip() for line in lines[start : start + taken])).strip(" *_-\t\xa0")
    if len(said.split()) > MOST_WORDS_OF_ANY:
        return False
    year = YEAR.search(said)
    dated = _HAS_DATE.search(said) if year is None else year
    if dated is None or CLOCK.search(said) is None:
        return False
    if is_quoted(_following(lines, start + taken)) or _DATED_BY.match(said):
        return True
    if year is None or _OF_ONESELF.search(said):
        return False
    return _IN_BRACKETS.search(said) is not None or _SAYS_WROTE.search(said) is not None


def _next_is_bracket(lines: Sequence[str], index: int) -> bool:
    return index < len(lines) and lines[index].strip() in ("<", "<mailto:")


def is_by_program(attribution: str, *, over_marked: bool) -> bool:
    """Whether an attribution is a program's: it is not about its writer. Over words that are not marked as quoted it
    also has a time of day, a weekday or an address."""
    told = over_marked or "@" in attribution or CLOCK.search(attribution) or _WEEKDAY_AND_DATE.search(attribution)
    return bool(told) and _BY_ONESELF.search(attribution) is None


def _may_begin(line: str) -> bool:
    said = unquoted(line).lstrip(" *_-\t\xa0")
    return (
        (_BEGINS_ON.match(said) is not None and DIGIT.search(said) is not None)
        or _BEGINS_WITH_DATE.match(said) is not None
        or _BEGINS_WITH_NAME.match(said) is not None
        or _BEGINS_WITH_WHOM.match(said) is not None
        or said.endswith("<")
    )


def _may_end(text: str) -> bool:
    return (
        text[-1:] in ":：-*_>" or _ENDS_WROTE.search(text[-40:]) is not None or _DATED_WITH_ZONE.match(text) is not None
    )


def is_attribution(text: str) -> bool:
    """Whether a few lines, joined, are an attribution."""
    said = unquoted(text).strip(" *_-\t\xa0")
    if not said or len(said.split()) > 50:
        return False
    forms = (_DATED_WITH_ZONE, _DATED_AND_NAMED, _NAMED_AND_DATED) if DIGIT.search(said) else ()
    if any(form.match(said) for form in (*forms, _NAMES_WHOM)):
        return True
    ends = _ENDS_WROTE.search(said[-60:]) or (not said.isascii() and _ENDS_WROTE_JOINED.search(said[-60:]))
    if not ends and not (said[-1] in ":：" and _WROTE_IN_IT.search(said)):
        return False
    dated = _HAS_DATE.search(said) is not None
    return _BEGINS_WITH_NAME.match(said) is not None or (
        dated and (_BEGINS_ON.match(said) is not None or _BEGINS_WITH_DATE.match(said) is not None)
    )
