"""Detects the charset of a text that names none: by the bytes that are valid in it, and by the sequences of letters in
languages.

Only a bounded sample is examined. In doubt the result is Windows-1252, the charset of most mails without a name.
"""

import re
from collections.abc import Callable

from charset_normalizer import from_bytes

from services.intake.mail.charsets.names import BIG5, EUC_JP, EUC_KR, GB_18030, SHIFT_JIS, UTF_8, WINDOWS_1252

MOST_SAMPLE = 4_096
FEWEST_LETTERS = 12
"""Single-byte letters that are needed to tell a language."""
DENSE = 0.4
"""The share of letters beyond ASCII in a text that is not in a Latin alphabet."""
EVERYDAY = 0.75
"""The share of an East Asian text's letters that are in the rows of everyday characters."""

_WORD = re.compile(rb"[^\x00-\x40]*[\x80-\xff][^\x00-\x40]*")
_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")
_ONE_BYTE = ("cp1251", "koi8_r", "koi8_u", "cp1253", "cp1255", "cp1256", "cp874", "iso8859_5", "cp866")
_LATIN = (WINDOWS_1252, "cp1250", "iso8859_2", "cp850")
_SYMBOLS_IN_WORDS = re.compile(
    r"(?<=[^\W\d_])[\ufffd\u0080-\u00a9\u00ab-\u00b9\u00bb-\u00bf\u00d7\u00f7\u201a-\u201f\u2020-\u203a\u2122\u02c6\u02dc\u2500-\u25ff]"
    r"(?=[^\W\d_])|[a-z][\u0160\u017d\u0178](?=[a-z])|(?<=[^\W\d_])[\u00a1\u00a4-\u00a6\u00b1\u00b6\u00bc\u00be\u00bf]"
)
"""Characters that words do not have inside; an apostrophe may, a capital letter with a caron between small ones does
not."""


def detect(content: bytes) -> str:
    """The likely codec of a text with bytes beyond ASCII that is not UTF-8."""
    sample = _sample(content)
    high = sum(each >= 0x80 for each in sample)
    if high < DENSE * (high + sum(bytes((each,)).isalpha() for each in sample)):
        return _of_latin(sample)
    scores = {codec: _everyday(sample, codec) for codec in _EVERYDAY}
    best = max(scores, key=lambda codec: scores[codec])
    if scores[best] >= EVERYDAY:
        return best
    if high < FEWEST_LETTERS:
        return WINDOWS_1252
    found = from_bytes(sample, cp_isolation=list(_ONE_BYTE), threshold=0.4, preemptive_behaviour=False).best()
    return found.encoding if found is not None else WINDOWS_1252


def mostly_utf_8(content: bytes) -> bool:
    """Whether bytes are damaged or truncated UTF-8: most of its multi-byte letters are whole."""
    text = content.decode(UTF_8, "replace")
    wrong = text.count("\ufffd")
    return sum(each > "\x7f" for each in text) - wrong > 3 * wrong


def _sample(content: bytes) -> bytes:
    """Lines with bytes beyond ASCII, up to the size of a sample."""
    lines: list[bytes] = []
    size = 0
    for found in _LINE.finditer(content, 0, 64 * MOST_SAMPLE):
        lines.append(found.group()[:MOST_SAMPLE])
        size += len(lines[-1])
        if size >= MOST_SAMPLE:
            break
    return b"".join(lines)


def _of_latin(sample: bytes) -> str:
    """Windows-1252, unless another Latin alphabet gives fewer words with symbols inside."""
    words = b" ".join(_WORD.findall(sample))
    strange = {codec: len(_SYMBOLS_IN_WORDS.findall(words.decode(codec, "replace"))) for codec in _LATIN}
    return min(_LATIN, key=lambda codec: strange[codec])


def _rows(codec: str, first: int, last: int, *marks: int) -> Callable[[str], bool]:
    """A test whether a letter's first byte in a codec is in the rows of everyday characters or of punctuation."""

    def is_common(letter: str) -> bool:
        pair = letter.encode(
            codec, "replace"
        )  # one pair may decode to two letters, neither of which is in the codec alone
        return len(pair) == 2 and (first <= pair[0] <= last or pair[0] in marks)

    return is_common


def _is_kana(letter: str) -> bool:
    return "\u3040" <= letter <= "\u30ff"


_EVERYDAY: dict[str, Callable[[str], bool]] = {
    SHIFT_JIS: _rows(SHIFT_JIS, 0x81, 0x97),
    EUC_JP: _rows(EUC_JP, 0xA1, 0xCF),
    EUC_KR: _rows(EUC_KR, 0xB0, 0xC8, 0xA1, 0xA3),
    GB_18030: _rows(GB_18030, 0xB0, 0xD7, 0xA1, 0xA3),
    BIG5: _rows(BIG5, 0xA1, 0xC6),
}
"""Of two with the same score the first wins: Korean has everyday letters in some rows of Chinese, but not the other way
round."""
FEWEST_KANA = 0.15
"""The smallest share of kana in a Japanese text."""


def _everyday(sample: bytes, codec: str) -> float:
    """The share of everyday characters among the letters beyond ASCII in a codec; 0 if the sample is not valid in
    it."""
    whole = sample[: sample.rfind(b"\n") + 1 or None]
    try:
        letters = [each for each in whole.decode(codec) if each > "\x7f"]
    except UnicodeDecodeError:
        return 0.0
    if not letters or (codec in (SHIFT_JIS, EUC_JP) and sum(map(_is_kana, letters)) < FEWEST_KANA * len(letters)):
        return 0.0
    return sum(map(_EVERYDAY[codec], letters)) / len(letters)
