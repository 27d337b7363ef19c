"""Splits HTML into tags and texts, reading it once from beginning to end.

Like browsers (WHATWG HTML, 13.2.5), except where they would lose text: a comment, script, quotation mark or tag without
an end is read as ordinary text. Nothing is searched for twice, so the time is linear in the size.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_MARKUP = re.compile(r"<(?:/?([a-zA-Z][^\s/>]*+)|!--|[!?/])")
_ATTRIBUTE = re.compile(r"[\s/]*+(?:(>)|([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:([\"'])|([^\s>]*+)))?)")
_END_OF_COMMENT = re.compile(r"--!?>")
_LEADING_ZEROS = re.compile(r"&#([xX]?)0+(?=[0-9a-fA-F])")
_BEYOND_UNICODE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
_RAW = ("script", "style", "title")
"""Elements whose content is not markup and is not shown."""


@dataclass(frozen=True, slots=True)
class Start:
    """A start tag. Its name and the names of attributes are in lower case; of attributes with the same name the first
    counts."""

    name: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """An end tag."""

    name: str


Token = str | Start | End


def tokens(html: str) -> Iterator[Token]:
    """The tags and the texts between them, in order. Character references in texts and values of attributes are
    replaced."""
    return _Reader(html).tokens()


class _Reader:
    def __init__(self, html: str) -> None:
        self._html = html
        self._absent: set[object] = set()
        self._unquoted = False
        """Quotation marks are ignored from now on, because one of them made a tag reach to the end of the HTML."""

    def tokens(self) -> Iterator[Token]:
        html, at, shown = self._html, 0, 0
        while (found := _MARKUP.search(html, at)) is not None:
            start = found.start()
            name = (found.group(1) or "").lower()
            closes = html.startswith("</", start)
            token: Token | None = None
            if not name:
                end = self._after_comment(found)
            elif closes:
                # Attributes of an end tag mean nothing, but a `>` in one does not end the tag.
                end, token = self._attributes(found.end(), {}), End(name)
            else:
                attributes: dict[str, str] = {}
                end, token = self._attributes(found.end(), attributes), Start(name, attributes)
            if end < 0:
                at = found.end()  # it has no end: these characters are text
                continue
            if start > shown:
                yield references_undone(html[shown:start])
            if token is not None:
                yield token
            if name in _RAW and not closes:
                end = self._after_raw(name, end)
            at = shown = end
        if shown < len(html):
            yield references_undone(html[shown:])

    def _attributes(self, at: int, into: dict[str, str]) -> int:
        """Reads the attributes of a tag; returns where the tag ends, or -1."""
        if not self._unquoted:
            end = self._attributes_before(len(self._html), at, into)
            if end >= 0:
                return end
            self._unquoted = True
            into.clear()
        ends = self._find(">", at)
        return self._attributes_before(ends + 1, at, into) if ends >= 0 else -1

    def _attributes_before(self, limit: int, at: int, into: dict[str, str]) -> int:
        html = self._html
        while (found := _ATTRIBUTE.match(html, at, limit)) is not None:
            closed, name, quote, value = found.groups()
            at = found.end()
            if closed:
                return at
            if quote:
                end = self._find(quote, at)
                if 0 <= end < limit:
                    value, at = html[at:end], end + 1
            name = name.lower()
            if name not in into:
                into[name] = references_undone(value) if value else ""
        return -1

    def _after_comment(self, found: "re.Match[str]") -> int:
        if not found.group().endswith("--"):
            end = self._find(">", found.end())
            return end + 1 if end >= 0 else -1
        # `<!-->` and `<!--->` are complete comments.
        ends = self._search(_END_OF_COMMENT, found.start() + 2)
        return ends.end() if ends is not None else found.end()

    def _after_raw(self, name: str, at: int) -> int:
        """The position after a skipped element; the same position if it never ends."""
        ends = self._search(_end_tag(name), at)
        if ends is None:
            return at
        end = self._attributes(ends.end(), {})
        return end if end >= 0 else at

    def _find(self, character: str, at: int) -> int:
        """Like `str.find`, but a character that was not found is not searched for again."""
        if character in self._absent:
            return -1
        found = self._html.find(character, at)
        if found < 0:
            self._absent.add(character)
        return found

    def _search(self, pattern: "re.Pattern[str]", at: int) -> "re.Match[str] | None":
        if pattern in self._absent:
            return None
        found = pattern.search(self._html, at)
        if found is None:
            self._absent.add(pattern)
        return found


_ENDS = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in _RAW}


def _end_tag(name: str) -> "re.Pattern[str]":
    return _ENDS[name]


def references_undone(text: str) -> str:
    """A text with its character references replaced by characters."""
    if "&" not in text:
        return text
    if "&#" in text:
        # Python refuses numbers with too many digits.
        text = _BEYOND_UNICODE.sub("\ufffd", _LEADING_ZEROS.sub(r"&#\1", text))
    return unescape(text)
