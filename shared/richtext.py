"""Rich text made safe, and plain text made of it. Sanitised once, where the article is built."""

import nh3
from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

_CONFIG = ParserConfig(css=CSS_PROFILES["strict"], display_links=False)
MOST = 1_000_000
"""Characters of HTML that are taken; what is longer is text only in a blob."""


def clean(html: str) -> str:
    """HTML without scripts, styles, forms, and remote or odd addresses; what is harmless stays as it was."""
    return nh3.clean(
        html[:MOST],
        url_schemes={"http", "https", "mailto", "tel"},
        attributes={"a": {"href", "title"}},
        strip_comments=True,
    )


def text_of(html: str) -> str:
    """The text that a reader of the HTML sees."""
    try:
        return str(get_text(clean(html), _CONFIG)).strip()
    except (RecursionError, ValueError):
        return nh3.clean(html[:MOST], tags=set()).strip()
