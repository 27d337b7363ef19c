"""Sanitises rich text and reads it as plain text. The cost depends on its size and not on its tags (decision 0081).

Strangers' HTML is balanced first (`tree.py`), so that the sanitiser, an HTML parser that follows the standard, builds
no more than what is in it. Rich text is sanitised once, when the article is made, and never in an event loop: services
use `shared/bounded` for it.
"""

import html as entities
import re
from collections.abc import Mapping
from urllib.parse import unquote

import nh3

from shared.markup.tree import balanced

MOST = 256 * 1024
"""Characters of balanced HTML that are sanitised; an event holds fewer."""
TOO_LARGE = "its rich text is too large to be shown"
"""The note in an article of which only the text is left."""

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
_OWN_IMAGE_TAG = re.compile(r'(<img(?: (?!src=)[a-z-]+="[^"]*")*) src="cid:([^"]*)"')
_DISABLED = "data-remote"
_NUMBER = re.compile(r"[0-9]{1,4}%?")
_ANY_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)(?: [a-z-]+="[^"]*")*>')


def read(html: str) -> tuple[str, str | None]:
    """The text that a reader sees, with `>` before quotes of mail programs, and the safe HTML; None if it is too large.
    Only images that are files of the same message (`cid:`) are loaded; `with_remote_images` shows the others."""
    text, whole = balanced(html, _ATTRIBUTES, MOST)
    return text, _clean(whole) if whole is not None else None


def _clean(html: str) -> str:
    """HTML without scripts, styles, forms and unsafe addresses, which loads nothing from elsewhere; harmless HTML does
    not change."""
    safe = nh3.clean(
        html,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        strip_comments=True,
    )
    safe = safe.replace("<img>", "")  # an image without an address; inside an attribute this only removes text
    # nh3 writes attributes in double quotes and no double quotes in them, so this matches only the attribute.
    return _IMAGE.sub(lambda image: image.group().replace(' src="http', f' {_DISABLED}="http'), safe)


def with_remote_images(safe: str) -> str:
    """Safe HTML with remote images (A7.26): showing it tells their servers that the message was read."""
    shown = ' referrerpolicy="no-referrer" src="http'
    return _IMAGE.sub(lambda image: image.group().replace(f' {_DISABLED}="http', shown), safe)


def as_sent(safe: str) -> str:
    """Safe HTML as its writer sends it: the writer's own remote images are shown, those in quotes, which are others',
    are not."""
    depth = 0

    def sent(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag.group(2) == "blockquote":
            depth += -1 if tag.group(1) else 1
        own = tag.group(2) == "img" and depth == 0
        return tag.group().replace(f' {_DISABLED}="http', ' src="http') if own else tag.group()

    return _ANY_TAG.sub(sent, safe)


def with_own_images(safe: str, places: Mapping[str, str]) -> str:
    """Safe HTML in which images that are files of the same message get their addresses; `places`: Content-ID ->
    address."""

    def placed(image: re.Match[str]) -> str:
        place = places.get(unquote(entities.unescape(image.group(2))))
        return f'{image.group(1)} src="{entities.escape(place)}"' if place is not None else image.group()

    return _OWN_IMAGE_TAG.sub(placed, safe)


def _kept(tag: str, attribute: str, value: str) -> str | None:
    """What is kept of an attribute; None for nothing.

    Browsers skip control characters and blanks before an address's scheme but nh3 does not, so what it takes for a
    relative address may be a script. Relative addresses mean nothing in a mail, so only addresses with a known scheme
    are kept.
    """
    match tag, attribute:
        case "a", "href":
            address = _BEFORE_ADDRESS.sub("", value)
            return address if address.startswith("#") or _ADDRESS.match(address) else None
        case "img", "src":
            if _REMOTE_IMAGE.fullmatch(value):
                return f"http{value[4:]}"  # disabled later: loading it would tell the sender that the mail was read
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
