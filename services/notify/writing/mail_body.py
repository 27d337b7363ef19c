"""The words of a mail, plain and rich: what an agent wrote, between salutation and signature, with a forwarded message below."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from services.notify.writing import wording
from shared.blobs import texts
from shared.contracts.parts import Address, Message
from shared.markup import richtext

LONGEST_HTML = 320_000
"""Bytes of an event. What is longer leaves as text alone: the event that asks for the mail must stay below what the log takes."""


LONGEST_QUOTE = 8_000
"""Characters of a quote; what is longer is cut off, and the quote says so."""
_QUOTES = re.compile(r"^>", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Quote:
    """The words that a mail answers, below a line (`attribution`) that tells whose they are."""

    attribution: str
    words: str


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around an agent's words: rendered salutation and signature (A8.02), the words that are answered, and the message that is
    sent on with them."""

    salutation: str = ""
    signature: str = ""
    forwarded: Message | None = None
    zone: tzinfo | None = None
    quote: Quote | None = None


def text_of(message: Message, around: Around) -> str:
    """The mail as plain text."""
    parts = [around.salutation, _whole(message), around.signature]
    if (quote := around.quote) is not None:
        parts.append("\n".join((quote.attribution, *(f"> {each}".rstrip() for each in _lines(quote.words)))))
    if (original := around.forwarded) is not None:
        parts.append(
            "\n".join((wording.FORWARDED, *_head(original, around.zone), "", _whole(original), "", wording.END))
        )
    return "\n\n".join(part.strip("\r\n") for part in parts if part.strip()) + "\n"


def html_of(message: Message, around: Around, *, by_agent: bool = True) -> str | None:
    """The same with the rich text of those who wrote any; None where nobody did, or where it is too long.

    Rich text was made safe when its article was built; everything else is escaped. Images that an agent has put in from elsewhere are
    shown, those of others stay set aside.
    """
    original = around.forwarded
    if message.html is None and (original is None or original.html is None):
        return None
    written = richtext.as_sent(message.html) if by_agent and message.html is not None else _rich(message)
    parts = [_paragraph(around.salutation), written, _paragraph(around.signature)]
    if (quote := around.quote) is not None:
        words = _paragraph("\n".join(_lines(quote.words)))
        parts.append(f'{_paragraph(quote.attribution)}\n<blockquote type="cite">{words}</blockquote>')
    if original is not None:
        head = _paragraph("\n".join((wording.FORWARDED, *_head(original, around.zone))))
        parts += [head, f'<blockquote type="cite">{_rich(original)}</blockquote>', _paragraph(wording.END)]
    made = "\n".join(part for part in parts if part)
    return made if texts.fits(made, LONGEST_HTML) else None


def quotes_already(message: Message) -> bool:
    """Whether its writer has put somebody's words into it themselves."""
    return _QUOTES.search(message.text) is not None or "<blockquote" in (message.html or "")


def _lines(words: str) -> list[str]:
    """What is quoted of these words."""
    cut = words[:LONGEST_QUOTE].strip("\r\n").splitlines()
    return cut if len(words) <= LONGEST_QUOTE else [*cut, wording.LEFT_OUT]


def moment(when: datetime, zone: tzinfo | None) -> str:
    """A time as people read it; one that lies outside of the calendar, as a mail may claim, is told as it stands."""
    try:
        return f"{when.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    except (OverflowError, ValueError):
        return str(when)


def line(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def _head(original: Message, zone: tzinfo | None) -> Iterable[str]:
    if original.sender is not None:
        yield f"From: {_named(original.sender)}"
    if original.to:
        yield f"To: {', '.join(map(_named, original.to))}"
    if original.written_at is not None:
        yield f"Date: {moment(original.written_at, zone)}"
    if original.subject:
        yield f"Subject: {line(original.subject)}"


def _named(address: Address) -> str:
    name, email = line(address.name), line(address.email)
    return f"{name} <{email}>" if name and email else name or email


def _whole(message: Message) -> str:
    """All of the text, or its beginning and where the rest is."""
    return message.text if message.text_blob is None else f"{message.text}\n\n{wording.WHOLE_TEXT_ATTACHED}"


def _rich(message: Message) -> str:
    return message.html if message.html is not None else _paragraph(_whole(message))


def _paragraph(text: str) -> str:
    lines = text.strip("\r\n").splitlines()
    shown = "<br>\n".join(html.escape(each) for each in lines)
    return f"<p>{shown}</p>" if lines else ""
