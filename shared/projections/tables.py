"""Tables of read models whose columns are declared once, as the fields of a row class (decision 0097)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_type_hints

import asyncpg

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Column:
    """Makes a field of a row class a column of the same name: `title: Annotated[str, Column("text NOT NULL")]`.

    `definition` is the type with its constraints, as in CREATE TABLE. `shown` columns are in the API under their own
    name. `store` and `restore` convert the field's value to the column's value and back, where they are not the same.
    """

    definition: str
    shown: bool = False
    store: Callable[[Any], Any] | None = None
    restore: Callable[[Any], Any] | None = None

    @property
    def type(self) -> str:
        """The SQL type, such as `timestamptz`."""
        return self.definition.removesuffix(" PRIMARY KEY").removesuffix(" NOT NULL")

    def for_customers(self, name: str) -> str:
        """The column's expression in the view for customers."""
        raise TypeError(f"{name} is neither a Public nor an Internal column")


@dataclass(frozen=True, slots=True)
class Public(Column):
    """A column that customers may know."""

    def for_customers(self, name: str) -> str:
        return name


@dataclass(frozen=True, slots=True)
class Internal(Column):
    """A column that only agents may know. Customers get the SQL expression `instead`, by default NULL."""

    instead: str = ""

    def for_customers(self, name: str) -> str:
        return f"{self.instead or f'NULL::{self.type}'} AS {name}"


class Table(Generic[R]):
    """The table of a row class. Its columns are in the order of the fields that are annotated with a `Column`."""

    def __init__(self, row: type[R]) -> None:
        self.columns: dict[str, Column] = {
            name: part
            for name, hint in get_type_hints(row, include_extras=True).items()
            for part in getattr(hint, "__metadata__", ())
            if isinstance(part, Column)
        }
        self._fields: Callable[[R], tuple[Any, ...]] = attrgetter(*self.columns)
        self._stores = [(n, column.store) for n, column in enumerate(self.columns.values()) if column.store]
        self._restores = [(name, column.restore) for name, column in self.columns.items() if column.restore]

    def definitions(self) -> str:
        """The columns for CREATE TABLE."""
        width = max(map(len, self.columns))
        return ",\n    ".join(f"{name:<{width}} {column.definition}" for name, column in self.columns.items())

    def for_customers(self) -> str:
        """The columns for the SELECT of the view for customers."""
        return ",\n       ".join(column.for_customers(name) for name, column in self.columns.items())

    def values(self, row: R) -> tuple[Any, ...]:
        """What the row stores, in the order of the columns."""
        values = self._fields(row)
        if not self._stores:
            return values
        stored = list(values)
        for n, store in self._stores:
            stored[n] = store(stored[n])
        return tuple(stored)

    def fields(self, record: asyncpg.Record) -> dict[str, Any]:
        """The values of a row's fields, from a record of the table."""
        fields = dict(record.items())
        for name, restore in self._restores:
            fields[name] = restore(fields[name])
        return fields


def with_columns(template: str, tables: Mapping[str, Table[Any]]) -> str:
    """DDL with `{columns of NAME}` and `{NAME for customers}` filled in for each table."""
    for name, table in tables.items():
        template = template.replace(f"{{columns of {name}}}", table.definitions())
        if f"{{{name} for customers}}" in template:
            template = template.replace(f"{{{name} for customers}}", table.for_customers())
    return template
