"""Rich text made safe and read as plain text, at a cost that its size decides and not its tags (decision 0081).

What strangers write is first balanced (`shared/markup`), so that the sanitiser, an HTML parser that follows the standard, builds no more than what
stands there. Sanitised once, where the article is built, and never in an event loop: services ask `shared/bounded` for it.
"""

import html as entities
import re
from collections.abc import Mapping
from urllib.parse import unquote

import nh3

from shared.markup.tree import balanced

MOST = 256 * 1024
"""Characters of balanced HTML that are made safe; an event holds less."""
TOO_LARGE = "its rich text is too large to be shown"
"""What a reader of the article is told when only the text is left."""

_ATTRIBUTES = {
    "*": {"dir"},
    "a": {"href", "title"},
    "blockquote": {"type", "class"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_BEFORE_ADDRESS = re.compile(
    r"\A[\x00-\x20\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffd]+"
)
_ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_OWN_IMAGE = re.compile(r"cid:[^\s\"'<>]{1,200}", re.IGNORECASE)
_REMOTE_IMAGE = re.compile(r"https?://[^\s\"'<>\\]{1,2000}", re.IGNORECASE)
_IMAGE = re.compile(r'<img(?: [a-z-]+="[^"]*")+>')
_OWN_IN_PLACE = re.compile(r'(<img(?: (?!src=)[a-z-]+="[^"]*")*) src="cid:([^"]*)"')
_SET_ASIDE = "data-remote"
_NUMBER = re.compile(r"[0-9]{1,4}%?")
_ANY_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)(?: [a-z-]+="[^"]*")*>')


def read(html: str) -> tuple[str, str | None]:
    """The text that a reader of it sees, with `>` before what mail programs quote, and the safe HTML; no HTML for what is too large to be made
    safe. Of its images only those load that are files of the same message (`cid:`); `with_remote_images` shows others."""
    text, whole = balanced(html, _ATTRIBUTES, MOST)
    return text, _clean(whole) if whole is not None else None


def _clean(html: str) -> str:
    """HTML without scripts, styles, forms and odd addresses, which loads nothing; what is harmless stays as it was."""
    safe = nh3.clean(
        html,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        strip_comments=True,
    )
    safe = safe.replace("<img>", "")  # one that has no address; inside of an attribute this takes away words only
    # nh3 writes attributes between double quotes and none within them, so that this is the attribute and nobody's words.
    return _IMAGE.sub(lambda image: image.group().replace(' src="http', f' {_SET_ASIDE}="http'), safe)


def with_remote_images(safe: str) -> str:
    """Safe HTML with the images that stand elsewhere (A7.26): whoever shows it tells their servers that the message was read."""
    shown = ' referrerpolicy="no-referrer" src="http'
    return _IMAGE.sub(lambda image: image.group().replace(f' {_SET_ASIDE}="http', shown), safe)


def as_sent(safe: str) -> str:
    """Safe HTML as its writer sends it: their own images that stand elsewhere are shown, those within a quote, which others have put there,
    stay set aside."""
    depth = 0

    def sent(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag.group(2) == "blockquote":
            depth += -1 if tag.group(1) else 1
        own = tag.group(2) == "img" and depth == 0
        return tag.group().replace(f' {_SET_ASIDE}="http', ' src="http') if own else tag.group()

    return _ANY_TAG.sub(sent, safe)


def with_own_images(safe: str, places: Mapping[str, str]) -> str:
    """Safe HTML whose images that are files of the same message come from where these are; `places`: Content-ID -> address."""

    def placed(image: re.Match[str]) -> str:
        place = places.get(unquote(entities.unescape(image.group(2))))
        return f'{image.group(1)} src="{entities.escape(place)}"' if place is not None else image.group()

    return _OWN_IN_PLACE.sub(placed, safe)


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """What stays of an attribute; None for nothing.

    Browsers skip control characters and blanks before an address's scheme, nh3 does not: what it takes for a relative address may
    be a script. In a mail a relative address means nothing, so that only those with a known scheme stay.
    """
    match tag, attribute:
        case "a", "href":
            address = _BEFORE_ADDRESS.sub("", value)
            return address if address.startswith("#") or _ADDRESS.match(address) else None
        case "img", "src":
            if _REMOTE_IMAGE.fullmatch(value):
                return f"http{value[4:]}"  # set aside later: what is loaded from elsewhere tells the sender that it was read
            return f"cid{value[3:]}" if _OWN_IMAGE.fullmatch(value) else None
        case "blockquote", "type":
            return "cite" if value.strip().lower() == "cite" else None
        case "blockquote", "class":
            return "quote" if "quote" in value.lower() else None
        case _, ("colspan" | "rowspan" | "width" | "height" | "start"):
            return value if _NUMBER.fullmatch(value) else None
        case _, "dir":
            return value if value in ("ltr", "rtl", "auto") else None
        case _:
            return value
