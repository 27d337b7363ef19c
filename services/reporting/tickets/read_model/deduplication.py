"""Leaves what an event repeats of its article out of the history, and puts it back when the history is read.

Decision 0056. Left out are only fields that never change in an article, and only if they come back exactly as recorded.
"""

from collections.abc import Mapping
from typing import Any

from shared.contracts.envelope import instant

ARTICLE_COLUMNS = ("id", "channel", "people", "subject", "text", "new_text", "html", "written_at", "reading_notes")
"""The columns of `articles` that hold what is left out."""
TEXTS = ("text", "new_text", "html")
REPLY_TO = ("reply_to", "reply_to_doubt")
REPEATED = {
    "message": ("id", "channel", "sender", "to", "cc", "subject", "written_at", "reading_notes", *REPLY_TO, *TEXTS),
    "mail": ("sender", "to", "cc", "subject", *TEXTS),
    "original": TEXTS,
}
"""Part of a payload -> its fields that the article may hold too."""


def without_article(data: Mapping[str, Any], article: Mapping[str, Any]) -> dict[str, Any]:
    """A payload without the values that its article holds too; `article` is a row's ARTICLE_COLUMNS."""
    held, kept = _message_fields(article), dict(data)
    for name, fields in REPEATED.items():
        part = kept.get(name)
        if isinstance(part, dict):
            kept[name] = {f: value for f, value in part.items() if f not in fields or held.get(f) != value}
    return kept


def with_article(data: Mapping[str, Any], article: Mapping[str, Any]) -> dict[str, Any]:
    """The payload as it was recorded, from the stored data and the article's ARTICLE_COLUMNS."""
    held, whole = _message_fields(article), dict(data)
    for name, fields in REPEATED.items():
        part = whole.get(name)
        if isinstance(part, dict):
            whole[name] = {f: held[f] for f in fields if f in held} | part
    return whole


def _message_fields(article: Mapping[str, Any]) -> dict[str, Any]:
    """An article as the fields of a recorded message. Empty ones are left out, as they are in events."""
    people, written_at = article["people"], article["written_at"]
    message = {
        "id": str(article["id"]),
        "channel": article["channel"],
        "sender": _address(people["from"]) if people["from"] else None,
        "to": [_address(each) for each in people["to"]],
        "cc": [_address(each) for each in people["cc"]],
        "subject": article["subject"],
        "text": article["text"],
        "new_text": article["new_text"],
        "html": article["html"],
        "written_at": instant(written_at) if written_at else None,
        "reading_notes": list(article["reading_notes"] or ()),
        "reply_to": [_address(each) for each in people.get("reply_to", ())],
        "reply_to_doubt": people.get("reply_to_doubt", ""),
    }
    return {field: value for field, value in message.items() if value}


def _address(address: Mapping[str, str]) -> dict[str, str]:
    return {field: value for field, value in address.items() if value}
