"""A printed ticket as one page of HTML that loads nothing and runs nothing."""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import jinja2

from services.reporting.printing.printed import PrintedArticle, PrintedTicket
from services.reporting.printing.words import WORDS

PIECE = 32 * 1024
"""Characters that are sent at a time, about."""
_FOLDER = Path(__file__).parent
_STYLE = _FOLDER.joinpath("page.css").read_text("utf-8")
_TEMPLATE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, enable_async=True, undefined=jinja2.StrictUndefined
).get_template("page.html")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SECURITY = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing but the page's own style, whatever gets into it."""


async def html_page(ticket: PrintedTicket, articles: AsyncIterator[PrintedArticle]) -> AsyncIterator[bytes]:
    """The page in pieces. Articles are read while it is sent, so that a ticket may be of any length."""
    waiting: list[str] = []
    size = 0
    async for text in _TEMPLATE.generate_async(ticket=ticket, articles=articles, words=WORDS, style=_STYLE):
        waiting.append(text)
        size += len(text)
        if size >= PIECE:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()
