"""The columns of exports, by the names that `columns=` takes.

A column that lists show as it is comes from its declaration in `ticket_row.py` (decision 0097). Those that show a name
of today, or a part of something, are declared here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services.reporting.exports.kinds import Kind
from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE
from shared.http import problems

Join = Literal["queues", "states", "priorities", "customers", "owners", "previous_owners", "responsibles", "lockers"]

DEFAULT = (
    "number", "title", "queue", "state", "priority", "owner", "customer", "company", "channel", "tags", "created_at",
    "updated_at", "closed_at",
)  # fmt: skip
MOST_COLUMNS = 50
"""A function of PostgreSQL takes 100 arguments: a name and a value for each column of JSON."""
_FIELD = re.compile(r"field\.[\w.-]{1,100}")
_KINDS: dict[str, Kind] = {
    "text": "text", "text[]": "texts", "json": "json", "boolean": "flag", "timestamptz": "time", "integer": "number",
    "smallint": "number", "double precision": "number",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column: its name, what its values are, and the SQL expression of one.

    The expression is over the ticket's row `t`, the `joins`, and for `field.<slug>` the argument `{field}`, the slug.
    """

    name: str
    kind: Kind
    value: str
    joins: tuple[Join, ...] = ()
    field: str | None = None


_DECLARED = (
    ExportColumn("id", "text", "t.id::text"),
    ExportColumn("number", "text", "t.number"),
    ExportColumn("title", "text", "t.title"),
    ExportColumn("queue", "text", "coalesce(queues.name, t.queue_name)", ("queues",)),
    ExportColumn("queue_slug", "text", "coalesce(queues.slug, t.queue_slug)", ("queues",)),
    ExportColumn("state", "text", "coalesce(states.name, t.state_name)", ("states",)),
    ExportColumn("state_slug", "text", "t.state_slug"),
    ExportColumn("state_type", "text", "t.state_type"),
    ExportColumn("priority", "text", "coalesce(priorities.name, t.priority::text)", ("priorities",)),
    ExportColumn("priority_number", "number", "t.priority"),
    ExportColumn("owner", "text", "coalesce(owners.name, t.owner_name)", ("owners",)),
    ExportColumn(
        "previous_owner", "text", "coalesce(previous_owners.name, t.previous_owner_name)", ("previous_owners",)
    ),
    ExportColumn("responsible", "text", "coalesce(responsibles.name, t.responsible_name)", ("responsibles",)),
    ExportColumn("locked", "flag", "(t.locked_by_id IS NOT NULL)"),
    ExportColumn("locked_by", "text", "coalesce(lockers.name, t.locked_by_name)", ("lockers",)),
    ExportColumn("locked_since", "time", "t.locked_since"),
    ExportColumn("lock_expires_at", "time", "t.lock_expires_at"),
    ExportColumn("customer", "text", "coalesce(customers.name, t.customer_name)", ("customers",)),
    ExportColumn("customer_email", "text", "{customer_email}", ("customers",)),
    ExportColumn("company", "text", "t.company"),
    ExportColumn("fields", "json", "t.fields"),
    ExportColumn("links", "texts", "{links}"),
    ExportColumn("merged_into", "text", "{merged_into}"),
)
_SHOWN = (
    ExportColumn(name, _KINDS[column.type], f"t.{name}")
    for name, column in TICKETS_TABLE.columns.items()
    if column.shown
)
COLUMNS: dict[str, ExportColumn] = {
    **{each.name: each for each in _DECLARED},
    **{each.name: each for each in _SHOWN if each.name not in {known.name for known in _DECLARED}},
}
"""Every column but those of fields."""


def column(name: str) -> ExportColumn | None:
    """The column of this name; `field.<slug>` is a ticket's field, whether it has a document or not."""
    if name.startswith("field.") and _FIELD.fullmatch(name):
        return ExportColumn(name, "json", "t.fields -> {field}", field=name.removeprefix("field."))
    return COLUMNS.get(name)


def chosen(names: str | None) -> Sequence[ExportColumn]:
    """The columns of a comma list, in its order; the default ones without it. Raises Problem 422."""
    if names is None:
        return [COLUMNS[name] for name in DEFAULT]
    asked = [name.strip() for name in names.split(",")]
    if len(asked) > MOST_COLUMNS:
        raise problems.invalid("/query/columns", f"At most {MOST_COLUMNS} columns.")
    if len(set(asked)) < len(asked):
        raise problems.invalid("/query/columns", "A column is named twice.")
    found = [column(name) for name in asked]
    unknown = [name for name, each in zip(asked, found, strict=True) if each is None]
    if unknown:
        raise problems.invalid("/query/columns", f"No such column: {unknown[0][:100]!r}.")
    return [each for each in found if each is not None]
