"""Decodes two-byte charsets so that an invalid pair of bytes damages nothing around it.

Python replaces the first byte of an unknown pair and takes the second one for the start of the next pair, so all
following letters are wrong. Browsers (WHATWG Encoding Standard) replace the pair, unless its second byte is ASCII.
"""

import codecs
from functools import lru_cache

from services.intake.mail.charsets.names import BIG5, EUC_JP, GB_18030, SHIFT_JIS

_REPLACEMENT = "\ufffd"
_HANDLER = "ledgerdesk.wrong-pair"
_THREE_BYTES = 0x8F
"""In EUC-JP, the byte before a pair of JIS X 0212."""


def lenient(content: bytes, codec: str) -> str:
    """Decodes with a codec of Python's; invalid bytes become U+FFFD."""
    return content.decode(codec, _HANDLER)


def sjis_of(row: int, cell: int) -> bytes:
    """The pair of Shift_JIS for a row and cell (1 to 94 each) of JIS X 0208, including NEC's rows."""
    lead = ((row - 1) >> 1) + 0x81
    trail = cell + 0x9E if row % 2 == 0 else cell + 0x3F + (cell + 0x3F >= 0x7F)
    return bytes((lead + 0x40 if lead >= 0xA0 else lead, trail))


def _handle(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    at = error.start
    pair = error.object[at : at + 2]
    codec = error.encoding
    known = _elsewhere(pair, codec)
    if known:
        return known, at + len(pair)
    if pair == b"\x80" or (pair[:1] == b"\x80" and codec == GB_18030):
        return "\u20ac", at + 1  # Windows' sign for the euro
    three = error.object[at : at + 3]
    if codec == EUC_JP and pair[0] == _THREE_BYTES and len(three) == 3 and min(three[1:]) >= 0xA1:
        return _REPLACEMENT, at + 3
    is_pair = len(pair) == 2 and pair[1] >= 0x80 and _begins_a_pair(pair[0], codec)
    return _REPLACEMENT, at + (2 if is_pair else 1)


def _begins_a_pair(lead: int, codec: str) -> bool:
    if codec == SHIFT_JIS:
        return 0x81 <= lead <= 0x9F or 0xE0 <= lead <= 0xFC
    return (0xA1 if codec == EUC_JP else 0x81) <= lead <= 0xFE or (codec == EUC_JP and lead == 0x8E)


@lru_cache(maxsize=4096)
def _elsewhere(pair: bytes, codec: str) -> str:
    """The letter of a pair in related charsets that programs write under the same name; empty if there is none."""
    tries: list[tuple[bytes, str]] = []
    if codec == EUC_JP and len(pair) == 2 and min(pair) >= 0xA1 and max(pair) <= 0xFE:
        tries = [(sjis_of(pair[0] - 0xA0, pair[1] - 0xA0), SHIFT_JIS), (pair, "euc_jis_2004")]
    elif codec == SHIFT_JIS:
        tries = [(pair, "shift_jis_2004")]
    elif codec == BIG5:
        tries = [(pair, "cp950")]
    for content, other in tries:
        try:
            found = content.decode(other)
        except UnicodeDecodeError:
            continue
        if len(found) == 1:
            return found
    return ""


codecs.register_error(_HANDLER, _handle)
