"""Finds the codec for the name of a charset: by the labels of browsers (WHATWG Encoding Standard, `webencodings`), and
by further names that mail programs write.

A name means the charset's superset, as in browsers and mail programs: `gb2312` is read as GB 18030 and `iso-8859-1` as
Windows-1252, because programs write letters of the superset under the old name.
"""

import codecs
import re
from collections.abc import Callable
from functools import lru_cache

import webencodings

LONGEST_NAME = 60

ISO_2022_JP, ISO_2022_KR, ISO_2022_CN, HZ, UTF_7 = "iso-2022-jp", "iso-2022-kr", "iso-2022-cn", "hz", "utf-7"
"""Decoded by `stateful.py`: Python's codecs do not know everything that mail programs write in them."""
UTF_8, UTF_16, UTF_16_LE, UTF_16_BE, UTF_32 = "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"
WINDOWS_1252, GB_18030, BIG5, SHIFT_JIS, EUC_JP, EUC_KR = "cp1252", "gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"

TWO_BYTES = frozenset((GB_18030, BIG5, SHIFT_JIS, EUC_JP, EUC_KR, "johab", "euc_jis_2004", "shift_jis_2004"))
"""Codecs whose letters have two or more bytes."""

_OF_BROWSERS = {
    "utf-8": UTF_8,
    "gbk": GB_18030,
    "gb18030": GB_18030,
    "big5": BIG5,
    "euc-jp": EUC_JP,
    "iso-2022-jp": ISO_2022_JP,
    "shift_jis": SHIFT_JIS,
    "euc-kr": EUC_KR,
    "utf-16le": UTF_16,
    "utf-16be": UTF_16_BE,
    "iso-8859-8-i": "iso8859-8",
    "windows-874": "cp874",
    "macintosh": "mac-roman",
    "x-mac-cyrillic": "mac-cyrillic",
}
"""Python's names of browsers' encodings, if they differ. The byte order of `utf-16` is told by the text."""
_MAC = {
    "ce": "mac-latin2", "centraleurope": "mac-latin2", "centraleurroman": "mac-latin2", "centralroman": "mac-latin2", "latin2": "mac-latin2",
    "cyrillic": "mac-cyrillic", "ukrainian": "mac-cyrillic", "greek": "mac-greek", "turkish": "mac-turkish", "iceland": "mac-iceland",
    "icelandic": "mac-iceland", "croatian": "mac-croatian", "romanian": "mac-romanian", "arabic": "mac-arabic", "farsi": "mac-farsi",
    "hebrew": "cp1255", "thai": "cp874", "japanese": SHIFT_JIS, "korean": EUC_KR, "chinesetrad": BIG5, "chinesesimp": GB_18030,
}  # fmt: skip
"""Apple's charsets; those without a codec by one with the same letters at the same positions."""
_LATIN = {1: 1, 2: 2, 3: 3, 4: 4, 5: 9, 6: 10, 7: 13, 8: 14, 9: 15, 10: 16}
"""ISO 8859 numbers its Latin alphabets and its parts separately."""
_CODE_PAGES = {
    708: "iso8859-6", 936: GB_18030, 950: BIG5, 951: BIG5, 1200: UTF_16, 1201: UTF_16_BE, 12000: UTF_32, 10000: "mac-roman", 10001: SHIFT_JIS,
    10002: BIG5, 10003: EUC_KR, 10004: "mac-arabic", 10005: "cp1255", 10006: "mac-greek", 10007: "mac-cyrillic", 10008: GB_18030,
    10010: "mac-romanian", 10017: "mac-cyrillic", 10029: "mac-latin2", 10079: "mac-iceland", 10081: "mac-turkish", 10082: "mac-croatian",
    20127: WINDOWS_1252, 20866: "koi8-r", 20932: EUC_JP, 20936: GB_18030, 20949: EUC_KR, 21866: "koi8-u", 38598: "iso8859-8",
    50220: ISO_2022_JP, 50221: ISO_2022_JP, 50222: ISO_2022_JP, 50225: ISO_2022_KR, 50227: ISO_2022_CN, 51932: EUC_JP, 51936: GB_18030,
    51949: EUC_KR, 52936: HZ, 54936: GB_18030, 65000: UTF_7, 65001: UTF_8, 819: WINDOWS_1252, 912: "iso8859-2", 915: "iso8859-5", 923: "iso8859-15",
    943: SHIFT_JIS, 954: EUC_JP, 970: EUC_KR, 1252: WINDOWS_1252, 1361: "johab", 1381: GB_18030, 1383: GB_18030, 1386: GB_18030, 5601: EUC_KR,
    62: WINDOWS_1252,
}  # fmt: skip
"""Numbers of Windows and IBM that Python does not have; 62 is in some mails of Windows 95."""


def _code_page(found: re.Match[str]) -> str:
    number = int(found.group(1))
    if 28591 <= number <= 28605:
        return _part(number - 28590)
    return _CODE_PAGES.get(number) or _of_python(f"cp{number}")


def _part(number: int) -> str:
    """The codec of a part of ISO 8859; three of them are read as their supersets."""
    return {1: WINDOWS_1252, 9: "cp1254", 11: "cp874"}.get(number) or _of_python(f"iso8859-{number}")


_Meaning = str | Callable[[re.Match[str]], str]
_PATTERNS: tuple[tuple[re.Pattern[str], _Meaning], ...] = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        (r"utf8", UTF_8),
        (r"utf16be|ucs2be|unicodefffe", UTF_16_BE),
        (r"utf16|ucs2|^unicode$", UTF_16),
        (r"utf32|ucs4", UTF_32),
        (r"utf7", UTF_7),
        (r"2022(?:jp|jis)|^jis(?:7|encoding)?$|jisx?0208|jisc6226", ISO_2022_JP),
        (r"2022kr", ISO_2022_KR),
        (r"2022cn", ISO_2022_CN),
        (r"^x?hz", HZ),
        (r"gb18030|gbk|gb2312|gb231280|euccn|eucgb|^x?gb$|isoir58|^chinese$", GB_18030),
        (r"big5|^hkscs", BIG5),
        (r"s(?:hift)?jis|windows31j|mskanji", SHIFT_JIS),
        (r"eucjp|ujis|extendedunixcodepacked", EUC_JP),
        (r"johab", "johab"),
        (r"euckr|ksc?5601|ksx1001|isoir149|uhc|wansung|windows949|^korean$", EUC_KR),
        (r"tis620|isoir166|^thai$", "cp874"),
        (r"koi8(?:u|ru)", "koi8-u"),
        (r"koi8|^koi$|gost19768", "koi8-r"),
        (r"viscii", "viscii"),
        (rf"mac({'|'.join(sorted(_MAC, key=len, reverse=True))})", lambda found: _MAC[found.group(1)]),
        (r"mac(?:intosh|roman|os)?$", "mac-roman"),
        (r"8859(1[0-6]|[1-9])", lambda found: _part(int(found.group(1)))),
        (r"latin(10|[1-9])", lambda found: _part(_LATIN[int(found.group(1))])),
        (r"(?:windows|win|cp|ibm|dos|oem|ms|page)0*(\d{2,5})", _code_page),
        (r"^ansi|^(?:western|latin)$|^iso8859$", WINDOWS_1252),
        (r"^0*(\d{3,5})$", _code_page),
    )
)  # fmt: skip
"""Tried in order on the letters and digits of a name."""
_ASCII = re.compile(r"^x?(?:us)?ascii|ansix34|iso646|^isoir6$")
_YEAR = re.compile(r":\d{4}\Z")
_ESCAPING = frozenset(("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"))


@lru_cache(maxsize=1024)
def codec_for(name: str) -> str:
    """The codec (Python's name, or one of the names above) for the name of a charset; empty if the name says nothing
    about the bytes.

    ASCII says nothing: text that is really ASCII is the same in every charset, and other text is not ASCII.
    """
    label = name[:LONGEST_NAME].encode("ascii", "ignore").decode().strip("\"'<> \t\r\n").lower()
    if not label:
        return ""
    letters = re.sub(r"[^a-z0-9]", "", _YEAR.sub("", label.partition(";")[0].removeprefix("charset=")))
    if _ASCII.search(letters):
        return ""
    known = webencodings.lookup(label)
    if known is not None and known.name not in ("replacement", "x-user-defined"):
        return _OF_BROWSERS.get(known.name) or _of_python(known.name)
    # Browsers replace stateful charsets ("replacement") because scripts could hide in them; here rich text is sanitised
    # after decoding.
    for pattern, meaning in _PATTERNS:
        found = pattern.search(letters)
        if found is not None and (codec := meaning if isinstance(meaning, str) else meaning(found)):
            return codec
    return _of_python(label) or _of_python(label.removeprefix("x-"))


def _of_python(name: str) -> str:
    """A codec of Python's that leaves ASCII unchanged. Others are not charsets of mails: they compress, escape, or come
    from mainframes."""
    try:
        found = codecs.lookup(name)
        is_text = getattr(found, "_is_text_encoding", True) and found.name not in _ESCAPING
        return found.name if is_text and found.decode(b"az AZ 09")[0] == "az AZ 09" else ""
    except (LookupError, ValueError):
        return ""
