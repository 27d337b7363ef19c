"""Rows as the API shows them (api.md, section 3)."""

from datetime import UTC, datetime
from typing import Any

import asyncpg

from services.reporting.people import facts
from services.reporting.summaries import summary
from shared.contracts.access import Access, Identity, may
from shared.contracts.states import PRIORITIES
from shared.directory.copy import Queues

ACTIONS = ("reply", "note", "lock", "unlock", "close", "reopen", "message")
REFUSED_BY_A_FOREIGN_LOCK = frozenset(("reply", "unlock", "close", "reopen"))


def instant(value: datetime | None) -> str | None:
    """RFC 3339, UTC, milliseconds."""
    return None if value is None else value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ticket(row: asyncpg.Record, who: Identity, queues: Queues) -> dict[str, Any]:
    """One ticket for the person who asks; `allowed` is what they may do now."""
    return {
        "id": str(row["id"]),
        "number": row["number"],
        "title": row["title"],
        "queue": {"id": str(row["queue_id"]), "slug": row["queue_slug"], "name": row["queue_name"]},
        "state": {"slug": row["state_slug"], "name": row["state_name"], "type": row["state_type"]},
        "priority": {"id": row["priority"], "name": PRIORITIES.get(row["priority"], str(row["priority"]))},
        "owner": _person(row, "owner"),
        "previous_owner": _person(row, "previous_owner"),
        "lock": {
            "locked": row["locked_by_id"] is not None,
            "by": _person(row, "locked_by"),
            "since": instant(row["locked_since"]),
            "expires_at": instant(row["lock_expires_at"]),
        },
        "customer": {
            "id": str(row["customer_id"]),
            "name": row["customer_name"],
            "email": row["customer_email"],
            "company": row["company"],
        },
        "channel": row["channel"],
        "pending_until": instant(row["pending_until"]),
        "tags": row["tags"],
        "fields": row["fields"] or {},
        "time_units": row["time_units"],
        "created_at": instant(row["created_at"]),
        "updated_at": instant(row["updated_at"]),
        "first_answer_at": instant(row["first_answer_at"]),
        "closed_at": instant(row["closed_at"]),
        "reminder_due": row["reminder_due"],
        "article_count": row["article_count"],
        "links": [],
        "merged_into": None,
        "versions": {producer: version for producer, (version, _) in row["seen"].items()},
        "allowed": allowed(row, who, queues),
    }  # fmt: skip


def allowed(row: asyncpg.Record, who: Identity, queues: Queues) -> list[str]:
    """The commands that this person may give on this ticket now."""
    about = facts(row["queue_id"], row["customer_email"], row["company"], queues)
    foreign = row["locked_by_id"] is not None and row["locked_by_id"] != who.person_id
    return [
        action
        for action in ACTIONS
        if may(who, action, about) is Access.ALLOWED
        and not (foreign and action in REFUSED_BY_A_FOREIGN_LOCK)
        and not (action == "reopen" and row["state_type"] != "closed")
        and not (action == "unlock" and row["locked_by_id"] is None)
    ]


def article(row: asyncpg.Record, text: str | None = None) -> dict[str, Any]:
    """One article; `text` replaces the beginning that the row holds where the whole stands in a blob."""
    whole = row["text"] if text is None else text
    people = row["people"]
    return {
        "id": str(row["id"]),
        "number": row["number"],
        "sender": row["sender"],
        "channel": row["channel"],
        "kind": row["kind"],
        "internal": row["internal"],
        "from": people["from"],
        "to": people["to"],
        "cc": people["cc"],
        "subject": row["subject"],
        "text": whole,
        "new_text": whole if row["new_text"] is None else row["new_text"],
        "html": row["html"],
        "attachments": [
            {"id": a["id"], "name": a["name"], "type": a["blob"]["type"], "size": a["blob"]["size"]}
            for a in row["attachments"] or []
        ],
        "created_at": instant(row["created_at"]),
        "author": row["author"],
        "delivery": row["delivery"],
    }


def history_entry(row: asyncpg.Record) -> dict[str, Any]:
    """One event; texts come back from its article (`text`, `new_text`, `html` of the joined row)."""
    data = dict(row["data"])
    for part in ("message", "mail"):
        if row["article_text"] is not None and isinstance(data.get(part), dict):
            texts = {"text": row["article_text"], "new_text": row["article_new_text"], "html": row["article_html"]}
            data[part] = data[part] | {name: value for name, value in texts.items() if value is not None}
    return {
        "id": str(row["id"]),
        "type": row["type"],
        "source": f"/services/{row['source']}",
        "version": row["version"],
        "at": instant(row["at"]),
        "actor": {"kind": row["actor_kind"], "id": row["actor_id"]},
        "cause": str(row["cause"]) if row["cause"] else None,
        "summary": summary(row["type"], data),
        "data": data,
    }


def _person(row: asyncpg.Record, role: str) -> dict[str, str] | None:
    identifier = row[f"{role}_id"]
    return None if identifier is None else {"id": str(identifier), "name": row[f"{role}_name"]}
