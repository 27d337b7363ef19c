"""A printed ticket as PDF, set in a bounded process."""

import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import orjson

from services.reporting.printing.printed import PrintedArticle, PrintedTicket
from services.reporting.printing.words import WORDS
from shared.bounded.processes import Ended, Processes
from shared.http import problems

MODULE, TASK = "services.reporting.printing.typesetting", "pdf"
MOST_ARTICLES = 1_000
MOST_CHARACTERS = 2_000_000
"""Of everything on the pages. Setting them takes about a second."""
MOST_LINES = 100_000
"""Of all articles. An empty line takes as long as some words."""
MOST_SECONDS = 8.0
"""Of processor time for one document, which is several times what the longest ordinary one takes."""
_LONG_WORD = re.compile(r"(\S{48})(?=\S)")
_MARK = "".join(
    re.escape(chr(code))
    for code in range(0x300, 0x10000)
    if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me", "Cf")
)
_MARKS = re.compile(f"[{_MARK}]{{9,}}")
"""More marks and invisible characters in a row than any language has. The time for them grows with the square of their
number. (Beyond U+FFFF there are few of them, and a search for those would be slow.)"""
BREAK = "\u200b"
"""Lets a line end within a word that is too long for it."""


@asynccontextmanager
async def typesetters() -> AsyncIterator[Processes]:
    """The processes that set documents: one at a time, because each takes a processor and some hundred MB."""
    processes = Processes(MODULE, 1, most_seconds=MOST_SECONDS)
    try:
        yield processes
    finally:
        await processes.close()


async def pdf_page(
    processes: Processes, ticket: PrintedTicket, articles: AsyncIterator[PrintedArticle], updated_at: datetime
) -> bytes:
    """The document; the same bytes for the same ticket. Raises Problem 422 if the ticket is too long for a PDF."""
    shown: list[PrintedArticle] = []
    characters = lines = 0
    async for article in articles:
        shown.append(article)
        characters += len(article["text"]) + sum(len(line["value"]) for line in article["lines"])
        lines += article["text"].count("\n")
        if len(shown) > MOST_ARTICLES or characters > MOST_CHARACTERS or lines > MOST_LINES:
            raise _too_long()
    data = {
        "words": WORDS,
        "ticket": _breakable(ticket),
        "articles": _breakable(shown),
        "timestamp": int(updated_at.timestamp()),
    }
    try:
        (document,) = await processes.ask(TASK, orjson.dumps(data))
    except Ended as ended:
        if ended.reason == "slow":
            raise _too_long() from ended
        raise problems.unavailable("A PDF cannot be made now. Try again.") from ended
    return document


def _too_long() -> problems.Problem:
    return problems.invalid("/query/format", "This ticket is too long for a PDF. HTML can hold it.")


def _breakable(value: Any) -> Any:
    """The value with texts whose words fit on a line, with tabs as spaces, and with few marks on a letter."""
    if isinstance(value, str):
        plain = _MARKS.sub(lambda marks: marks[0][:8], value.replace("\t", "    ").replace("\r", ""))
        return _LONG_WORD.sub(rf"\1{BREAK}", plain)
    if isinstance(value, list):
        return [_breakable(each) for each in value]
    if isinstance(value, dict):
        return {name: _breakable(each) for name, each in value.items()}
    return value
