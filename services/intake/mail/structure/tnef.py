"""Reads Outlook's winmail.dat (TNEF, [MS-OXTNEF]), which has text and files that some mails have nowhere else.

Only the few properties that matter here are read. Reading ends at the first error; what was found before it counts.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.intake.mail.charsets.decoding import decode
from services.intake.mail.structure import mime

SIGNATURE = 0x223E9F78
MOST_FILES = 100
MOST_PROPERTIES = 2_000
MOST_DECOMPRESSED = 16 * 1024 * 1024

_FIXED = {0x2: 4, 0x3: 4, 0x4: 4, 0x5: 8, 0x6: 8, 0x7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING8, _UNICODE, _BINARY, _OBJECT = 0x1E, 0x1F, 0x102, 0x0D
_NAMES = (0x3707, 0x3704, 0x3001)
_FILE_TYPE, _CONTENT_ID, _FILE_DATA, _TEXT, _HTML, _RTF = 0x370E, 0x3712, 0x3701, 0x1000, 0x1013, 0x1009
_RTF_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes"
    b" New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


@dataclass(slots=True)
class Enclosed:
    """A file in winmail.dat."""

    name: str = ""
    type: str = ""
    content_id: str = ""
    content: bytes = b""


@dataclass(slots=True)
class TnefContent:
    """The content of winmail.dat; `rtf` is the formatted text if there is no HTML. `whole`: it was read to its end."""

    text: str | None = None
    html: str | None = None
    rtf: bytes = b""
    files: list[Enclosed] = field(default_factory=list)
    whole: bool = False


def read(raw: bytes) -> TnefContent | None:
    """Reads winmail.dat; None if these bytes are not TNEF."""
    if len(raw) < 6 or struct.unpack_from("<I", raw)[0] != SIGNATURE:
        return None
    found = TnefContent()
    charset = "cp1252"
    try:
        for name, data in _attributes(raw):
            match name:
                case 0x9007 if len(data) >= 4:
                    charset = _charset(struct.unpack_from("<I", data)[0])
                case 0x9002 if len(found.files) < MOST_FILES:
                    found.files.append(Enclosed())
                case 0x8010 if found.files:
                    found.files[-1].name = found.files[-1].name or _string(data, charset)
                case 0x800F if found.files:
                    found.files[-1].content = data
                case 0x9005 if found.files:
                    _describe(found.files[-1], data, charset)
                case 0x800C:
                    found.text = _string(data, charset)
                case 0x9003:
                    _words(found, data, charset)
                case _:
                    pass
        found.whole = True
    except (struct.error, ValueError):
        pass
    return found


def _attributes(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 6
    while at + 9 <= len(raw):
        _, name, length = struct.unpack_from("<BII", raw, at)
        end = at + 9 + length
        if end > len(raw):
            raise ValueError("an attribute is longer than the file")
        yield name & 0xFFFF, raw[at + 9 : end]
        at = end + 2  # its checksum


def _words(found: TnefContent, data: bytes, charset: str) -> None:
    for name, kind, value in _properties(data):
        if name == _TEXT and kind in (_STRING8, _UNICODE):
            found.text = _value(kind, value, charset)
        elif name == _HTML and kind in (_STRING8, _UNICODE, _BINARY):
            found.html = decode(value.rstrip(b"\0"), "") if kind == _BINARY else _value(kind, value, charset)
        elif name == _RTF and kind == _BINARY:
            found.rtf = decompressed(value)


def _describe(file: Enclosed, data: bytes, charset: str) -> None:
    names: dict[int, str] = {}
    for name, kind, value in _properties(data):
        if kind in (_STRING8, _UNICODE):
            names[name] = _value(kind, value, charset)
        elif name == _FILE_DATA and kind == _BINARY:
            file.content = value
        elif name == _FILE_DATA and kind == _OBJECT:
            file.content = value[16:]  # after the interface's id
    file.name = next((names[each] for each in _NAMES if names.get(each)), file.name)
    file.type = names.get(_FILE_TYPE, file.type)
    file.content_id = names.get(_CONTENT_ID, file.content_id)


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The name, type and value of each property; of several values the first."""
    (count,) = struct.unpack_from("<I", data)
    at = 4
    for _ in range(min(count, MOST_PROPERTIES)):
        kind, name = struct.unpack_from("<HH", data, at)
        at += 4
        if name >= 0x8000:
            (named,) = struct.unpack_from("<I", data, at + 16)
            at += 20
            if named:
                (length,) = struct.unpack_from("<I", data, at)
                at += 4 + length + -length % 4
            else:
                at += 4
        several = bool(kind & 0x1000)
        kind &= 0xEFFF
        values = 1
        if several or kind in (_STRING8, _UNICODE, _BINARY, _OBJECT):
            (values,) = struct.unpack_from("<I", data, at)
            at += 4
        for index in range(values):
            if kind in _FIXED:
                length = _FIXED[kind]
            elif kind in (_STRING8, _UNICODE, _BINARY, _OBJECT):
                (length,) = struct.unpack_from("<I", data, at)
                at += 4
            else:
                raise ValueError("an unknown type of property")
            if at + length > len(data):
                raise ValueError("a property is longer than its attribute")
            if index == 0:
                yield name, kind, data[at : at + length]
            at += length + -length % 4


def _value(kind: int, value: bytes, charset: str) -> str:
    if kind == _UNICODE:
        return mime.clean(value.decode("utf-16-le", "replace").partition("\0")[0])
    return _string(value, charset)


def _string(data: bytes, charset: str) -> str:
    return mime.clean(decode(data.rstrip(b"\0").partition(b"\0")[0], charset))


def _charset(codepage: int) -> str:
    return "utf-8" if codepage == 65001 else f"cp{codepage}"


def decompressed(data: bytes) -> bytes:
    """Decompresses RTF ([MS-OXRTFCP]); empty if it is not compressed RTF or too long."""
    if len(data) < 16:
        return b""
    length, size, magic = struct.unpack_from("<III", data)
    body = data[16 : 4 + length]
    if magic == 0x414C454D:  # not compressed
        return body[:size]
    if magic != 0x75465A4C or size > MOST_DECOMPRESSED:
        return b""
    window = bytearray(_RTF_START.ljust(4096, b"\0"))
    at, write, out = 0, len(_RTF_START), bytearray()
    while at < len(body) and len(out) <= size:
        control = body[at]
        at += 1
        for bit in range(8):
            if control >> bit & 1:
                if at + 2 > len(body):
                    return bytes(out[:size])
                reference = body[at] << 8 | body[at + 1]
                at += 2
                start, count = reference >> 4, (reference & 0xF) + 2
                if start == write:
                    return bytes(out[:size])
                for offset in range(count):
                    character = window[(start + offset) % 4096]
                    out.append(character)
                    window[write] = character
                    write = (write + 1) % 4096
            else:
                if at >= len(body):
                    return bytes(out[:size])
                out.append(body[at])
                window[write] = body[at]
                write = (write + 1) % 4096
                at += 1
    return bytes(out[:size])
