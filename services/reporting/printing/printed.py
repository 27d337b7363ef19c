"""What a printed ticket shows, as plain texts: of the ticket for its head, and of each article.

Nothing here is markup. Articles are shown by their text and never by their HTML, so that no image, style or script of
a mail can get onto the page.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from services.reporting.printing.words import HEADINGS, SENDERS, WORDS

_UNITS = ("bytes", "KiB", "MiB", "GiB")


class Line(TypedDict):
    """A label and its value."""

    label: str
    value: str


class PrintedTicket(TypedDict):
    """The head of the page."""

    number: str
    title: str
    lines: list[Line]


class PrintedArticle(TypedDict):
    """An article. `heading` says what it is; `internal` whether only agents may read it."""

    heading: str
    at: str
    internal: bool
    lines: list[Line]
    text: str


def printed_ticket(ticket: Mapping[str, Any], zone: ZoneInfo) -> PrintedTicket:
    """The head, from a ticket as the API shows it to the reader."""
    customer, owner = ticket["customer"], ticket["owner"]
    values = {
        "queue": ticket["queue"]["name"],
        "state": ticket["state"]["name"],
        "priority": ticket["priority"]["name"],
        "customer": _address(customer),
        "company": customer["company"],
        "owner": owner["name"] if owner is not None else None,
        **{name: _time(ticket[name], zone) for name in ("created_at", "updated_at", "pending_until", "closed_at")},
    }
    return {"number": ticket["number"], "title": ticket["title"], "lines": _lines(values.items())}


def printed_article(article: Mapping[str, Any], title: str, zone: ZoneInfo) -> PrintedArticle:
    """An article, from the one that the API shows. A subject that is the ticket's `title` is not repeated."""
    files = ", ".join(f"{each['name']} ({_size(each['size'])})" for each in article["attachments"])
    values = {
        "from": _address(article["from"]) if article["from"] else article["author"],
        "to": ", ".join(map(_address, article["to"])),
        "cc": ", ".join(map(_address, article["cc"])),
        "subject": article["subject"] if article["subject"] != title else "",
        "attachments": files,
    }
    return {
        "heading": _heading(article["kind"], article["sender"]),
        "at": _time(article["created_at"], zone),
        "internal": article["internal"],
        "lines": _lines(values.items()),
        "text": article["text"],
    }


def _heading(kind: str, sender: str) -> str:
    """What the article is and who wrote it. Kinds and senders of later versions are shown as they are."""
    who = SENDERS.get(sender, sender)
    known = HEADINGS.get(kind)
    return known.format(sender=who) if known is not None else f"{kind} {who}"


def _lines(values: Iterable[tuple[str, str | None]]) -> list[Line]:
    return [{"label": WORDS[name], "value": value} for name, value in values if value]


def _address(person: Mapping[str, Any]) -> str:
    name, email = person.get("name") or "", person.get("email") or ""
    return f"{name} <{email}>" if name and email else name or email


def _time(shown: str | None, zone: ZoneInfo) -> str:
    """A time of the API on the clock of a zone, such as `2026-11-29 14:03 +01:00`."""
    if not shown:
        return ""
    at = datetime.fromisoformat(shown).astimezone(zone)
    return f"{at:%Y-%m-%d %H:%M} {at:%z}"[:-2] + ":" + f"{at:%z}"[-2:]


def _size(size: int) -> str:
    amount, unit = float(size), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 or amount >= 10 else f"{amount:.1f} {_UNITS[unit]}"
