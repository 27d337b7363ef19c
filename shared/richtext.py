"""Rich text made safe and read as plain text, without letting its nesting decide how long that takes.

HTML parsers that follow the standard take time in the square of the nesting: 1 MB of `<div>` keeps nh3 busy for more than eight
minutes. So what would cost too much is not parsed at all, only stripped of its tags. Sanitised once, where the article is built.
"""

import html as entities
import re
from collections.abc import Mapping
from urllib.parse import unquote

import nh3
from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

_CONFIG = ParserConfig(css=CSS_PROFILES["strict"], display_links=False)
MOST = 256 * 1024
"""Characters that are parsed as HTML; an event holds less."""
MOST_WORK = 3_000_000
"""Tags times nesting. A newsletter of 5 000 tags nested 60 deep has a tenth of it."""

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
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKS = re.compile(f"[{_OPEN}{_CLOSE}]")
_CITED = re.compile(r"<blockquote [^<>]*>")
_ANY_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)(?: [a-z-]+="[^"]*")*>')
_QUOTE_TAG = re.compile(r"</?blockquote>")
DEEPEST_PREFIX = 20
_RULER = "_" * 32

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NEVER_NESTED = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
        "p",
        "li",
        "td",
        "th",
        "tr",
        "dt",
        "dd",
        "option",
        "thead",
        "tbody",
        "tfoot",
    ]
)
_SKIPPED = frozenset(("script", "style", "title", "head"))
_BREAKS = frozenset(
    ["br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "ul", "ol", "table"]
)


def read(html: str) -> tuple[str, str | None]:
    """The text that a reader of it sees, with `>` before what mail programs quote, and the safe HTML; no HTML for what is too large
    or too deep to be made safe. Of its images only those load that are files of the same message (`cid:`); `with_remote_images` shows others."""
    if len(html) > MOST or _work(html) > MOST_WORK:
        return stripped(html), None
    safe = _clean(html)
    return _text_of(safe), safe


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


def _text_of(safe: str) -> str:
    marked = _MARKS.sub("", safe)
    # A quote says so at both ends, because inscriptis has no prefix for lines; only a mail program's own quotes have attributes here.
    marked = marked.replace("<hr>", f"<div>{_RULER}</div>")
    marked = _CITED.sub(f"<div>{_OPEN}</div><blockquote>", marked)
    if _OPEN in marked:
        marked = _close_quotes(marked)
    try:
        return _prefixed(str(get_text(marked, _CONFIG))).strip()
    except (RecursionError, ValueError):
        return stripped(safe)


def _close_quotes(marked: str) -> str:
    """Puts the mark of an end behind every quote that has one of a beginning; quotes nest."""
    pieces: list[str] = []
    opened: list[bool] = []
    end = 0
    for tag in _QUOTE_TAG.finditer(marked):
        if tag.group() == "<blockquote>":
            opened.append(marked.endswith(f"{_OPEN}</div>", 0, tag.start()))
        elif opened and opened.pop():
            pieces += (marked[end : tag.end()], f"<div>{_CLOSE}</div>")
            end = tag.end()
    return "".join((*pieces, marked[end:]))


def _prefixed(text: str) -> str:
    """The lines between the marks with a `>` for each quote that they stand in."""
    if _OPEN not in text:
        return text
    lines: list[str] = []
    depth = 0
    for line in text.splitlines():
        if _OPEN in line or _CLOSE in line:
            depth = max(0, depth + line.count(_OPEN) - line.count(_CLOSE))
            line = _MARKS.sub("", line)
            if not line.strip():
                continue
        if depth and not line.strip() and lines and not lines[-1].strip("> "):
            continue
        lines.append(f"{'>' * min(depth, DEEPEST_PREFIX)} {line}".rstrip() if depth else line)
    return "\n".join(lines)


def _work(html: str) -> int:
    depth = deepest = tags = 0
    for tag in _TAG.finditer(html):
        tags += 1
        if tag.group(2).lower() in _NEVER_NESTED:
            continue
        depth = max(0, depth - 1) if tag.group(1) else depth + 1
        deepest = max(deepest, depth)
    return tags * deepest


def stripped(html: str) -> str:
    """The words between the tags; linear whatever stands there."""
    words: list[str] = []
    skipping = ""
    for position, piece in enumerate(html.split("<")):
        tag, closed, text = piece.partition(">")
        if position == 0 or not closed:
            text, tag = piece if position == 0 else f"<{piece}", ""
        name = tag[:20].strip("/ \t\n").split(" ", 1)[0].lower()
        if skipping:
            if tag.startswith("/") and name == skipping:
                skipping = ""
            else:
                continue
        elif name in _SKIPPED and not tag.startswith("/"):
            skipping = name
            continue
        if name in _BREAKS:
            words.append("\n")
        words.append(text)
    lines = (line.strip() for line in entities.unescape("".join(words)).splitlines())
    return "\n".join(line for line in lines if line)
