"""What a column's declaration becomes: DDL, the view for customers, stored values, filters."""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import pytest

from services.reporting.tickets.read_model import former_rows
from services.reporting.tickets.read_model.article_rows import ARTICLES_TABLE
from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, ColumnFilters, TicketRow, Where, WhereFlag
from services.reporting.tickets.ticket_list import ORDERS, Arguments, Filters, conditions_of, statement
from services.reporting.visibility import Scope
from shared.projections.tables import Column, Internal, Public, Table, with_columns

NOW = datetime(2026, 11, 23, tzinfo=UTC)
EVERYTHING = Scope((), (), None, everything=True)


@dataclass(slots=True)
class Row:
    id: Annotated[UUID, Public("uuid PRIMARY KEY")]
    room: Annotated[str | None, Internal("text")] = None
    urgent: Annotated[bool, Internal("boolean NOT NULL", instead="false")] = False
    words: Annotated[str, Public("text NOT NULL", store=str.upper, restore=str.lower)] = ""
    not_a_column: int = 3


def test_the_ddl_has_a_column_for_each_declaration() -> None:
    ddl = with_columns("CREATE TABLE t (\n    {columns of t}\n)", {"t": Table(Row)})
    assert ddl.splitlines() == [
        "CREATE TABLE t (",
        "    id     uuid PRIMARY KEY,",
        "    room   text,",
        "    urgent boolean NOT NULL,",
        "    words  text NOT NULL",
        ")",
    ]


def test_customers_do_not_see_internal_columns() -> None:
    ddl = with_columns("SELECT {t for customers} FROM t", {"t": Table(Row)})
    assert " ".join(ddl.split()) == "SELECT id, NULL::text AS room, false AS urgent, words FROM t"


def test_a_table_without_a_view_for_customers_does_not_say_who_sees_a_column() -> None:
    @dataclass
    class Plain:
        id: Annotated[UUID, Column("uuid NOT NULL")]

    assert with_columns("{columns of t}", {"t": Table(Plain)}) == "id uuid NOT NULL"
    with pytest.raises(TypeError, match="id is neither"):
        with_columns("{t for customers}", {"t": Table(Plain)})


def test_values_are_stored_in_the_order_of_the_columns() -> None:
    assert Table(Row).values(Row(UUID(int=1), "B 2", True, "hums")) == (UUID(int=1), "B 2", True, "HUMS")


def test_a_stored_row_comes_back() -> None:
    row = TicketRow(id=UUID(int=1), created_at=NOW, tags=["fan"], seen={"routing": (2, UUID(int=5))}, is_new=False)
    record: Any = dict(zip(TICKETS_TABLE.columns, TICKETS_TABLE.values(row), strict=True))
    assert record["seen"] == {"routing": (2, str(UUID(int=5)))}
    assert TicketRow(**TICKETS_TABLE.fields(record), is_new=False) == row


@pytest.mark.parametrize("table", [TICKETS_TABLE, ARTICLES_TABLE])
def test_every_column_of_tickets_and_articles_says_whether_customers_see_it(table: Table[object]) -> None:
    assert {type(column) for column in table.columns.values()} == {Public, Internal}


@pytest.mark.parametrize("name", ColumnFilters.model_fields)
def test_every_filter_has_a_condition(name: str) -> None:
    metadata = ColumnFilters.model_fields[name].metadata
    assert len([part for part in metadata if isinstance(part, Where | WhereFlag)]) == 1


def test_only_filters_that_are_set_are_conditions() -> None:
    assert ColumnFilters().conditions() == []
    wanted = ColumnFilters(locked=False, tag=["fan"])
    text, arguments = statement(EVERYTHING, Filters(columns=wanted), "default", None, 10)
    assert "t.locked_by_id IS NULL" in text and "t.tags @> $1::text[]" in text
    assert arguments == [["fan"]]


def test_former_rows_have_every_column_that_a_list_filters_or_sorts_by() -> None:
    somebody, many = UUID(int=1), (UUID(int=1),)
    every = Filters(
        ColumnFilters(
            id=[UUID(int=1)], locked=True, company=["acme"], priority=[1], tag=["fan"], created_from=NOW, created_to=NOW,
            updated_from=NOW, reminder_due=True, escalated=True, due_before=NOW,
        ),
        many, ("new",), ("new",), many, many, many, somebody, many, ("per@acme.example",), NOW, somebody,
    )  # fmt: skip
    assert all(getattr(every.columns, name) not in (None, []) for name in ColumnFilters.model_fields)
    assert all(getattr(every, each.name) for each in fields(Filters))
    compared = set(re.findall(r"\bt\.(\w+)", " ".join(conditions_of(Arguments(), every))))
    sorted_by = {column for order in ORDERS.values() for column, _ in order}
    assert compared | sorted_by | {"queue_id"} <= set(former_rows.COLUMNS)


def test_former_rows_leave_out_what_is_only_shown() -> None:
    assert not {"title", "number", "fields", "form", "links", "seen", "owner_name"} & set(former_rows.COLUMNS)
