"""The tables of the index file (decision 0100)."""

import hashlib
import re
from typing import Any

from services.reporting.search.text import words
from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, ColumnFilters, Where
from shared.projections.tables import Internal

ATTRIBUTES = (
    "body",
    "title",
    "subject",
    "from",
    "to",
    "cc",
    "attachment",
    "customer",
    "company",
    "tag",
    "field",
    "number",
)
"""The attributes that consist of words, each a column of `words`."""
AGENTS_ONLY = ("tag",)
"""Attributes that customers may not know at all."""
KEYS = "keys"
"""The column with what the ticket belongs to, so that a search in little of a large index reads little."""


def inside(attribute: str) -> str:
    """The column with what only agents may know of an attribute, such as the texts of notes."""
    return f"inside_{attribute}"


HAS_INSIDE = frozenset(ATTRIBUTES) - set(AGENTS_ONLY)
"""Attributes of which a part is for agents only."""
TEXT_COLUMNS = tuple(
    column
    for attribute in ATTRIBUTES
    for column in ((attribute, inside(attribute)) if attribute in HAS_INSIDE else (attribute,))
)
"""`body` is the first one: every other column costs two bytes more for each of its words."""
PUBLIC_COLUMNS = tuple(each for each in ATTRIBUTES if each not in AGENTS_ONLY)
TITLE_COLUMNS = ("title", inside("title"), "customer", inside("customer"))
"""The columns that `titles` has too: those that are searched for short beginnings and for what ranks first."""


def _row_columns() -> dict[str, str]:
    """The columns of `desk.tickets` that filters and rights look at, with their types."""
    conditions = [
        text
        for parameter in ColumnFilters.model_fields.values()
        for part in parameter.metadata
        if not isinstance(part, type)
        for text in ((part.condition,) if isinstance(part, Where) else (getattr(part, "true", ""),))
    ]
    looked_at = {name for text in conditions for name in re.findall(r"\bt\.(\w+)", text)} - {"id"}
    looked_at |= {
        "queue_id", "customer_id", "customer_email", "company", "owner_id", "responsible_id", "locked_by_id",
        "state_slug", "state_type", "number", "created_at", "updated_at",
    }  # fmt: skip
    return {name: column.type for name, column in TICKETS_TABLE.columns.items() if name in looked_at}


ROW_COLUMNS = _row_columns()


def _for_customers(name: str) -> str:
    """The column as customers may know it: `Internal.instead`, in the words of SQLite."""
    column = TICKETS_TABLE.columns[name]
    if not isinstance(column, Internal):
        return name
    values = {"": "NULL", "false": "0", "'{}'::text[]": "'[]'", "0::double precision": "0.0"}
    return f"{values[column.instead]} AS {name}"


def _fts5(name: str, columns: tuple[str, ...], options: str = "") -> str:
    # The tokenizer divides at ASCII characters that are neither letters nor digits, and terms have none.
    quoted = ", ".join(f'"{column}"' for column in columns)
    return (
        f"CREATE VIRTUAL TABLE {name} USING fts5({quoted}, content='', contentless_delete=1, tokenize='ascii'{options})"
    )


DDL = (
    _fts5("words", (*TEXT_COLUMNS, KEYS)),
    _fts5("titles", TITLE_COLUMNS, ", prefix='2 3'"),
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row)",
    f"""CREATE TABLE docs (
        doc INTEGER PRIMARY KEY,
        ticket BLOB NOT NULL UNIQUE,
        living BLOB,
        events INTEGER NOT NULL,
        digest BLOB,
        {", ".join(ROW_COLUMNS)})""",
    "CREATE INDEX docs_number ON docs (number)",
    "CREATE INDEX docs_customer ON docs (customer_id)",
    "CREATE INDEX docs_email ON docs (customer_email)",
    "CREATE INDEX docs_company ON docs (company) WHERE company IS NOT NULL",
    "CREATE INDEX docs_owner ON docs (owner_id) WHERE owner_id IS NOT NULL",
    "CREATE INDEX docs_living ON docs (living) WHERE living IS NOT NULL",
    f"""CREATE VIEW customer_docs AS
        SELECT doc, ticket, living, {", ".join(map(_for_customers, ROW_COLUMNS))} FROM docs""",
    """CREATE TABLE blocks (
        block INTEGER PRIMARY KEY,
        min_created_at INTEGER NOT NULL, max_created_at INTEGER NOT NULL,
        min_updated_at INTEGER NOT NULL, max_updated_at INTEGER NOT NULL)""",
    "CREATE TABLE tags (folded TEXT, tag TEXT, doc INTEGER, PRIMARY KEY (folded, tag, doc)) WITHOUT ROWID",
    "CREATE INDEX tags_doc ON tags (doc)",
    "CREATE TABLE place (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)
"""`docs` has a row for each ticket; `living` is set if it was merged into that one, which then has its words. `doc` is
the row of `words` and `titles`, and grows in the order of indexing. `blocks` has the bounds of each `BLOCK` of rows.
`tags` is for suggestions."""
BLOCK = 4096

SHAPE = hashlib.sha256("\n".join((*DDL, str(words.VERSION))).encode()).hexdigest()[:16]
"""A fingerprint: code may read and fill only files of its own shape."""


def stored(value: Any) -> Any:
    """A value of `desk.tickets` as `docs` holds it: ids as bytes, times in microseconds, lists as JSON."""
    return _STORED.get(type(value), lambda each: each)(value)


def _stored() -> dict[type, Any]:
    from datetime import UTC, datetime, timedelta
    from uuid import UUID

    import asyncpg.pgproto.pgproto
    import orjson

    epoch, microsecond = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
    return {
        UUID: lambda each: each.bytes,
        asyncpg.pgproto.pgproto.UUID: lambda each: each.bytes,
        datetime: lambda each: (each - epoch) // microsecond,
        list: lambda each: orjson.dumps(each).decode(),
        bool: int,
    }


_STORED = _stored()
