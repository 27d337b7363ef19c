"""What is kept of a ticket's earlier rows, so that lists and counts can be asked for as they were (decision 0101)."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, ColumnFilters, TicketRow, Where, WhereFlag

LISTED = (
    "id", "queue_id", "created_at", "updated_at", "customer_id", "owner_id", "responsible_id", "locked_by_id",
    "merged_into_id", "article_count", "public_article_count", "event_count", "priority", "state_slug", "state_type",
    "customer_email", "company", "due_at",
)  # fmt: skip
"""The columns that lists sort by, counts count by, and filters that are looked up (`ticket_list.Filters`) compare."""
SNAPSHOT_EVENTS = 100
"""A ticket's whole row is kept after so many events each, so that no fold starts further back."""


def _filtered() -> Iterator[str]:
    """The columns in the conditions of `ColumnFilters`."""
    for parameter in ColumnFilters.model_fields.values():
        for part in parameter.metadata:
            match part:
                case Where():
                    yield from re.findall(r"\bt\.(\w+)", part.condition)
                case WhereFlag():
                    yield from re.findall(r"\bt\.(\w+)", f"{part.true} {part.false}")
                case _:
                    pass


_KEPT = {*LISTED, *_filtered()}
COLUMNS = tuple(name for name in TICKETS_TABLE.columns if name in _KEPT)
"""The columns of `former_tickets` that `tickets` has too."""
MICROSECOND = timedelta(microseconds=1)
LONGEST = 52
"""`lasted` of 142 years, and the most that is looked for."""
_values = attrgetter(*COLUMNS)


def former_values(row: TicketRow) -> tuple[Any, ...]:
    """What is kept of a row, in the order of COLUMNS."""
    values: tuple[Any, ...] = _values(row)
    return values


def lasted(since: datetime, until: datetime) -> int:
    """The class of a time: less than 2 to the power of it in microseconds, and not less than half of that."""
    return min(((until - since) // MICROSECOND).bit_length(), LONGEST)


def begun(moment: datetime) -> list[tuple[int, datetime]]:
    """Each value of `lasted`, with the time since which a row of it must have begun to be the newest at a moment."""
    return [(each, moment - 2**each * MICROSECOND) for each in range(LONGEST + 1)]


def definitions() -> str:
    """The columns for CREATE TABLE."""
    kept = {name: TICKETS_TABLE.columns[name].definition.replace("PRIMARY KEY", "NOT NULL") for name in COLUMNS}
    return ",\n    ".join(f"{name:<20} {definition}" for name, definition in kept.items())


def for_customers() -> str:
    """The columns for the SELECT of the view for customers."""
    return ",\n       ".join(TICKETS_TABLE.columns[name].for_customers(name) for name in COLUMNS)
