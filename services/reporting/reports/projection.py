"""The `reports` read model: batches of events into the tables of one generation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from services.reporting.reports.fold import fold
from services.reporting.reports.rows import FACTS, SPANS, TICKETS, Fact, ReportedTicket, Span
from services.reporting.reports.undone import take_back
from shared.contracts.envelope import Recorded
from shared.database import Connection
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.projection import Position
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.projections.tables import Table, with_columns

TABLES: dict[str, Table[Any]] = {"tickets": TICKETS, "spans": SPANS, "facts": FACTS}
DDL = with_columns((Path(__file__).parent / "tables.sql").read_text("utf-8"), TABLES)


PRODUCERS = frozenset(("intake", "routing"))
"""The services whose events reports look at. Those of notify are most of what follows an opening."""


class ReportsHandler(ProjectionHandler[ReportedTicket]):
    """Leaves out what concerns no report, so that no row is read and written for it."""

    producers: frozenset[str] | None = PRODUCERS

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        chosen = [each for each in deliveries if each.event is None or each.event.producer in PRODUCERS]
        return await super().work(connection, chosen, parked) if chosen else []


class ReportsProjection:
    """Implements `shared.messaging.consuming.projection.Projection` over the schema of one generation."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        columns = list(TICKETS.columns)
        self._load = f"SELECT {', '.join(columns)} FROM {schema}.tickets WHERE id = ANY($1)"
        places = ", ".join(f"{column} = ${n}" for n, column in enumerate(columns, start=1) if column != "id")
        self._update = f"UPDATE {schema}.tickets SET {places} WHERE id = ${columns.index('id') + 1}"
        self._facts = f"SELECT {', '.join(FACTS.columns)} FROM {schema}.facts WHERE id = ANY($1) ORDER BY id, number"
        self._spans = f"SELECT {', '.join(SPANS.columns)} FROM {schema}.spans WHERE id = ANY($1) ORDER BY id, since"

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, ReportedTicket]:
        records = await connection.fetch(self._load, list(keys))
        return {record["id"]: ReportedTicket(**TICKETS.fields(record), is_new=False) for record in records}

    def apply(self, row: ReportedTicket | None, event: Recorded, position: Position) -> ReportedTicket:
        return fold(row, event)

    async def save(self, connection: Connection, rows: Mapping[UUID, ReportedTicket]) -> None:
        """New rows by COPY, changed tickets in one pipelined UPDATE. A ticket in which something was undone gets all
        its facts and spans anew."""
        await self._take_back(connection, {row.id: row for row in rows.values() if row.takes_back})
        await self._copy(connection, "tickets", [row for row in rows.values() if row.is_new])
        changed = [TICKETS.values(row) for row in rows.values() if not row.is_new]
        if changed:
            await connection.executemany(self._update, changed)
        await self._copy(connection, "facts", [fact for row in rows.values() for fact in row.new_facts])
        await self._copy(connection, "spans", [span for row in rows.values() for span in row.new_spans])

    async def _take_back(self, connection: Connection, rows: Mapping[UUID, ReportedTicket]) -> None:
        if not rows:
            return
        facts: dict[UUID, list[Fact]] = {ticket: [] for ticket in rows}
        spans: dict[UUID, list[Span]] = {ticket: [] for ticket in rows}
        for record in await connection.fetch(self._facts, list(rows)):
            facts[record["id"]].append(Fact(**FACTS.fields(record)))
        for record in await connection.fetch(self._spans, list(rows)):
            spans[record["id"]].append(Span(**SPANS.fields(record)))
        for table in ("facts", "spans"):
            await connection.execute(f"DELETE FROM {self.schema}.{table} WHERE id = ANY($1)", list(rows))
        for ticket, row in rows.items():
            row.new_facts = [*facts[ticket], *row.new_facts]
            row.new_spans = [*spans[ticket], *row.new_spans]
            take_back(row, row.new_facts, row.new_spans)

    async def _copy(self, connection: Connection, name: str, rows: Sequence[Any]) -> None:
        if not rows:
            return
        table = TABLES[name]
        await connection.copy_records_to_table(
            name, schema_name=self.schema, columns=list(table.columns), records=map(table.values, rows)
        )
