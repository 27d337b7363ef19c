"""The text of a mail, plain and in HTML: salutation, what an agent wrote, signature, and a quoted or forwarded
message."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from services.notify.read_models.last_messages import LONGEST_QUOTE
from services.notify.writing import wording
from shared.blobs import texts
from shared.contracts.parts import Address, Message
from shared.languages.translator import Translator
from shared.markup import richtext

LONGEST_HTML = 320_000
"""Bytes in an event.

A mail whose HTML is longer leaves as plain text: the event that requests it must fit into the log.
"""

_QUOTES = re.compile(r"^>", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Quote:
    """The text that a mail answers, below a line (`attribution`) that says who wrote it and when."""

    attribution: str
    text: str


@dataclass(frozen=True, slots=True)
class BodyParts:
    """What stands around an agent's message: rendered salutation and signature (A8.02), a quote, and a message that
    is forwarded. `say`: the language and time zone of the words that we add."""

    salutation: str = ""
    signature: str = ""
    forwarded: Message | None = None
    quote: Quote | None = None
    say: Translator = Translator()


def text_of(message: Message, parts: BodyParts) -> str:
    """The mail as plain text."""
    pieces = [parts.salutation, _whole(message, parts.say), parts.signature]
    if (quote := parts.quote) is not None:
        pieces.append("\n".join((quote.attribution, *(f"> {each}".rstrip() for each in _quoted_lines(quote.text)))))
    if (original := parts.forwarded) is not None:
        pieces.append(
            "\n".join(
                (
                    parts.say.gettext(wording.FORWARDED),
                    *_head(original, parts.say),
                    "",
                    _whole(original, parts.say),
                    "",
                    parts.say.gettext(wording.END),
                )
            )
        )
    return "\n\n".join(piece.strip("\r\n") for piece in pieces if piece.strip()) + "\n"


def html_of(message: Message, parts: BodyParts, *, by_agent: bool = True) -> str | None:
    """The mail as HTML; None if neither message has rich text, or if it is too long.

    Rich text was made safe when its article was built; everything else is escaped. Images from other servers are shown
    if an agent inserted them, and stay blocked in messages of others.
    """
    original = parts.forwarded
    if message.html is None and (original is None or original.html is None):
        return None
    written = richtext.as_sent(message.html) if by_agent and message.html is not None else _rich(message, parts.say)
    pieces = [_paragraph(parts.salutation), written, _paragraph(parts.signature)]
    if (quote := parts.quote) is not None:
        text = _paragraph("\n".join(_quoted_lines(quote.text)))
        pieces.append(f'{_paragraph(quote.attribution)}\n<blockquote type="cite">{text}</blockquote>')
    if original is not None:
        head = _paragraph("\n".join((parts.say.gettext(wording.FORWARDED), *_head(original, parts.say))))
        end = _paragraph(parts.say.gettext(wording.END))
        pieces += [head, f'<blockquote type="cite">{_rich(original, parts.say)}</blockquote>', end]
    html = "\n".join(piece for piece in pieces if piece)
    return html if texts.fits(html, LONGEST_HTML) else None


def quotes_already(message: Message) -> bool:
    """Whether the writer has quoted something."""
    return _QUOTES.search(message.text) is not None or "<blockquote" in (message.html or "")


def _quoted_lines(text: str) -> list[str]:
    lines = text[:LONGEST_QUOTE].strip("\r\n").splitlines()
    return lines if len(text) <= LONGEST_QUOTE else [*lines, wording.LEFT_OUT]


def line(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def _head(original: Message, say: Translator) -> Iterable[str]:
    if original.sender is not None:
        yield say.gettext("From: {people}", people=_named(original.sender))
    if original.to:
        yield say.gettext("To: {people}", people=", ".join(map(_named, original.to)))
    if original.written_at is not None:
        yield say.gettext("Date: {date}", date=say.moment(original.written_at))
    if original.subject:
        yield say.gettext("Subject: {subject}", subject=line(original.subject))


def _named(address: Address) -> str:
    name, email = line(address.name), line(address.email)
    return f"{name} <{email}>" if name and email else name or email


def _whole(message: Message, say: Translator) -> str:
    """The whole text, or its beginning and where the rest is."""
    return (
        message.text if message.text_blob is None else f"{message.text}\n\n{say.gettext(wording.WHOLE_TEXT_ATTACHED)}"
    )


def _rich(message: Message, say: Translator) -> str:
    return message.html if message.html is not None else _paragraph(_whole(message, say))


def _paragraph(text: str) -> str:
    lines = text.strip("\r\n").splitlines()
    shown = "<br>\n".join(escape(each) for each in lines)
    return f"<p>{shown}</p>" if lines else ""
