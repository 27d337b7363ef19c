"""The structure of a mail: header fields and parts, from any bytes, in bounded time.

Not `email.parser`: its time grows with the square of the nesting (one mail of ../shared/corpora takes it more than 3 s) and its
newer policies raise on malformed header fields. Here nothing raises, and what is too deep or too much stays one opaque part.
"""

import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Fields
from email.utils import collapse_rfc2231_value

from services.intake.mail import transfer
from services.intake.mail.header import MOST_FIELD_BYTES, split
from services.intake.mail.transfer import from_base64

DEEPEST = 16
MOST_PARTS = 500
MOST_TEXT_BYTES = 4 * 1024 * 1024
MOST_DELIMITERS = 20_000
LONGEST_OUTSIDE = 400
"""Characters outside of all parts that a note quotes."""
LONGEST_BOUNDARY = 200

_DELIMITER = re.compile(
    rb"^--([^\s][^\r\n]{0,120}?)[ \t]*(?:\r\n|\n|\r)(?=Content-[A-Za-z-]{1,40}:)", re.MULTILINE | re.IGNORECASE
)
# Blanks and question marks do not belong into an encoded word, but programs write them.
_ENCODED_WORD = re.compile(
    r"=\?([A-Za-z0-9_.:+\-]{1,60})(?:\*[A-Za-z\-]*)?\?([BbQq])\?((?:(?!=\?[A-Za-z0-9]).){0,1000}?)\?="
)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset[ \t]*=[ \t]*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_ONE_BYTE = re.compile(r"(?:iso8859|cp125|cp8[56]|koi8|mac|hp-roman|tis)")
_KEYWORD = re.compile(r"([^\s;,/]*(?:\s*/\s*[^\s;,/]*)?)(.*)", re.DOTALL)
_BEFORE_PARAMETER = re.compile(
    r"(\"(?:[^\"\\]|\\.)*+(?:\"|\Z))"
    r"|[\s,;]+(?=(?:charset|boundary|name|filename|format|delsp|type|start|start-info|report-type|protocol|micalg|method|size|access-type)\*?[0-9]*\*?\s*=)",
    re.IGNORECASE,
)
"""A quoted value, or what stands before a parameter that is known."""
_HAS_WORD = re.compile(r"\w\w")
_OF_PROGRAMS = re.compile(r"multi-?part (?:message|mail|mime|e-?mail|document)|MIME[ -](?!version)", re.IGNORECASE)
"""What mail programs write above the parts, for readers that know none."""
_TOKEN = re.compile(r"[A-Za-z0-9-]+")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+\-]{1,60}/[a-z0-9!#$&^_.+\-]{1,80}")
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_NOT_TEXT = frozenset(("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"))
_ALIASES = {
    "unicode-1-1-utf-7": "utf-7",
    "ansi": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-1": "cp1252",
}
"""What mail programs say and what they mean; Latin-1 that uses 0x80 to 0x9f is always Windows' own."""


@dataclass(frozen=True, slots=True)
class Part:
    """One node of a mail. `children` are the parts of a multipart; `body` is as it stands in the mail, before its transfer decoding."""

    fields: tuple[tuple[str, str], ...]
    type: str
    parameters: Fields
    body: bytes
    children: tuple["Part", ...] = ()

    def get(self, name: str) -> str:
        """The first field of this (lower-case) name, unfolded and decoded from bytes but not from encoded words; or empty."""
        return next((value for known, value in self.fields if known == name), "")

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name]

    def parameter(self, name: str, header: str = "content-type") -> str:
        """A parameter of a structured field, RFC 2231 and encoded words undone; or empty."""
        try:
            found = self.parameters.get_param(name, "", header)
            if not isinstance(found, tuple) and self.parameters[header].count(f"{name}*"):
                # Both forms, as programs write that are not sure what the other side can read: the second one says it in full.
                both = self.parameters.get_params([], header)
                found = next(
                    (value for known, value in both if known.lower() == name and isinstance(value, tuple)), found
                )
            return decoded(collapse_rfc2231_value(found, "replace") if isinstance(found, tuple) else str(found))
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
        named = _TOKEN.search(self.get("content-transfer-encoding"))
        return named.group().lower() if named else ""

    @property
    def content(self) -> bytes:
        """The body without its transfer encoding; as it is when that is unknown or was never done."""
        return transfer.file_content(self.body, self._transfer_encoding)

    @property
    def text(self) -> str:
        """The content as text, as far as a text may go; characters that cannot be read are replaced."""
        charset = self.parameter("charset")
        content = transfer.words(self.body, self._transfer_encoding, lambda words: is_text(words, charset))[
            :MOST_TEXT_BYTES
        ]
        if not charset and self.type == "text/html":
            named = _META_CHARSET.search(content, 0, 4096)
            charset = named.group(1).decode() if named else ""
        return clean(in_charset(content, charset))

    @property
    def is_long(self) -> bool:
        return len(self.body) > MOST_TEXT_BYTES and len(self.content) > MOST_TEXT_BYTES


def subject(raw: bytes) -> str:
    """The subject of a mail, which is all that is read of it; or empty."""
    fields = split(raw, is_part=False).fields
    return next((decoded(_characters(value)) for name, value in fields if name == "subject"), "")


def parse(raw: bytes) -> tuple[Part, list[str]]:
    """The whole mail and what was wrong with its structure. Never raises on purpose; linear in the size of the mail times DEEPEST."""
    wrong: list[str] = []
    budget = [MOST_PARTS]
    root = _part(raw.removeprefix(codecs.BOM_UTF8), 0, budget, wrong, "text/plain")
    if budget[0] <= 0:
        wrong.append(f"more than {MOST_PARTS} parts; the rest was not taken apart")
    return root, wrong


def _part(raw: bytes, depth: int, budget: list[int], wrong: list[str], default: str) -> Part:
    header = split(raw, is_part=depth > 0)
    fields = tuple((name, _characters(value)) for name, value in header.fields)
    wrong += header.wrong
    if any(len(value) >= MOST_FIELD_BYTES for _, value in header.fields):
        wrong.append(f"a header field of more than {MOST_FIELD_BYTES // 1024} kB; its rest was not read")
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
        wrong.append(f"nested deeper than {DEEPEST} levels; what is below was kept as one file")
        return Part(fields, "application/octet-stream", parameters, raw)
    boundary = part.parameter("boundary").encode(errors="replace")[:LONGEST_BOUNDARY]
    default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    children: tuple[Part, ...] = ()
    for body in _bodies(part):
        children = _children(body, boundary, depth, budget, wrong, default) if boundary else ()
        if not children and (guessed := _guessed_boundary(body)):
            wrong.append("a multipart whose boundary does not occur" if boundary else "a multipart without a boundary")
            children = _children(body, guessed, depth, budget, wrong, default)
        if children:
            return Part(fields, kind, parameters, b"", children)
    wrong.append("a multipart whose boundary does not occur" if boundary else "a multipart without a boundary")
    return Part(fields, "text/plain", parameters, header.body)


def _bodies(part: Part) -> Iterator[bytes]:
    """A multipart's body, and without the transfer encoding that none may have (RFC 2045, 6.4) but some do."""
    yield part.body
    if (decoded := part.content) != part.body:
        yield decoded


def _children(
    body: bytes, boundary: bytes, depth: int, budget: list[int], wrong: list[str], default: str
) -> tuple[Part, ...]:
    children: list[Part] = []
    for piece, is_part in _pieces(body, boundary):
        if budget[0] <= 0:
            break
        if is_part:
            budget[0] -= 1
            children.append(_part(piece, depth + 1, budget, wrong, default))
        elif (words := " ".join(piece.decode("utf-8", "replace").split())) and _HAS_WORD.search(words):
            if len(words) <= LONGEST_OUTSIDE and not _OF_PROGRAMS.search(words):
                wrong.append(f"outside of its parts it says: {words}")
            elif len(words) > LONGEST_OUTSIDE and not _OF_PROGRAMS.search(words, 0, LONGEST_OUTSIDE):
                budget[0] -= 1
                wrong.append("words outside of its parts were read as one of them")
                children.append(Part((), "text/plain", Fields(), piece))
    return tuple(children)


def _pieces(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, bool]]:
    """What stands between a multipart's delimiter lines, and whether it is a part: what is before the first and behind a last one is none.

    A missing end is the end of the body. Programs write parts behind the last delimiter too.
    """
    delimiter = b"--" + boundary
    start, is_part, count = 0, False, 0
    at = body.find(delimiter)
    while at >= 0 and count < MOST_DELIMITERS:
        end = at + len(delimiter)
        closes = body[end : end + 2] == b"--"
        rest = body[end + 2 * closes : end + 2 * closes + 80].lstrip(b" \t")
        # The delimiter is the whole of its line; a boundary may be another one's beginning.
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
    """Where a part ends: the line break before a delimiter is the delimiter's (RFC 2046, 5.1.1)."""
    if body[max(0, at - 2) : at] == b"\r\n":
        return at - 2
    return at - 1 if at else 0


def _guessed_boundary(body: bytes) -> bytes:
    """The boundary of a multipart that names none, or a wrong one: the first line that looks like a delimiter over a part's header."""
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
    """A structured field's value with the semicolons that it lacks: `multipart/mixed boundary=x` (RFC 2045, 5.1)."""
    kind, rest = _KEYWORD.match(value).groups()  # type: ignore[union-attr]  # matches everywhere
    rest = _BEFORE_PARAMETER.sub(lambda found: found.group(1) or "; ", f" {rest}")
    return f"{''.join(kind.split())}; {rest.lstrip('; ')}" if rest.strip("; ") else "".join(kind.split())


def is_text(content: bytes, charset: str) -> bool:
    """Whether bytes are text as declared: characters only, none of them a control character."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        if charset.strip().lower() in ("", "ascii", "us-ascii", "utf-8", "utf8"):
            return False
        text = in_charset(content, charset)
    return "\ufffd" not in text and _UNWANTED.search(text) is None


def in_charset(content: bytes, charset: str) -> str:
    """Bytes as text: as declared, else UTF-8, else Windows-1252; wrong bytes become U+FFFD."""
    name = charset.strip().strip("\"'").lower()
    if b"\x1b$" in content[:4096] and name in ("", "us-ascii", "ascii"):
        name = "iso-2022-jp"
    try:
        codec = codecs.lookup(_ALIASES.get(name, name)).name if name and name.isascii() and len(name) <= 60 else ""
    except (LookupError, ValueError):
        codec = ""
    if codec and codec not in _NOT_TEXT and _is_text(codec):
        if codec in ("cp1252", "utf-8"):
            codec = ""  # the two that are tried anyway; programs take one for the other
        elif _ONE_BYTE.match(codec) and _is_utf8(content):
            return content.decode(
                "utf-8"
            )  # any bytes are text in a charset of one byte; these are UTF-8 only if they are meant to be
        else:
            try:
                return content.decode(codec)
            except UnicodeDecodeError as error:
                if _is_utf8(content):
                    return content.decode("utf-8")
                if error.end - error.start < len(content) and codec != "utf-7":
                    return _replaced(content, codec)
            except Exception:
                codec = ""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _replaced(content, "utf-8" if name in ("utf-8", "utf8") else "cp1252")


def _is_utf8(content: bytes) -> bool:
    """Whether bytes are UTF-8 with characters beyond ASCII."""
    if content.isascii():
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_text(codec: str) -> bool:
    """Not one of the byte-to-byte codecs (zlib, base64 ...), which would inflate or raise."""
    return bool(getattr(codecs.lookup(codec), "_is_text_encoding", True))


def _replaced(content: bytes, codec: str) -> str:
    try:
        return content.decode(codec, "replace")
    except Exception:
        return content.decode("latin-1")


def decoded(value: str) -> str:
    """A header field's text with its encoded words (RFC 2047) undone, on one line."""
    if "=?" not in value:
        return _printable(value)
    out: list[str] = []
    pending, charset = b"", ""
    end = 0
    for word in _ENCODED_WORD.finditer(value):
        between = value[end : word.start()]
        if between.strip() or (not pending and end == 0 and between):
            if pending:
                out.append(in_charset(pending, charset))
                pending = b""
            out.append(between)
        same = word.group(1).lower() == charset
        content = _word(word.group(2), word.group(3), word.group(1))
        if pending and not same:
            out.append(in_charset(pending, charset))
            pending = b""
        charset = word.group(1).lower()
        pending += content  # characters may be cut between adjacent words of one charset
        end = word.end()
    if pending:
        out.append(in_charset(pending, charset))
    out.append(value[end:])
    return _printable("".join(out))


def _word(encoding: str, text: str, charset: str) -> bytes:
    if encoding in "Bb":
        return from_base64(text.encode("ascii", "replace"))
    try:
        # Characters that should have been encoded stand as they are: as bytes of the word's own charset they are read with the others.
        raw = text.encode("ascii" if text.isascii() else charset)
    except (LookupError, ValueError):
        raw = text.encode("utf-8", "replace")
    return binascii.a2b_qp(raw, header=True)


def _characters(value: bytes) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    return in_charset(value, "iso-2022-jp" if b"\x1b$" in value else "")


def clean(text: str) -> str:
    """Text that PostgreSQL, JSON and people can hold: line ends as \\n, no NUL, surrogates or other control characters."""
    return _UNWANTED.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _printable(value: str) -> str:
    return " ".join(clean(value).replace("\n", " ").replace("\t", " ").split(" ")).strip()
