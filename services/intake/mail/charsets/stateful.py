"""Decodes stateful charsets, in which escape sequences or shifts change the meaning of bytes: ISO-2022-JP, -KR and -CN,
HZ, UTF-7.

Python has no codec for what Windows writes as ISO-2022-JP (code page 50220, with NEC's row), and its other codecs give
up at the first invalid byte. Here an invalid byte damages nothing around it.
"""

import base64
import re

from services.intake.mail.charsets.lenient import lenient, sjis_of
from services.intake.mail.charsets.names import (
    EUC_JP,
    EUC_KR,
    GB_18030,
    HZ,
    ISO_2022_CN,
    ISO_2022_JP,
    ISO_2022_KR,
    SHIFT_JIS,
    UTF_7,
)

_SHIFT = re.compile(rb"\x1b(?:\$\([A-Z@]|\$[)*+][A-Z]|\$[@AB]|\([A-Z])|[\x0e\x0f]|\n")
_JAPANESE = re.compile(rb"\x1b(?:\$[@B]|\$\([@BDOPQ]|\([IJ])")
_WITHOUT_ESCAPE = re.compile(rb"\$[@B]((?:[!-~]{2}){1,100}?)\([BJ]")
_MOST_REPAIRED = 256 * 1024
_BEYOND = re.compile(rb"[\x80-\xff]+")
_HIGH = bytes(each | 0x80 for each in range(256))
_ROMAN = {ord("\\"): "\u00a5", ord("~"): "\u203e"}
_ASCII, _LATIN, _KATAKANA, _JIS, _JIS_212, _JIS_2004, _GB, _KS = (
    "ascii",
    "roman",
    "katakana",
    "jis",
    "jis 212",
    "jis 2004",
    "gb",
    "ks",
)
_SETS = {
    b"\x1b(B": _ASCII, b"\x1b(H": _ASCII, b"\x1b(J": _LATIN, b"\x1b(I": _KATAKANA, b"\x1b$@": _JIS, b"\x1b$B": _JIS, b"\x1b$(@": _JIS, b"\x1b$(B": _JIS,
    b"\x1b$(D": _JIS_212, b"\x1b$(O": _JIS_2004, b"\x1b$(Q": _JIS_2004, b"\x1b$A": _GB, b"\x1b$(A": _GB, b"\x1b$(C": _KS,
}  # fmt: skip
_SHIFTED_OUT = {ISO_2022_JP: _KATAKANA, ISO_2022_KR: _KS, ISO_2022_CN: _GB}
_EIGHT_BITS = {ISO_2022_JP: SHIFT_JIS, ISO_2022_KR: EUC_KR, ISO_2022_CN: GB_18030, HZ: GB_18030, UTF_7: "cp1252"}
_GB_IN_HZ = re.compile(rb"~\{([^\n]*?)(?:~\}|(?=\n)|\Z)|~(~|\n)")
_WORDS_IN_UTF_7 = re.compile(rb"\+([A-Za-z0-9+/]*)(-?)")


def stateful_charset(content: bytes) -> str:
    """The charset to which the escape sequences in 7-bit text belong, whatever is declared; empty if there are none."""
    if b"\x1b" not in content or not content.isascii():
        return ""
    if b"\x1b$)C" in content:
        return ISO_2022_KR
    if b"\x1b$)A" in content or b"\x1b$)G" in content:
        return ISO_2022_CN
    return ISO_2022_JP if _JAPANESE.search(content) else ""


def decode_stateful(content: bytes, codec: str) -> str:
    """Decodes text in one of these charsets."""
    if codec == HZ:
        return _hz(content)
    if codec == UTF_7:
        return _utf_7(content)
    if codec == ISO_2022_JP and b"\x1b" not in content and len(content) <= _MOST_REPAIRED:
        content = _WITHOUT_ESCAPE.sub(
            b"\x1b$B\\1\x1b(B", content
        )  # some mail server removed the escape characters as control characters
    return _iso_2022(content, codec)


def _iso_2022(content: bytes, codec: str) -> str:
    out: list[str] = []
    chosen, shifted, start = _ASCII, False, 0
    for found in _SHIFT.finditer(content):
        out.append(_run(content[start : found.start()], _SHIFTED_OUT[codec] if shifted else chosen, codec))
        start = found.end()
        match found.group():
            case b"\n":  # every line begins in ASCII (RFC 1468, RFC 1557)
                chosen, shifted = _ASCII, False
                out.append("\n")
            case b"\x0e" | b"\x0f" as shift:
                shifted = shift == b"\x0e"
            case escape:
                chosen = _SETS.get(escape, chosen)
    out.append(_run(content[start:], _SHIFTED_OUT[codec] if shifted else chosen, codec))
    return "".join(out)


def _run(run: bytes, chosen: str, codec: str) -> str:
    """Decodes bytes of one character set."""
    if not run.isascii():
        if chosen == _ASCII:
            return _of_eight_bits(run, codec)
        return "\ufffd".join(_run(piece, chosen, codec) for piece in _BEYOND.split(run))
    match chosen:
        case "roman":
            return run.decode("ascii").translate(_ROMAN)
        case "katakana":
            return "".join(chr(0xFF61 + each - 0x21) if 0x21 <= each <= 0x5F else chr(each) for each in run)
        case "jis":
            return lenient(b"".join(_of_jis(run)), SHIFT_JIS)
        case "jis 212":
            return lenient(b"".join(b"\x8f" + pair.translate(_HIGH) for pair in _pairs(run)), EUC_JP)
        case "jis 2004" | "gb" | "ks":
            return lenient(run.translate(_HIGH), {"jis 2004": "euc_jis_2004", "gb": GB_18030, "ks": EUC_KR}[chosen])
        case _:
            return run.decode("ascii")


def _of_jis(run: bytes) -> list[bytes]:
    """The pairs of a run in Shift_JIS; bytes between them, such as blanks, stay."""
    return [sjis_of(pair[0] - 0x20, pair[1] - 0x20) if len(pair) == 2 else pair for pair in _pairs(run)]


def _pairs(run: bytes) -> list[bytes]:
    return re.findall(rb"[!-~]{2}|[\x00-\xff]", run)


def _of_eight_bits(run: bytes, codec: str) -> str:
    """Decodes 8-bit text of a program that has declared a 7-bit charset."""
    try:
        return run.decode("utf-8")
    except UnicodeDecodeError:
        return lenient(run, _EIGHT_BITS[codec])


def _hz(content: bytes) -> str:
    """RFC 1843."""
    out: list[str] = []
    start = 0
    for found in _GB_IN_HZ.finditer(content):
        out.append(_of_eight_bits(content[start : found.start()], HZ))
        if found.group(1) is not None:
            out.append(lenient(found.group(1).translate(_HIGH), GB_18030))
        elif found.group(2) == b"~":
            out.append("~")
        start = found.end()
    out.append(_of_eight_bits(content[start:], HZ))
    return "".join(out)


def _utf_7(content: bytes) -> str:
    """RFC 2152. A plus sign that does not begin a shifted word is a plus sign."""
    out: list[str] = []
    start = 0
    for found in _WORDS_IN_UTF_7.finditer(content):
        out.append(_of_eight_bits(content[start : found.start()], UTF_7))
        letters = _of_utf_7(found.group(1))
        if found.group() == b"+-":
            out.append("+")
        else:
            out.append(letters or found.group().decode("ascii"))
        start = found.end()
    out.append(_of_eight_bits(content[start:], UTF_7))
    return "".join(out)


def _of_utf_7(word: bytes) -> str:
    """The letters of one shifted word; empty if it has none, or if bits are left over, which programs do not write."""
    bits = len(word) * 6 % 16
    data = base64.b64decode(word + b"A" * (-len(word) % 4))
    whole = data[: len(word) * 6 // 16 * 2]
    rest = int.from_bytes(data[len(whole) :], "big") if data[len(whole) :] else 0
    if bits >= 6 or rest:
        return ""
    try:
        return whole.decode("utf-16-be")
    except UnicodeDecodeError:
        return ""
