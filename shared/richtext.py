"""Rich text made safe and read as plain text, without letting its nesting decide how long that takes.

HTML parsers that follow the standard take time in the square of the nesting: 1 MB of `<div>` keeps nh3 busy for more than eight
minutes. So what would cost too much is not parsed at all, only stripped of its tags. Sanitised once, where the article is built.
"""

import html as entities
import re

import nh3
from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

_CONFIG = ParserConfig(css=CSS_PROFILES["strict"], display_links=False)
MOST = 256 * 1024
"""Characters that are parsed as HTML; an event holds less."""
MOST_WORK = 3_000_000
"""Tags times nesting. A newsletter of 5 000 tags nested 60 deep has a tenth of it."""

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
    """The text that a reader of it sees, and the safe HTML; no HTML for what is too large or too deep to be made safe."""
    if len(html) > MOST or _work(html) > MOST_WORK:
        return stripped(html), None
    safe = _clean(html)
    return _text_of(safe), safe


def _clean(html: str) -> str:
    """HTML without scripts, styles, forms, and remote or odd addresses; what is harmless stays as it was."""
    return nh3.clean(
        html,
        url_schemes={"http", "https", "mailto", "tel"},
        attributes={"a": {"href", "title"}},
        strip_comments=True,
    )


def _text_of(safe: str) -> str:
    try:
        return str(get_text(safe, _CONFIG)).strip()
    except (RecursionError, ValueError):
        return stripped(safe)


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
