"""The `desk` read model: batches of events into the tables of one generation."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from services.reporting.tickets.events.articles.deliveries import BOUNCED, LONGEST_DELIVERY
from services.reporting.tickets.events.fold import fold
from services.reporting.tickets.read_model.article_rows import (
    ARTICLES_TABLE,
    ATTACHMENTS_TABLE,
    HISTORY_TABLE,
    AttachmentEntry,
)
from services.reporting.tickets.read_model.former_rows import (
    COLUMNS,
    SNAPSHOT_EVENTS,
    definitions,
    for_customers,
    former_values,
    lasted,
)
from services.reporting.tickets.read_model.notice_rows import NOTICES_TABLE
from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, TicketRow
from shared.contracts.envelope import Recorded
from shared.database import Connection
from shared.messaging.consuming.projection import Position
from shared.projections.tables import Table, with_columns

TABLES: dict[str, Table[Any]] = {
    "tickets": TICKETS_TABLE,
    "articles": ARTICLES_TABLE,
    "attachments": ATTACHMENTS_TABLE,
    "history": HISTORY_TABLE,
    "notices": NOTICES_TABLE,
}
DDL = with_columns(
    "\n".join(
        (Path(__file__).parent / "read_model" / name).read_text("utf-8")
        for name in ("tables.sql", "former_tables.sql", "notice_tables.sql")
    )
    .replace("{columns of former_tickets}", definitions())
    .replace("{former_tickets for customers}", for_customers()),
    TABLES,
)


class TicketProjection:
    """Implements `shared.messaging.consuming.projection.Projection` over the schema of one generation."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        columns = list(TICKETS_TABLE.columns)
        self._load = f"SELECT {', '.join(columns)} FROM {schema}.tickets WHERE id = ANY($1)"
        assignments = ", ".join(f"{column} = ${n}" for n, column in enumerate(columns[1:], start=2))
        self._update = f"UPDATE {schema}.tickets SET {assignments} WHERE id = $1"
        self._name_delivery = (
            f"UPDATE {schema}.articles SET notification = $3, message_id = $4, delivery = $5"
            " WHERE ticket_id = $1 AND id = $2"
        )
        # `delivery_after` in SQL, for articles of earlier batches.
        after = f"""CASE WHEN delivery LIKE '{BOUNCED}%' AND $3::text LIKE '{BOUNCED}%'
                         THEN left(delivery || '; ' || substr($3, {len(BOUNCED) + 1}), {LONGEST_DELIVERY})
                         WHEN delivery LIKE '{BOUNCED}%' THEN delivery ELSE $3 END"""
        self._change_delivery = (
            f"UPDATE {schema}.articles SET delivery = {after} WHERE ticket_id = $1 AND notification = $2"
        )
        self._change_delivery_of_mail = (
            f"UPDATE {schema}.articles SET delivery = {after}"
            " WHERE ticket_id = $1 AND message_id = $2 AND notification IS NOT NULL"
        )

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, TicketRow]:
        records = await connection.fetch(self._load, list(keys))
        return {record["id"]: TicketRow(**TICKETS_TABLE.fields(record), is_new=False) for record in records}

    def apply(self, row: TicketRow | None, event: Recorded, position: Position) -> TicketRow:
        was, since = (former_values(row), row.updated_at) if row is not None else (None, None)
        if row is not None and row.event_count % SNAPSHOT_EVENTS == 0:
            row.snapshots.append(TICKETS_TABLE.values(row))
        after = fold(row, event)
        entry = after.history[-1]
        entry.partition, entry.position = position.partition, position.offset
        # A row that was the newest for no time is no former row: what one command records has one time.
        if was is not None and since is not None and after.updated_at is not None and after.updated_at > since:
            after.former.append((*was, after.updated_at, lasted(since, after.updated_at)))
        return after

    async def save(self, connection: Connection, rows: Mapping[UUID, TicketRow]) -> None:
        """New rows by COPY, changed ones in one pipelined UPDATE; articles and history are only ever added."""
        await self._copy(connection, "tickets", [row for row in rows.values() if row.is_new])
        changed = [TICKETS_TABLE.values(row) for row in rows.values() if not row.is_new]
        if changed:
            await connection.executemany(self._update, changed)
        articles = [article for row in rows.values() for article in row.articles]
        await self._copy(connection, "articles", articles)
        attachments = [
            AttachmentEntry(each["id"], article.ticket_id, article.number, article.internal)
            for article in articles
            for each in article.attachments or ()
        ]
        await self._copy(connection, "attachments", attachments)
        await self._save_deliveries(connection, rows)
        await self._copy(connection, "history", [entry for row in rows.values() for entry in row.history])
        await self._copy(connection, "notices", [notice for row in rows.values() for notice in row.notices])
        await self._copy_values(
            connection,
            "former_tickets",
            (*COLUMNS, "until", "lasted"),
            [each for row in rows.values() for each in row.former],
        )
        snapshots = [each for row in rows.values() for each in row.snapshots]
        await self._copy_values(connection, "snapshots", TICKETS_TABLE.columns, snapshots)

    async def _save_deliveries(self, connection: Connection, rows: Mapping[UUID, TicketRow]) -> None:
        """Each ticket's changes in their order, because the last one decides: first the first change of every ticket,
        then the second of every ticket, and so on."""
        rounds: dict[tuple[int, str], list[tuple[Any, ...]]] = {}
        for row in rows.values():
            for n, change in enumerate(row.deliveries):
                values: tuple[Any, ...]
                if change.article:
                    statement = self._name_delivery
                    values = (row.id, change.article, change.notification, change.message_id, change.delivery)
                elif change.notification:
                    statement, values = self._change_delivery, (row.id, change.notification, change.delivery)
                else:
                    statement, values = self._change_delivery_of_mail, (row.id, change.message_id, change.delivery)
                rounds.setdefault((n, statement), []).append(values)
        for n, statement in sorted(rounds):
            await connection.executemany(statement, rounds[n, statement])

    async def _copy(self, connection: Connection, name: str, rows: Sequence[Any]) -> None:
        if not rows:
            return
        table = TABLES[name]
        await self._copy_values(connection, name, table.columns, list(map(table.values, rows)))

    async def _copy_values(
        self, connection: Connection, name: str, columns: Iterable[str], rows: Sequence[tuple[Any, ...]]
    ) -> None:
        if rows:
            await connection.copy_records_to_table(name, schema_name=self.schema, columns=list(columns), records=rows)
