"""Rows as the API shows them."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from services.reporting.actors import actor_shown
from services.reporting.deadlines.shown import DeadlinePresenter
from services.reporting.deadlines.stored import from_json
from services.reporting.tickets.events.fold import summary
from services.reporting.tickets.read_model.deduplication import ARTICLE_COLUMNS, with_article
from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE
from services.reporting.visibility import ticket_facts
from shared import addresses
from shared.clocks.deadlines import Deadlines, in_order
from shared.directory.copy import Configuration, Queues, Someone
from shared.languages.translator import Translator
from shared.markup import richtext
from shared.rules.access import Identity, allowed
from shared.rules.states import PRIORITIES
from shared.timestamps import timestamp

SHOWN = [(name, column.type == "timestamptz") for name, column in TICKETS_TABLE.columns.items() if column.shown]
"""The columns that are shown as they are, and whether they are times."""
PEOPLE = ("owner_id", "previous_owner_id", "responsible_id", "locked_by_id", "customer_id")
"""The columns that name people or customers."""


def deadlines_in(rows: Iterable[asyncpg.Record]) -> dict[UUID, Deadlines]:
    """The deadlines of those of these tickets that have any."""
    return {row["id"]: from_json(row["deadlines"]) for row in rows if row["deadlines"]}


def people_named_in(rows: Iterable[asyncpg.Record]) -> set[UUID]:
    """The ids of everybody whom these tickets name."""
    return {row[column] for row in rows for column in PEOPLE if row[column] is not None}


class TicketPresenter:
    """Shows tickets to one person, with the names of today. `people` are those of `people_named_in` who have a record,
    `deadlines` those of `deadlines_in`.

    What the person may do with a ticket is worked out once for all rows that are alike.
    """

    def __init__(
        self,
        who: Identity,
        queues: Queues,
        configuration: Configuration,
        people: Mapping[UUID, Someone],
        deadlines: Mapping[UUID, Deadlines],
        promises: DeadlinePresenter,
    ) -> None:
        self.who, self.queues, self.people = who, queues, people
        self.deadlines, self.promises = deadlines, promises
        self._states, self._priorities = configuration.all_states, configuration.priorities
        self._allowed: dict[tuple[Any, ...], list[str]] = {}

    def ticket(self, row: asyncpg.Record) -> dict[str, Any]:
        """One ticket as lists have it."""
        merged_into, lock = row["merged_into_id"], self._person(row, "locked_by")
        return {
            "id": str(row["id"]),
            **{name: timestamp(row[name]) if is_time else row[name] for name, is_time in SHOWN},
            "queue": self._queue(row),
            "state": self._state(row),
            "priority": {"id": row["priority"], "name": self._priority(row["priority"])},
            "owner": self._person(row, "owner"),
            "previous_owner": self._person(row, "previous_owner"),
            "responsible": self._person(row, "responsible"),
            "lock": {
                "locked": lock is not None,
                "by": lock,
                "since": timestamp(row["locked_since"]),
                "expires_at": timestamp(row["lock_expires_at"]),
            },
            "customer": self._customer(row),
            "last_message": _last_message(row),
            "deadlines": self._deadlines(row),
            "fields": row["fields"] or {},
            "links": [],
            "merged_into": {"id": str(merged_into), "number": row["merged_into_number"]} if merged_into else None,
            "versions": {producer: version for producer, (version, _) in row["seen"].items()},
            "allowed": self._allowed_on(row),
        }

    def _queue(self, row: asyncpg.Record) -> dict[str, Any]:
        queue = self.queues.by_id.get(row["queue_id"])
        slug, name = (queue.slug, queue.name) if queue is not None else (row["queue_slug"], row["queue_name"])
        return {"id": str(row["queue_id"]), "slug": slug, "name": name}

    def _state(self, row: asyncpg.Record) -> dict[str, Any]:
        """With the type by which the ticket is counted: the state's document may have another type by now."""
        state = self._states.get(row["state_slug"])
        name = state.name if state is not None else row["state_name"]
        return {"slug": row["state_slug"], "name": name, "type": row["state_type"]}

    def _deadlines(self, row: asyncpg.Record) -> list[dict[str, Any]]:
        """Customers have none: their rows hold none."""
        found = self.deadlines.get(row["id"])
        return self.promises.shown(in_order(found), self._state(row)["name"]) if found else []

    def _priority(self, number: int) -> str:
        priority = self._priorities.get(str(number))
        return priority.name if priority is not None else PRIORITIES.get(number, str(number))

    def _person(self, row: asyncpg.Record, role: str) -> dict[str, Any] | None:
        identifier: UUID | None = row[f"{role}_id"]
        if identifier is None:
            return None
        someone = self.people.get(identifier)
        return {"id": str(identifier), "name": someone.name if someone is not None else row[f"{role}_name"]}

    def _customer(self, row: asyncpg.Record) -> dict[str, Any]:
        """From the customer's record, if there is one. If it has no address, the one that they asked from."""
        someone = self.people.get(row["customer_id"])
        email = someone.email if someone is not None and someone.email is not None else row["customer_email"]
        return {
            "id": str(someone.id if someone is not None else row["customer_id"]),
            "name": someone.name if someone is not None else row["customer_name"],
            "email": addresses.shown(email),
            "company": row["company"],
        }

    def _allowed_on(self, row: asyncpg.Record) -> list[str]:
        customer, company = row["customer_id"], row["company"]
        own = self.who.is_customer(customer), company is not None and company == self.who.company
        alike = row["queue_id"], own, row["state_type"], row["locked_by_id"]
        known = self._allowed.get(alike)
        if known is None:
            facts = ticket_facts(row["queue_id"], customer, company, self.queues)
            known = self._allowed[alike] = allowed(self.who, facts, row["state_type"], row["locked_by_id"])
        return known


def _last_message(row: asyncpg.Record) -> dict[str, Any] | None:
    """The newest message of a customer, as far as the list shows it."""
    if row["last_message_at"] is None:
        return None
    return {
        "from": {"email": addresses.shown(row["last_message_email"]), "name": row["last_message_name"]},
        "subject": row["last_message_subject"],
        "at": timestamp(row["last_message_at"]),
    }


def links(row: asyncpg.Record, others: Mapping[UUID, asyncpg.Record]) -> list[dict[str, Any]]:
    """The links of a ticket to others that the person may see, with the titles of today."""
    found = []
    for link in row["links"] or ():
        other = others.get(UUID(link["id"]))
        if other is not None:
            ticket = {"id": str(other["id"]), "number": other["number"], "title": other["title"]}
            found.append({"kind": link["kind"], "outgoing": link["outgoing"], "ticket": ticket})
    return found


def article(row: asyncpg.Record, text: str | None = None, *, remote: bool = False) -> dict[str, Any]:
    """One article. `text` is the whole text if the row holds only its beginning, because the whole is in a blob.

    `remote` lets its HTML load images from other servers. Images that came with the message are always shown.
    """
    whole = row["text"] if text is None else text
    people = row["people"]
    return {
        "id": str(row["id"]),
        "number": row["number"],
        "sender": row["sender"],
        "channel": row["channel"],
        "kind": row["kind"],
        "internal": row["internal"],
        "from": _address(people["from"]) if people["from"] else None,
        "to": [_address(each) for each in people["to"]],
        "cc": [_address(each) for each in people["cc"]],
        "reply_to": [_address(each) for each in people.get("reply_to", ())],
        "reply_to_doubt": people.get("reply_to_doubt", ""),
        "subject": row["subject"],
        "text": whole,
        "new_text": whole if row["new_text"] is None else row["new_text"],
        "html": _shown_html(row["html"], row["attachments"] or [], remote=remote),
        "attachments": [
            {
                "id": a["id"],
                "name": a["name"],
                "type": a["blob"]["type"],
                "size": a["blob"]["size"],
                "inline": _is_inline(a, row["html"]),
                "scan": a.get("scan") or "not_scanned",
                "threat": a.get("threat", ""),
            }
            for a in row["attachments"] or []
        ],
        "reading_notes": row["reading_notes"] or [],
        "created_at": timestamp(row["created_at"]),
        "author": row["author"],
        "delivery": row["delivery"],
        "ticket": {"id": str(row["ticket_id"]), "number": row["ticket_number"]},
    }


def _address(address: dict[str, str]) -> dict[str, str]:
    return {**address, "email": addresses.shown(address["email"])}


def _is_inline(attachment: dict[str, Any], html: str | None) -> bool:
    """Whether the HTML shows it within the text."""
    return bool(html and attachment.get("inline_id")) and f"cid:{attachment['inline_id']}" in (html or "")


def _shown_html(html: str | None, attachments: list[dict[str, Any]], *, remote: bool) -> str | None:
    if not html:
        return html
    paths = {a["inline_id"]: f"/api/v1/blobs/{a['id']}" for a in attachments if a.get("inline_id")}
    shown = richtext.with_own_images(html, paths) if paths else html
    return richtext.with_remote_images(shown) if remote else shown


def event_data(row: asyncpg.Record) -> dict[str, Any]:
    """An event's data, completed from its article (`article_...` of the joined row)."""
    if row["article_id"] is None:
        data: dict[str, Any] = row["data"]
        return data
    return with_article(row["data"], {column: row[f"article_{column}"] for column in ARTICLE_COLUMNS})


def history_entry(
    row: asyncpg.Record, data: dict[str, Any], say: Translator, rules: Mapping[str, str]
) -> dict[str, Any]:
    """One event; `data` is what its reader may see of its data, `rules` the names of `rule_names`."""
    return {
        "id": str(row["id"]),
        "type": row["type"],
        "source": f"/services/{row['source']}",
        "version": row["version"],
        "at": timestamp(row["at"]),
        "actor": actor_shown(row["actor_kind"], row["actor_id"], rules),
        "cause": str(row["cause"]) if row["cause"] else None,
        "summary": summary(row["type"], data, say),
        "data": data,
    }
