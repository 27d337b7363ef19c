"""The structure of a mail: header fields and parts, from any bytes, in bounded time.

`email.parser` is not used: its time grows with the square of the nesting (one mail of ../shared/corpora takes more than
3 s), and its newer policies raise on malformed header fields. Here nothing raises, and what is nested too deep or has
too many parts stays one opaque part.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Fields
from email.utils import unquote

from services.intake.mail.charsets.decoding import decode
from services.intake.mail.charsets.encoded_words import extended_value, words_decoded
from services.intake.mail.charsets.names import UTF_8, codec_for
from services.intake.mail.charsets.undeclared import charset_of_mail, field_decoded
from services.intake.mail.structure import transfer
from services.intake.mail.structure.header import MOST_FIELD_BYTES, split

DEEPEST = 16
MOST_PARTS = 500
MOST_TEXT_BYTES = 4 * 1024 * 1024
MOST_ENCODED_BYTES = 3 * MOST_TEXT_BYTES
"""Of a text in its transfer encoding, which may take three bytes for each byte."""
MOST_DELIMITERS = 20_000
LONGEST_OUTSIDE = 400
"""Characters outside of all parts that a note quotes."""
MOST_OUTSIDE = 5
"""Pieces of text outside of all parts that notes quote; further pieces are read as parts."""
LONGEST_BOUNDARY = 200

_DELIMITER = re.compile(
    rb"^--([^\s][^\r\n]{0,120}?)[ \t]*(?:\r\n|\n|\r)(?=Content-[A-Za-z-]{1,40}:)", re.MULTILINE | re.IGNORECASE
)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset[ \t]*=[ \t]*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_KEYWORD = re.compile(r"([^\s;,/]*(?:\s*/\s*[^\s;,/]*)?)(.*)", re.DOTALL)
_BEFORE_PARAMETER = re.compile(
    r"(\"(?:[^\"\\]|\\.)*+(?:\"|\Z))"
    r"|[\s,;]+(?=(?:charset|boundary|name|filename|format|delsp|type|start|start-info|report-type|protocol|micalg|method|size|access-type)\*?[0-9]*\*?\s*=)",
    re.IGNORECASE,
)
"""A quoted value, or the characters before a known parameter."""
_HAS_WORD = re.compile(r"\w\w")
_OF_PROGRAMS = re.compile(r"multi-?part (?:message|mail|mime|e-?mail|document)|MIME[ -](?!version)", re.IGNORECASE)
"""What mail programs write above the parts, for programs that do not know MIME."""
_OUTSIDE = "outside of its parts"
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+\-]{1,60}/[a-z0-9!#$&^_.+\-]{1,80}")
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Part:
    """A node of a mail. `children` are the parts of a multipart; `body` is still in its transfer encoding."""

    fields: tuple[tuple[str, str], ...]
    type: str
    parameters: Fields
    body: bytes
    children: tuple["Part", ...] = ()

    def get(self, name: str) -> str:
        """The first field of this (lower-case) name, unfolded, with its encoded words not yet decoded; or empty."""
        return next((value for known, value in self.fields if known == name), "")

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name]

    def parameter(self, name: str, header: str = "content-type") -> str:
        """A parameter of a structured field, with RFC 2231 and encoded words decoded; or empty."""
        try:
            found = self.parameters.get_param(name, "", header)
            if not isinstance(found, tuple) and self.parameters[header].count(f"{name}*"):
                # Programs that do not know what the other side can read write both forms; the second one is complete.
                both = self.parameters.get_params([], header)
                found = next(
                    (value for known, value in both if known.lower() == name and isinstance(value, tuple)), found
                )
            if isinstance(found, tuple):
                return decoded(extended_value(unquote(found[2]), found[0] or ""))
            return decoded(extended_value(str(found)))
        except Exception:
            return ""

    @property
    def file_name(self) -> str:
        return self.parameter("filename", "content-disposition") or self.parameter("name")

    @property
    def disposition(self) -> str:
        return structured(self.get("content-disposition")).partition(";")[0].strip().lower()

    @property
    def _transfer_encoding(self) -> str:
        return transfer.encoding_named(self.get("content-transfer-encoding"))

    @property
    def content(self) -> bytes:
        """The body without its transfer encoding; unchanged if the encoding is unknown or was not applied."""
        return transfer.file_content(self.body, self._transfer_encoding)

    @property
    def text(self) -> str:
        """The content as text, up to a limit; characters that cannot be read are replaced."""
        charset = self.parameter("charset")
        content = transfer.words(
            self.body[:MOST_ENCODED_BYTES], self._transfer_encoding, lambda words: _unreadable(words, charset)
        )
        content = content[:MOST_TEXT_BYTES]
        if not charset and self.type == "text/html":
            named = _META_CHARSET.search(content, 0, 4096)
            charset = named.group(1).decode() if named else ""
        return clean(decode(content, charset))

    @property
    def is_long(self) -> bool:
        """Whether `text` is only its beginning."""
        size = len(self.body)
        return size > MOST_ENCODED_BYTES or (size > MOST_TEXT_BYTES and len(self.content) > MOST_TEXT_BYTES)


def subject(raw: bytes) -> str:
    """The subject of a mail, without reading the rest; or empty."""
    fields = split(raw, is_part=False).fields
    found = next((value for name, value in fields if name == "subject"), b"")
    return decoded(field_decoded(found, charset_of_mail(raw)))


def parse(raw: bytes) -> tuple[Part, list[str]]:
    """The whole mail, and notes about its structure. Linear in the size of the mail times DEEPEST."""
    wrong: list[str] = []
    budget = [MOST_PARTS]
    root = _part(raw.removeprefix(codecs.BOM_UTF8), 0, budget, wrong, "text/plain", charset_of_mail(raw))
    if budget[0] <= 0:
        wrong.append(f"more than {MOST_PARTS} parts; the rest was not read")
    return root, wrong


def _part(raw: bytes, depth: int, budget: list[int], wrong: list[str], default: str, charset: str) -> Part:
    header = split(raw, is_part=depth > 0)
    fields = tuple((name, field_decoded(value, charset)) for name, value in header.fields)
    wrong += header.wrong
    if any(len(value) >= MOST_FIELD_BYTES for _, value in header.fields):
        wrong.append(f"a header field of more than {MOST_FIELD_BYTES // 1024} kB; the rest was not read")
    parameters = Fields()
    for name, value in fields:
        if name in ("content-type", "content-disposition") and name not in parameters:
            parameters[name] = structured(_printable(value))
    kind = parameters["content-type"].partition(";")[0].lower() if "content-type" in parameters else ""
    kind = kind if _MEDIA_TYPE.fullmatch(kind) else ("text/plain" if kind in ("text", "plain") else default)
    part = Part(fields, kind, parameters, header.body)
    if not kind.startswith("multipart/"):
        return part
    if depth >= DEEPEST:
        wrong.append(f"nested deeper than {DEEPEST} levels; the content below was kept as one file")
        return Part(fields, "application/octet-stream", parameters, raw)
    boundary = part.parameter("boundary").encode(errors="replace")[:LONGEST_BOUNDARY]
    default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    children: tuple[Part, ...] = ()
    for body in _bodies(part):
        children = _children(body, boundary, depth, budget, wrong, default, charset) if boundary else ()
        if not children and (guessed := _guessed_boundary(body)):
            wrong.append("a multipart whose boundary does not occur" if boundary else "a multipart without a boundary")
            children = _children(body, guessed, depth, budget, wrong, default, charset)
        if children:
            return Part(fields, kind, parameters, b"", children)
    wrong.append("a multipart whose boundary does not occur" if boundary else "a multipart without a boundary")
    return Part(fields, "text/plain", parameters, header.body)


def _bodies(part: Part) -> Iterator[bytes]:
    """A multipart's body, and the body decoded from a transfer encoding, which RFC 2045 (6.4) forbids but some programs
    use."""
    yield part.body
    if (decoded := part.content) != part.body:
        yield decoded


def _children(
    body: bytes, boundary: bytes, depth: int, budget: list[int], wrong: list[str], default: str, charset: str
) -> tuple[Part, ...]:
    children: list[Part] = []
    for piece, is_part in _pieces(body, boundary):
        if budget[0] <= 0:
            break
        if is_part:
            budget[0] -= 1
            children.append(_part(piece, depth + 1, budget, wrong, default, charset))
        elif (words := " ".join(decode(piece, charset).split())) and _HAS_WORD.search(words):
            if _OF_PROGRAMS.search(words, 0, LONGEST_OUTSIDE):
                continue
            if len(words) <= LONGEST_OUTSIDE and sum(note.startswith(_OUTSIDE) for note in wrong) < MOST_OUTSIDE:
                wrong.append(f"{_OUTSIDE} it says: {words}")
            else:
                budget[0] -= 1
                wrong.append("words outside of its parts were read as one of them")
                children.append(Part((), "text/plain", Fields(), piece))
    return tuple(children)


def _pieces(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, bool]]:
    """The pieces between a multipart's delimiter lines, and whether each is a part. The pieces before the first and
    after the last are not.

    The end may be missing. Some programs write parts after the last delimiter too.
    """
    delimiter = b"--" + boundary
    start, is_part, count = 0, False, 0
    at = body.find(delimiter)
    while at >= 0 and count < MOST_DELIMITERS:
        end = at + len(delimiter)
        closes = body[end : end + 2] == b"--"
        rest = body[end + 2 * closes : end + 2 * closes + 80].lstrip(b" \t")
        # The delimiter must be the whole line, because a boundary may begin with another one.
        if (at == 0 or body[at - 1] in b"\r\n") and (not rest or rest[:1] in (b"\r", b"\n")):
            if start or is_part or at:
                yield (
                    _after_line_break(body, start, _before_line_break(body, at)) if is_part else body[start:at],
                    is_part,
                )
            start, is_part = end + 2 * closes, not closes
            count += 1
        at = body.find(delimiter, end)
    if count:
        yield _after_line_break(body, start, len(body)) if is_part else body[start:], is_part


def _before_line_break(body: bytes, at: int) -> int:
    """Where a part ends: the line break before a delimiter belongs to the delimiter (RFC 2046, 5.1.1)."""
    if body[max(0, at - 2) : at] == b"\r\n":
        return at - 2
    return at - 1 if at else 0


def _guessed_boundary(body: bytes) -> bytes:
    """The boundary of a multipart that names none or a wrong one: the first line that looks like a delimiter above a
    part's header."""
    found = _DELIMITER.search(body, 0, 64 * 1024)
    return found.group(1) if found else b""


def _after_line_break(body: bytes, start: int, end: int) -> bytes:
    if body[start : start + 2] == b"\r\n":
        start += 2
    elif body[start : start + 1] in (b"\n", b"\r"):
        start += 1
    return body[start : max(start, end)]


def is_media_type(value: str) -> bool:
    return _MEDIA_TYPE.fullmatch(value) is not None


def structured(value: str) -> str:
    """A structured field's value with missing semicolons added: `multipart/mixed boundary=x` (RFC 2045, 5.1)."""
    kind, rest = _KEYWORD.match(value).groups()  # type: ignore[union-attr]  # matches everywhere
    rest = _BEFORE_PARAMETER.sub(lambda found: found.group(1) or "; ", f" {rest}")
    return f"{''.join(kind.split())}; {rest.lstrip('; ')}" if rest.strip("; ") else "".join(kind.split())


def _unreadable(content: bytes, charset: str) -> float:
    """The share of characters that are invalid or control characters, in the declared charset or, if that says nothing,
    in UTF-8."""
    text = ""
    if charset.lower() in ("ascii", "us-ascii") or codec_for(charset) in ("", UTF_8):
        try:
            content.decode(UTF_8)
        except UnicodeDecodeError:
            text = content.decode(UTF_8, "replace")
    text = text or decode(content, charset)
    return (text.count("\ufffd") + len(_UNWANTED.findall(text))) / max(1, len(text))


def decoded(value: str) -> str:
    """A header field's text on one line, with its encoded words (RFC 2047) decoded."""
    return _printable(words_decoded(value) if "=?" in value else value)


def clean(text: str) -> str:
    """Text that PostgreSQL and JSON can store and people can read: \\n as line break, no NUL, surrogates or other
    control characters."""
    return _UNWANTED.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _printable(value: str) -> str:
    return " ".join(clean(value).replace("\n", " ").replace("\t", " ").split(" ")).strip()
