"""The `desk` read model: batches of events into the tables of one generation."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.reporting.tickets.events.fold import BOUNCED, LONGEST_DELIVERY, fold
from services.reporting.tickets.read_model.rows import Article, HistoryEntry, TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.parts import PersonRef, TicketRef
from shared.database import Connection
from shared.messaging.projection import Position

TICKET_COLUMNS = (
    "id", "queue_id", "created_at", "updated_at", "first_answer_at", "closed_at", "locked_since", "pending_until", "customer_id",
    "owner_id", "previous_owner_id", "locked_by_id", "time_units", "article_count", "event_count", "priority", "number", "title",
    "queue_slug", "queue_name", "state_slug", "state_name", "state_type", "channel", "customer_email", "customer_name", "company",
    "owner_name", "previous_owner_name", "locked_by_name", "tags", "fields", "seen",
    "lock_expires_at", "reminder_due", "links", "merged_into_id", "merged_into_number", "public_article_count",
    "responsible_id", "responsible_name", "form",
)  # fmt: skip
ARTICLE_COLUMNS = (
    "ticket_id", "id", "created_at", "notification", "number", "internal", "sender", "channel", "subject", "text", "new_text", "html",
    "author", "delivery", "people", "attachments", "text_blob", "mail",
    "kind", "raw", "message_id", "written_at", "reading_notes",
)  # fmt: skip
ATTACHMENT_COLUMNS = ("id", "ticket_id", "article", "internal")
HISTORY_COLUMNS = (
    "ticket_id", "id", "cause", "at", "number", "version", "article", "source", "type", "actor_kind", "actor_id", "data",
)  # fmt: skip


class DeskProjection:
    """Implements `shared.messaging.projection.Projection` over the schema of one generation."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self._load = f"SELECT {', '.join(TICKET_COLUMNS)} FROM {schema}.tickets WHERE id = ANY($1)"
        assignments = ", ".join(f"{column} = ${n}" for n, column in enumerate(TICKET_COLUMNS[1:], start=2))
        self._update = f"UPDATE {schema}.tickets SET {assignments} WHERE id = $1"
        self._name_delivery = f"UPDATE {schema}.articles SET notification = $3, message_id = $4, delivery = $5 WHERE ticket_id = $1 AND id = $2"
        # `fold.delivery_after` in SQL, for articles of batches before.
        after = f"""CASE WHEN delivery LIKE '{BOUNCED}%' AND $3::text LIKE '{BOUNCED}%'
                         THEN left(delivery || '; ' || substr($3, {len(BOUNCED) + 1}), {LONGEST_DELIVERY})
                         WHEN delivery LIKE '{BOUNCED}%' THEN delivery ELSE $3 END"""
        self._move_delivery = (
            f"UPDATE {schema}.articles SET delivery = {after} WHERE ticket_id = $1 AND notification = $2"
        )
        self._come_back = (
            f"UPDATE {schema}.articles SET delivery = {after}"
            " WHERE ticket_id = $1 AND message_id = $2 AND notification IS NOT NULL"
        )

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, TicketRow]:
        return {row["id"]: _row(row) for row in await connection.fetch(self._load, list(keys))}

    def apply(self, row: TicketRow | None, event: Recorded, position: Position) -> TicketRow:
        return fold(row, event)

    async def save(self, connection: Connection, rows: Mapping[UUID, TicketRow]) -> None:
        """New rows by COPY, changed ones in one pipelined UPDATE; articles and history are only ever added."""
        new = [_values(row) for row in rows.values() if row.is_new]
        changed = [_values(row) for row in rows.values() if not row.is_new]
        if new:
            await self._copy(connection, "tickets", TICKET_COLUMNS, new)
        if changed:
            await connection.executemany(self._update, changed)
        articles = [_article_values(row.id, article) for row in rows.values() for article in row.articles]
        if articles:
            await self._copy(connection, "articles", ARTICLE_COLUMNS, articles)
        files = [
            (each["id"], row.id, article.number, article.internal)
            for row in rows.values()
            for article in row.articles
            for each in article.attachments or ()
        ]
        if files:
            await self._copy(connection, "attachments", ATTACHMENT_COLUMNS, files)
        await self._save_deliveries(connection, rows)
        history = [_history_values(row.id, entry) for row in rows.values() for entry in row.history]
        if history:
            await self._copy(connection, "history", HISTORY_COLUMNS, history)

    async def _save_deliveries(self, connection: Connection, rows: Mapping[UUID, TicketRow]) -> None:
        """Each ticket's changes in their order, which decides what stands in the end; the first ones of all tickets together, then the second
        ones, and so on."""
        rounds: dict[tuple[int, str], list[tuple[Any, ...]]] = {}
        for row in rows.values():
            for n, change in enumerate(row.deliveries):
                values: tuple[Any, ...]
                if change.article:
                    statement = self._name_delivery
                    values = (row.id, change.article, change.notification, change.message_id, change.delivery)
                elif change.notification:
                    statement, values = self._move_delivery, (row.id, change.notification, change.delivery)
                else:
                    statement, values = self._come_back, (row.id, change.message_id, change.delivery)
                rounds.setdefault((n, statement), []).append(values)
        for place, statement in sorted(rounds):
            await connection.executemany(statement, rounds[place, statement])

    async def _copy(
        self, connection: Connection, table: str, columns: Sequence[str], records: list[tuple[Any, ...]]
    ) -> None:
        await connection.copy_records_to_table(table, schema_name=self.schema, columns=list(columns), records=records)


def _row(record: asyncpg.Record) -> TicketRow:
    return TicketRow(
        id=record["id"],
        number=record["number"],
        title=record["title"],
        queue_id=record["queue_id"],
        queue_slug=record["queue_slug"],
        queue_name=record["queue_name"],
        state_slug=record["state_slug"],
        state_name=record["state_name"],
        state_type=record["state_type"],
        priority=record["priority"],
        channel=record["channel"],
        customer_id=record["customer_id"],
        customer_email=record["customer_email"],
        customer_name=record["customer_name"],
        company=record["company"],
        owner=_person(record["owner_id"], record["owner_name"]),
        previous_owner=_person(record["previous_owner_id"], record["previous_owner_name"]),
        responsible=_person(record["responsible_id"], record["responsible_name"]),
        locked_by=_person(record["locked_by_id"], record["locked_by_name"]),
        locked_since=record["locked_since"],
        lock_expires_at=record["lock_expires_at"],
        reminder_due=record["reminder_due"],
        links=record["links"] or [],
        merged_into=_ticket(record["merged_into_id"], record["merged_into_number"]),
        pending_until=record["pending_until"],
        tags=record["tags"],
        fields=record["fields"],
        form=record["form"],
        time_units=record["time_units"],
        created_at=record["created_at"],
        updated_at=record["updated_at"],
        first_answer_at=record["first_answer_at"],
        closed_at=record["closed_at"],
        article_count=record["article_count"],
        public_article_count=record["public_article_count"],
        event_count=record["event_count"],
        seen={producer: (version, UUID(event)) for producer, (version, event) in record["seen"].items()},
        is_new=False,
    )


def _values(row: TicketRow) -> tuple[Any, ...]:
    """In the order of TICKET_COLUMNS."""
    return (
        row.id, row.queue_id, row.created_at, row.updated_at, row.first_answer_at, row.closed_at, row.locked_since, row.pending_until,
        row.customer_id, _id(row.owner), _id(row.previous_owner), _id(row.locked_by), row.time_units, row.article_count,
        row.event_count, row.priority, row.number, row.title, row.queue_slug, row.queue_name, row.state_slug, row.state_name,
        row.state_type, row.channel, row.customer_email, row.customer_name, row.company, _name(row.owner), _name(row.previous_owner),
        _name(row.locked_by), row.tags, row.fields, {p: (v, str(e)) for p, (v, e) in sorted(row.seen.items())},
        row.lock_expires_at, row.reminder_due, row.links or None, row.merged_into.id if row.merged_into else None,
        row.merged_into.number if row.merged_into else None, row.public_article_count, _id(row.responsible), _name(row.responsible), row.form,
    )  # fmt: skip


def _article_values(ticket: UUID, a: Article) -> tuple[Any, ...]:
    """In the order of ARTICLE_COLUMNS."""
    return (
        ticket, a.id, a.created_at, a.notification, a.number, a.internal, a.sender, a.channel, a.subject, a.text, a.new_text, a.html,
        a.author, a.delivery, a.people, a.attachments, a.text_blob, a.mail, a.kind, a.raw, a.message_id, a.written_at,
        a.reading_notes,
    )  # fmt: skip


def _history_values(ticket: UUID, h: HistoryEntry) -> tuple[Any, ...]:
    """In the order of HISTORY_COLUMNS."""
    return (
        ticket, h.id, h.cause, h.at, h.number, h.version, h.article, h.source, h.type, h.actor_kind, h.actor_id, h.data,
    )  # fmt: skip


def _person(person: UUID | None, name: str | None) -> PersonRef | None:
    return PersonRef(id=person, name=name or "") if person is not None else None


def _ticket(ticket: UUID | None, number: str | None) -> TicketRef | None:
    return TicketRef(id=ticket, number=number or "") if ticket is not None else None


def _id(person: PersonRef | None) -> UUID | None:
    return person.id if person is not None else None


def _name(person: PersonRef | None) -> str | None:
    return person.name if person is not None else None
