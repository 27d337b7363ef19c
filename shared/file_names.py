"""Safe names of files: one rule for files that come by mail or upload, and are shown, stored and sent."""

import mimetypes
import re

LONGEST = 200
LONGEST_ENDING = 20
MOST_BYTES = 240
"""Of a name in UTF-8; file systems allow 255."""

_PATH = re.compile(r"[A-Za-z]:[\\/]|[\\/]|~[\\/]|\.{1,2}[\\/]|.*[\\/]\.\.?[\\/]")
"""How a path begins that a program sent instead of a name. Other slashes belong to the name: `Invoice 24/25.pdf`."""
_UNSEEN = "\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u2069\ufeff\ud800-\udfff"
"""Control characters, and those that reverse the direction of text: `gpj.exe` must not look like `exe.jpg`."""
_UNFIT = re.compile(rf'[{_UNSEEN}"*/:<>?\\|]+')
"""Also characters that are syntax for file systems and mail programs."""
_NOT_AT_THE_ENDS = "".join(filter(re.compile(rf"[{_UNSEEN}\s.]").match, map(chr, range(0x10000))))
_ONLY_AN_ENDING = re.compile(rf"\s*\.(\w{{1,{LONGEST_ENDING}}})")
_BLANKS = re.compile(r"\s+")
_CALLED = {
    "message/rfc822": "message.eml",
    "message/global": "message.eml",
    "text/calendar": "invite.ics",
    "text/vcard": "contact.vcf",
    "text/x-vcard": "contact.vcf",
}
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\s*\..*)?", re.IGNORECASE)
"""Names of devices on Windows, with any ending: no file can have them."""
_STEMS = {"image": "image", "audio": "audio", "video": "video"}
_TYPES = mimetypes.MimeTypes()
"""Python's own table, which is the same on every machine."""
_MORE_ENDINGS = {
    "application/gzip": ".gz",
    "application/ms-tnef": ".dat",
    "application/pgp-encrypted": ".asc",
    "application/pgp-keys": ".asc",
    "application/pgp-signature": ".asc",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/vnd.ms-tnef": ".dat",
    "application/vnd.apple.pkpass": ".pkpass",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": ".xlsb",
    "application/vnd.ms-excel.sheet.macroenabled.12": ".xlsm",
    "application/vnd.ms-outlook": ".msg",
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": ".pptm",
    "application/vnd.ms-word.document.macroenabled.12": ".docm",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.rar": ".rar",
    "application/x-7z-compressed": ".7z",
    "application/x-gzip": ".gz",
    "application/x-msexcel": ".xls",
    "application/x-pdf": ".pdf",
    "application/x-pkcs7-mime": ".p7m",
    "application/x-pkcs7-signature": ".p7s",
    "application/x-rar-compressed": ".rar",
    "application/x-zip": ".zip",
    "application/x-zip-compressed": ".zip",
    "application/xml": ".xml",
    "audio/amr": ".amr",
    "audio/m4a": ".m4a",
    "audio/mp3": ".mp3",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/x-m4a": ".m4a",
    "image/pjpeg": ".jpg",
    "image/x-emf": ".emf",
    "image/x-png": ".png",
    "image/x-wmf": ".wmf",
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "message/feedback-report": ".txt",
    "message/rfc822-headers": ".txt",
    "text/markdown": ".md",
    "text/rfc822-headers": ".txt",
    "text/rtf": ".rtf",
    "text/x-amp-html": ".html",
    "video/3gpp": ".3gp",
    "video/x-m4v": ".m4v",
}
_READABLE = ("text", "message", "multipart")
"""Kinds of which unknown types are read as text too."""


def safe_name(name: str, media_type: str = "", *, longest: int = LONGEST) -> str:
    """A file's own name (`own_name`), else a name for its type: `image.jpg`, `file.pdf`."""
    return own_name(name, longest=longest) or name_for_type(media_type)


def own_name(name: str, *, longest: int = LONGEST) -> str:
    """A file's own name on one line, without path and invisible characters, shortened before its ending; or empty."""
    name = name.replace("\t", " ").replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
    if _PATH.match(name):
        name = name.replace("\\", "/").rpartition("/")[2]
    if (only := _ONLY_AN_ENDING.fullmatch(name)) is not None:
        name = f"file.{only.group(1)}"
    plain = _BLANKS.sub(" ", _UNFIT.sub("_", name.strip(_NOT_AT_THE_ENDS)))
    if _RESERVED.fullmatch(plain):
        plain = f"_{plain}"
    return _shortened(plain, longest)


def name_for_type(media_type: str) -> str:
    """The name for a file of a type that has none."""
    if media_type in _CALLED:
        return _CALLED[media_type]
    kind = media_type.partition("/")[0]
    stem = _STEMS.get(kind, "file")
    known = _MORE_ENDINGS.get(media_type) or _TYPES.guess_extension(media_type, strict=False)
    ending = known or (".txt" if kind in _READABLE else "")
    return f"{stem}{ending}"


def numbered(name: str, number: int) -> str:
    """A name for another file with the same name: `image-2.jpg`."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem}-{number}.{ending}" if dot else f"{name}-{number}"


def _shortened(name: str, longest: int) -> str:
    if len(name) <= longest and len(name.encode()) <= MOST_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem or len(ending) > LONGEST_ENDING:
        stem, dot, ending = name, "", ""
    stem = stem[: longest - len(dot + ending)]
    room = MOST_BYTES - len((dot + ending).encode())
    stem = stem.encode()[:room].decode(errors="ignore").rstrip(" .")
    return f"{stem}{dot}{ending}"
