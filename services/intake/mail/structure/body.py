"""Makes the text and the files of a mail from its parts. The rule: no word of a text part is lost without a note.

Consecutive parts are joined, as text and as rich text. Of alternatives the plain one and the richest one count. Words
that are then nowhere are kept as a file, or quoted in a note.
"""

import re
from dataclasses import dataclass, field
from html import escape

from services.intake.mail.structure import calendar, mime, tnef
from services.intake.mail.structure.mime import Part
from shared.file_names import name_for_type, numbered, own_name
from shared.markup import richtext

LONGEST_FILE_NAME = 100
"""A mail may have a hundred files, whose names are in one event."""
LONGEST_HTML = 64 * 1024
"""Bytes of rich text in an event."""
LONGEST_QUOTED = 200
"""Characters of a part that a note quotes in full."""
MOST_QUOTED = 5
"""Parts that notes quote in full."""
MOST_DIFFERENT = 0.5
"""Share of the rich text's words that may be missing in a plain part of the same message."""
MOST_DIFFERENT_HIDDEN = 0.1
"""The same if the rich text is not shown."""

_WORDS = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown", "text/x-markdown")
_NO_LETTER = ("text/rtf", "text/css", "text/calendar", "text/vcard", "text/x-vcard", "text/javascript", "text/csv")
_TNEF_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W_]+")
"""A word; in scripts without blanks, a character."""


@dataclass(frozen=True, slots=True)
class File:
    """A part that is not the text of the mail."""

    name: str
    type: str
    content: bytes
    inline_id: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """The text of a mail, its safe rich text (if that is shown), its files, and notes about what is missing or
    changed."""

    text: str
    html: str | None
    files: list[File]
    wrong: list[str]


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of one or more parts: plain text, safe rich text, and the rich text as plain text (`seen`)."""

    plain: str | None = None
    seen: str | None = None
    html: str | None = None

    @property
    def text(self) -> str:
        """The text to show: the plain one, unless it is empty or has far fewer words than the rich one."""
        if self.seen is None or self.plain is None:
            return self.plain or self.seen or ""
        is_shown = self.html is not None and len(self.html.encode()) <= LONGEST_HTML
        plain, seen = _words(self.plain), _words(self.seen)
        most = MOST_DIFFERENT if is_shown else MOST_DIFFERENT_HIDDEN
        return self.plain if plain and len(seen - plain) <= most * len(seen) else self.seen

    @property
    def rich(self) -> str | None:
        """As rich text; None if the rich text was too large."""
        if self.seen is None:
            return f"<div>{'<br>'.join(escape(self.plain or '', quote=False).split(chr(10)))}</div>"
        return self.html


@dataclass(slots=True)
class _Gathered:
    """What was found while reading the parts."""

    files: list[File] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    said: list[tuple[Part, str]] = field(default_factory=list)
    """Each part that is not a file, with its words."""
    spare: list[str] = field(default_factory=list)
    """Words for a mail without text: from an invitation, from Outlook's winmail.dat, from a file that is shown."""


def read_body(root: Part) -> Body:
    """Everything that the parts of a mail say."""
    gathered = _Gathered()
    found = _joined(_read(root, gathered, is_letter=True))
    text = found.text if found is not None else ""
    if not text.strip() and (found is None or found.html is None or not _words(found.seen or "")):
        text = gathered.spare[0] if gathered.spare else text or _words_of_enclosed(gathered.files) or ""
    html = found.html if found is not None else None
    if found is not None and found.seen is not None and (html is None or len(html.encode()) > LONGEST_HTML):
        gathered.wrong.append(f"{richtext.TOO_LARGE}; it is in the original mail")
        html = None
    _keep_the_rest(gathered, text, (found.seen or "") if html is not None and found is not None else "")
    return Body(text.strip("\n"), html, gathered.files, gathered.wrong)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _read(part: Part, gathered: _Gathered, *, is_letter: bool) -> list[_Words]:
    """The words of a part, in order. `is_letter`: its place is that of the mail's text, so it is the text even if it
    has a file name."""
    if part.children:
        return _read_many(part, gathered, is_letter=is_letter)
    if part.type in _TNEF_TYPES or part.file_name.lower() == "winmail.dat":
        _unpack_tnef(part, gathered)
        return []
    is_attached = part.disposition == "attachment"
    if part.type in _WORDS and not is_attached and (is_letter or not part.file_name):
        if part.file_name and part.type != "text/html":
            gathered.files.append(_file(part, gathered.files))
        return [_words_of(part, gathered)]
    gathered.files.append(_file(part, gathered.files))
    if part.type == "text/calendar":
        invitation = calendar.read(part.text)
        gathered.spare += [invitation.words] if invitation else []
    elif part.type.startswith("text/") and part.type not in _NO_LETTER and not is_attached:
        gathered.spare.append(richtext.read(part.text)[0] if part.type == "text/html" else part.text)
    return []


def _words_of(part: Part, gathered: _Gathered) -> _Words:
    if part.is_long:
        gathered.wrong.append(f"a text of more than {mime.MOST_TEXT_BYTES >> 20} MB; the rest is in the original mail")
    text = part.text
    if part.type != "text/html":
        gathered.said.append((part, text))
        return _Words(plain=text)
    seen, html = richtext.read(text)
    seen = mime.clean(seen)
    gathered.said.append((part, seen))
    return _Words(seen=seen, html=html)


def _read_many(part: Part, gathered: _Gathered, *, is_letter: bool) -> list[_Words]:
    match part.type:
        case "multipart/alternative":
            return _read_alternatives(part, gathered, is_letter=is_letter)
        case "multipart/related" | "multipart/signed":
            root = _root(part)
            found = _read(root, gathered, is_letter=is_letter)
            for child in part.children:
                if child is root:
                    continue
                if child.children or (child.type in _WORDS and not _content_id(child)):
                    found += _read(child, gathered, is_letter=False)
                else:
                    gathered.files.append(_file(child, gathered.files))
            return found
        case "multipart/report" | "multipart/encrypted":
            for leaf in (leaf for child in part.children[1:] for leaf in _leaves(child)):
                gathered.files.append(_file(leaf, gathered.files))
            return _read(part.children[0], gathered, is_letter=is_letter)
        case _:
            return [
                words
                for number, child in enumerate(part.children)
                for words in _read(child, gathered, is_letter=is_letter and number == 0)
            ]


def _read_alternatives(part: Part, gathered: _Gathered, *, is_letter: bool) -> list[_Words]:
    """Alternatives of the same words: the first plain text and the last rich one."""
    ways: list[_Words] = []
    for child in part.children:
        if child.type == "text/x-amp-html":
            gathered.said.append(
                (child, richtext.read(child.text)[0])
            )  # the same words again, for programs that run AMP
        elif (way := _joined(_read(child, gathered, is_letter=is_letter))) is not None:
            ways.append(way)
    if not ways:
        return []
    rich = next((way for way in reversed(ways) if way.seen is not None), _Words())
    plain = next((way.plain for way in ways if way.seen is None), rich.plain)
    return [_Words(plain, rich.seen, rich.html)]


def _joined(several: list[_Words]) -> _Words | None:
    """Joins consecutive words."""
    if len(several) <= 1:
        return several[0] if several else None
    text = "\n\n".join(each.text.strip("\n") for each in several)
    if all(each.seen is None for each in several):
        return _Words(plain=text)
    rich = [each.rich for each in several]
    html = "\n".join(each for each in rich if each is not None) if None not in rich else None
    seen = "\n\n".join((each.seen if each.seen is not None else each.plain or "").strip("\n") for each in several)
    return _Words(text if any(each.plain is not None for each in several) else None, seen, html)


def _keep_the_rest(gathered: _Gathered, text: str, seen: str) -> None:
    """Keeps words that are in no shown part: a few in a note, many in a file."""
    if [words.strip("\n") for _, words in gathered.said] == [text.strip("\n")]:
        return
    quotes = 0
    shown = _words(text) | _words(seen)
    for part, words in gathered.said:
        if _words(words) <= shown:
            continue
        quoted = " ".join(words.split())
        if len(quoted) <= LONGEST_QUOTED and quotes < MOST_QUOTED:
            quotes += 1
            gathered.wrong.append(f"another form of it says: {quoted}")
        else:
            gathered.files.append(_file(part, gathered.files))
            gathered.wrong.append(f"another form of it says something else; it is the file {gathered.files[-1].name}")


def _root(part: Part) -> Part:
    """The part to which the others belong: the one that `start` names, else one of the type that `type` names (RFC
    2387), else the first one with words."""
    if part.type != "multipart/related":
        return part.children[0]
    start, kind = part.parameter("start").strip("<> "), part.parameter("type").lower()
    shown = [child for child in part.children if child.disposition != "attachment"] or part.children
    named = next((child for child in part.children if start and _content_id(child) == start), None)
    typed = next((child for child in shown if kind and child.type == kind), None)
    return named or typed or next((child for child in shown if child.children or child.type in _WORDS), shown[0])


def _content_id(part: Part) -> str:
    return part.get("content-id").partition("(")[0].strip().strip("<> ")[:200]


def _leaves(part: Part) -> list[Part]:
    if not part.children:
        return [part]
    return [leaf for child in part.children for leaf in _leaves(child)]


def _file(part: Part, others: list[File]) -> File:
    content = part.content
    name = own_name(part.file_name, longest=LONGEST_FILE_NAME)
    if part.type in ("message/rfc822", "message/global") and not name.lower().endswith(".eml"):
        called = name or mime.subject(content)
        name = own_name(f"{called}.eml", longest=LONGEST_FILE_NAME) if called else ""
    return File(name or _nameless(part.type, others), part.type, content, _content_id(part) or None)


def _nameless(media_type: str, others: list[File]) -> str:
    name = name_for_type(media_type)
    taken = {file.name for file in others}
    return next(each for n in range(1, len(taken) + 2) if (each := name if n == 1 else numbered(name, n)) not in taken)


def _unpack_tnef(part: Part, gathered: _Gathered) -> None:
    """Replaces Outlook's winmail.dat by its files. One that cannot be read to its end is kept beside them."""
    content = tnef.read(part.content)
    if content is None or not content.whole:
        gathered.wrong.append("winmail.dat could not be read to its end")
        gathered.files.append(_file(part, gathered.files))
    if content is None:
        return
    for enclosed in content.files:
        kind = enclosed.type.lower() if mime.is_media_type(enclosed.type.lower()) else "application/octet-stream"
        name = own_name(enclosed.name, longest=LONGEST_FILE_NAME) or _nameless(kind, gathered.files)
        inline = enclosed.content_id.strip("<> ")[:200]
        gathered.files.append(File(name, kind, enclosed.content, inline or None))
    if content.rtf and not content.text and not content.html:
        gathered.files.append(File("message.rtf", "text/rtf", content.rtf))
    if content.text:
        gathered.spare.append(content.text)
    elif content.html:
        gathered.spare.append(mime.clean(richtext.read(content.html)[0]))


def _words_of_enclosed(files: list[File]) -> str | None:
    """The words of the first enclosed mail, for a mail without words of its own."""
    enclosed = next((file for file in files if file.type == "message/rfc822"), None)
    if enclosed is None:
        return None
    root, _ = mime.parse(enclosed.content)
    found = _joined(_read(root, _Gathered(), is_letter=True))
    fields = [(name, mime.decoded(root.get(name))) for name in ("from", "date", "to", "subject")]
    return "\n".join(
        [f"{name.title()}: {value}" for name, value in fields if value] + ["", found.text if found else ""]
    )
