"""The list's filters and a person's scope as conditions of SQLite on `docs AS t`.

They are the conditions of the ticket list itself, so that a new filter is declared once (decision 0097).
"""

import re
from typing import Any

from services.reporting.search.index.schema import stored
from services.reporting.tickets.ticket_list import Arguments

_CONTAINS = re.compile(r"(t\.\w+) @> \(([^()]*)\)")


class SqliteArguments(Arguments):
    """The arguments of a statement of SQLite. An array becomes a list in parentheses."""

    def add(self, value: Any, kind: str) -> str:
        if kind.endswith("[]"):
            return f"({', '.join(map(self.one, value))})"
        return self.one(value)

    def one(self, value: Any) -> str:
        """The placeholder of one value."""
        self.values.append(stored(value))
        return f"?{len(self.values)}"


def of_sqlite(condition: str) -> str:
    """A condition of the ticket list in the words of SQLite."""
    condition = re.sub(r"= ANY\((\([^()]*\))\)", r"IN \1", condition)
    condition = re.sub(r"<> ALL\((\([^()]*\))\)", r"NOT IN \1", condition)
    condition = re.sub(r"\bt\.id\b", "t.ticket", condition).replace("<> '{}'", "<> '[]'")
    return _CONTAINS.sub(_contains, condition)


def _contains(match: re.Match[str]) -> str:
    column, wanted = match.groups()
    each = (f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value = {one})" for one in wanted.split(", ") if one)
    return f"({' AND '.join(each)})"
