"""Finds the signature block in the lines that somebody wrote: a mark, and below it a name, a title, numbers, addresses.

Dashes may be the mark of a signature (RFC 3676, 4.3), a rule between paragraphs, or part of a program. In doubt the
lines are not a signature.
"""

import re
from collections.abc import Collection, Sequence

from services.intake.mail.quoting.disclaimers import is_disclaimer, is_footer
from services.intake.mail.quoting.quote_marks import is_ruler, is_signature_mark

MOST_LINES = 15
"""Lines of a signature that are not blank; below a ruler only MOST_UNDER_RULER."""
MOST_UNDER_RULER = 6
LONGEST_LINE = 100

_CONTACT = re.compile(
    r"\S@\S|https?:|www\.|\+\d|\d(?:[ ()/.-]{0,2}\d){6}|\b(?:tel|tlf|phone|ph|mob|fax|cell|mobile?|telefon|puh|gsm)\b\.?:?",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"regards|greetings|cheers|sincerely|\bmvh\b|hilsen|hälsning|gr[uü](?:ß|ss)|\blg\b|groet|saludos|cordial|salutations|saluti|cumprimentos|abraços"
    r"|pozdr|terveisin|уважением|tervit|üdvözlet", re.IGNORECASE
)  # fmt: skip
_CODE = re.compile(r"[;{}\\]\s*\Z|^\s*(?:--|//|/\*|#|\$|[\w.:\\/~-]*[>$] |</?\w+|@@|\+\+\+)")
_LISTED = re.compile(r"\s*(?:\d+[.)]?\s|[-*•]\s|\w\)\s)")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_NAME = re.compile(r"[^\W\d_][\w'’-]*\.?(?:[ ,/|-]+@?[^\W\d_][\w'’-]*\.?){0,5}\Z")
_PARTICLES = frozenset(("von", "van", "de", "der", "den", "du", "da", "di", "av", "af", "la", "le", "el", "bin", "zu", "und", "and", "og", "i", "of", "for"))  # fmt: skip
_OF_A_LIST = re.compile(
    r"you (?:received|are receiving) this (?:message|e-?mail)|unsubscribe|list-?info|mailing list", re.IGNORECASE
)
_EAST_ASIAN_SENTENCE = re.compile(r"[。？！]|[\u3040-\u30ff\u4e00-\u9fff]{20}")


def find_signature(
    lines: Sequence[str], start: int, end: int, fenced: Collection[int], marked: Collection[int]
) -> tuple[int, int] | None:
    """The first line of the signature in a block that somebody wrote, and the line after its last; None if there is
    none.

    `fenced` are lines of code; `marked` are lines with exactly the mark of RFC 3676, including its blank.
    """
    marks = [each for each in range(start, end) if each not in fenced and _is_mark(lines, start, each)]
    spoken = max((each for each in range(start, end) if _has_words(lines[each])), default=start - 1)
    below = [each for each in marks if each > spoken]
    if below:
        return below[0], end
    # Marks with only blank lines between them count as one.
    groups = [each for n, each in enumerate(marks) if not n or any(map(_has_words, lines[marks[n - 1] : each]))]
    for mark in groups:
        if _introduced(lines, start, mark):
            continue
        last = _end_of_signature(lines, mark, end)
        whole = not any(map(_has_words, lines[last:end]))
        if last <= mark or (not whole and (len(groups) > 1 or is_ruler(lines[mark]))):
            continue
        if len(groups) == 1 or mark in marked or _CONTACT.search(" ".join(lines[mark:last])):
            return mark, end if whole else last
    return None


def _is_mark(lines: Sequence[str], start: int, index: int) -> bool:
    return is_signature_mark(lines[index]) or (
        is_ruler(lines[index]) and (index == start or not lines[index - 1].strip())
    )


def _has_words(line: str) -> bool:
    return any(map(str.isalnum, line[:1_000]))


def _introduced(lines: Sequence[str], start: int, mark: int) -> bool:
    above = next((line for line in reversed(lines[start:mark]) if line.strip()), "")
    return above.endswith((":", "："))


def _end_of_signature(lines: Sequence[str], mark: int, end: int) -> int:
    """The line after the last line below a mark that can belong to a signature; the mark itself if there is none."""
    most = MOST_UNDER_RULER if is_ruler(lines[mark]) else MOST_LINES
    place, count, found = mark + 1, 0, mark
    first = True
    while place < end:
        if not _has_words(lines[place]):
            place += 1
            continue
        bottom = place
        while bottom < end and lines[bottom].strip():
            bottom += 1
        paragraph = lines[place:bottom]
        if is_disclaimer(said := " ".join(paragraph)) or _OF_A_LIST.search(said):
            found = place = bottom
            first = False
            continue
        count += len(paragraph)
        if count > most or not _is_of_signature(paragraph):
            break
        if first and not _begins_signature(paragraph):
            break
        first = False
        found = place = bottom
    return found


def _begins_signature(paragraph: Sequence[str]) -> bool:
    """Whether a paragraph begins as signatures do: with a name, a closing, or contact details."""
    joined = " ".join(paragraph)
    return (
        _is_name(paragraph[0].strip(" *_"))
        or _CONTACT.search(joined) is not None
        or _CLOSING.search(joined) is not None
        or is_footer(paragraph[0])
    )


def _is_name(line: str) -> bool:
    if _NAME.match(line) is None or line.endswith("."):
        return False
    return all(not word[:1].islower() or word in _PARTICLES for word in _WORD.findall(re.sub(r"@\w+", "", line)))


def _is_of_signature(paragraph: Sequence[str]) -> bool:
    """Whether no line of a paragraph reads like words to the recipient."""
    if all(is_footer(line) for line in paragraph):
        return True
    joined = " ".join(line.strip() for line in paragraph)
    if any(len(line) > LONGEST_LINE or _CODE.search(line) for line in paragraph) or _LISTED.match(paragraph[0]):
        return False
    if "?" in _without_links(joined) or _EAST_ASIAN_SENTENCE.search(joined):
        return False
    words: list[str] = _WORD.findall(_without_links(joined))
    small = sum(word[:1].islower() and len(word) > 1 for word in words)
    return small < (2 if joined.rstrip()[-1:] in (".", "!", ":", "…") else 8)


def _without_links(text: str) -> str:
    return re.sub(r"\S*(?:@|://|www\.)\S*", " ", text)
