"""Words and files of a mail from its parts. The rule: no word of a text part is missing without a note.

Parts that follow one another are read one below the other, as text and as rich text; of alternatives the plain one and the richest one count. What then
stands nowhere is kept as a file, or quoted in a note.
"""

import re
from dataclasses import dataclass, field
from html import escape

from services.intake.mail.structure import calendar, mime, tnef
from services.intake.mail.structure.mime import Part
from shared.file_names import nameless, numbered, own_name
from shared.markup import richtext

LONGEST_FILE_NAME = 100
"""A mail may bring a hundred files, and their names stand in one event."""
LONGEST_HTML = 64 * 1024
"""Bytes of rich text that an event carries."""
LONGEST_QUOTED = 200
"""Characters of a part that a note says in full."""
MOST_QUOTED = 5
"""Parts that notes say in full."""
MOST_DIFFERENT = 0.5
"""Share of the rich text's words that a plain part may lack and still be the same letter."""
MOST_DIFFERENT_HIDDEN = 0.1
"""The same where the rich text is not shown."""

_WORDS = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown", "text/x-markdown")
_NO_LETTER = ("text/rtf", "text/css", "text/calendar", "text/vcard", "text/x-vcard", "text/javascript", "text/csv")
_ENVELOPES = ("application/ms-tnef", "application/vnd.ms-tnef")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W_]+")
"""A word; in scripts without blanks a character."""


@dataclass(frozen=True, slots=True)
class File:
    """A part that is no text of the mail."""

    name: str
    type: str
    content: bytes
    inline_id: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """What a mail says: its text, its rich text made safe (if it is shown), its files, and what of it is not as it came."""

    text: str
    html: str | None
    files: list[File]
    wrong: list[str]


@dataclass(frozen=True, slots=True)
class _Words:
    """What one part says, or several together: as its writer's plain text, as safe rich text, and as the text of that (`seen`)."""

    plain: str | None = None
    seen: str | None = None
    html: str | None = None

    @property
    def text(self) -> str:
        """The one to read; the plain one, unless that says nothing or much less than what is seen of the rich one."""
        if self.seen is None or self.plain is None:
            return self.plain or self.seen or ""
        is_shown = self.html is not None and len(self.html.encode()) <= LONGEST_HTML
        plain, seen = _words(self.plain), _words(self.seen)
        most = MOST_DIFFERENT if is_shown else MOST_DIFFERENT_HIDDEN
        return self.plain if plain and len(seen - plain) <= most * len(seen) else self.seen

    @property
    def rich(self) -> str | None:
        """As rich text; None where rich text was too large for it."""
        if self.seen is None:
            return f"<div>{'<br>'.join(escape(self.plain or '', quote=False).split(chr(10)))}</div>"
        return self.html


@dataclass(slots=True)
class _Gathered:
    """What was found on the way through the parts."""

    files: list[File] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    said: list[tuple[Part, str]] = field(default_factory=list)
    """Each part that is no file, with its words."""
    spare: list[str] = field(default_factory=list)
    """Words for a mail that has none: of an invitation, of an envelope of Outlook's, of a file that is shown."""


def read_body(root: Part) -> Body:
    """Everything that a mail's parts say."""
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
    """What a part says, in order. `is_letter`: it stands where a mail has its letter, and is that even if it has a file's name."""
    if part.children:
        return _read_many(part, gathered, is_letter=is_letter)
    if part.type in _ENVELOPES or part.file_name.lower() == "winmail.dat":
        _open_envelope(part, gathered)
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
        gathered.wrong.append(f"a text of more than {mime.MOST_TEXT_BYTES >> 20} MB; its rest is in the original mail")
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
    """The same in several ways: the first plain text and the last rich one."""
    ways: list[_Words] = []
    for child in part.children:
        if child.type == "text/x-amp-html":
            gathered.said.append(
                (child, richtext.read(child.text)[0])
            )  # the same words again, for programs that run them
        elif (way := _joined(_read(child, gathered, is_letter=is_letter))) is not None:
            ways.append(way)
    if not ways:
        return []
    rich = next((way for way in reversed(ways) if way.seen is not None), _Words())
    plain = next((way.plain for way in ways if way.seen is None), rich.plain)
    return [_Words(plain, rich.seen, rich.html)]


def _joined(several: list[_Words]) -> _Words | None:
    """Words that follow one another as one."""
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
    """What some part says and nothing that is shown: a note with a few words, a file with many."""
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
    """The part that the others belong to: the one that `start` names, else one of the type that `type` names (RFC 2387), else the first one with words."""
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
    name = nameless(media_type)
    taken = {file.name for file in others}
    return next(each for n in range(1, len(taken) + 2) if (each := name if n == 1 else numbered(name, n)) not in taken)


def _open_envelope(part: Part, gathered: _Gathered) -> None:
    """The files of an envelope of Outlook's take its place; one that cannot be read whole stays beside them."""
    envelope = tnef.read(part.content)
    if envelope is None or not envelope.whole:
        gathered.wrong.append("winmail.dat could not be read to its end")
        gathered.files.append(_file(part, gathered.files))
    if envelope is None:
        return
    for enclosed in envelope.files:
        kind = enclosed.type.lower() if mime.is_media_type(enclosed.type.lower()) else "application/octet-stream"
        name = own_name(enclosed.name, longest=LONGEST_FILE_NAME) or _nameless(kind, gathered.files)
        inline = enclosed.content_id.strip("<> ")[:200]
        gathered.files.append(File(name, kind, enclosed.content, inline or None))
    if envelope.rtf and not envelope.text and not envelope.html:
        gathered.files.append(File("message.rtf", "text/rtf", envelope.rtf))
    if envelope.text:
        gathered.spare.append(envelope.text)
    elif envelope.html:
        gathered.spare.append(mime.clean(richtext.read(envelope.html)[0]))


def _words_of_enclosed(files: list[File]) -> str | None:
    """What the first enclosed mail says, for a mail that only sends it on."""
    enclosed = next((file for file in files if file.type == "message/rfc822"), None)
    if enclosed is None:
        return None
    root, _ = mime.parse(enclosed.content)
    found = _joined(_read(root, _Gathered(), is_letter=True))
    fields = [(name, mime.decoded(root.get(name))) for name in ("from", "date", "to", "subject")]
    return "\n".join(
        [f"{name.title()}: {value}" for name, value in fields if value] + ["", found.text if found else ""]
    )
