"""What an event's payload repeats of its article: left out of the history when it is stored, put back when it is read (decision 0056).

Only what never changes in an article is left out, and only where what is put back equals what was recorded.
"""

from collections.abc import Mapping
from typing import Any

from shared.contracts.envelope import instant

COLUMNS = ("id", "channel", "people", "subject", "text", "new_text", "html", "written_at", "reading_notes")
"""The columns of `articles` that this is about."""
TEXTS = ("text", "new_text", "html")
WISH = ("reply_to", "reply_to_doubt")
REPEATED = {
    "message": ("id", "channel", "sender", "to", "cc", "subject", "written_at", "reading_notes", *WISH, *TEXTS),
    "mail": ("sender", "to", "cc", "subject", *TEXTS),
    "original": TEXTS,
}
"""Part of a payload -> the fields of it that stand in the article as well."""


def without(data: Mapping[str, Any], article: Mapping[str, Any]) -> dict[str, Any]:
    """A payload without what its article (by COLUMNS) says too."""
    told, kept = _recorded(article), dict(data)
    for name, fields in REPEATED.items():
        part = kept.get(name)
        if isinstance(part, dict):
            kept[name] = {f: value for f, value in part.items() if f not in fields or told.get(f) != value}
    return kept


def put_back(data: Mapping[str, Any], article: Mapping[str, Any]) -> dict[str, Any]:
    """The payload as it was recorded, from what was kept and its article (by COLUMNS)."""
    told, whole = _recorded(article), dict(data)
    for name, fields in REPEATED.items():
        part = whole.get(name)
        if isinstance(part, dict):
            whole[name] = {field: told[field] for field in fields if field in told} | part
    return whole


def _recorded(article: Mapping[str, Any]) -> dict[str, Any]:
    """What an article says, as a message is recorded: without what is empty."""
    people, written_at = article["people"], article["written_at"]
    told = {
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
    return {field: value for field, value in told.items() if value}


def _address(address: Mapping[str, str]) -> dict[str, str]:
    return {field: value for field, value in address.items() if value}
