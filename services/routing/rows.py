"""Rows that belong to decisions of the desk, written in their transaction: matches of triggers, whose work a ticket is,
turns that were taken, and when a person acted last."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Match:
    """A trigger that is to act on a ticket.

    `cause`: the event that it matched. `actions`: as JSON. `depth`: how many rules have acted one after the other, with
    this one.
    """

    ticket: UUID
    trigger: UUID
    version: int
    name: str
    cause: UUID
    correlation: UUID
    depth: int
    actions: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Owned:
    """Who has an open ticket to do, and who had it before; None: nobody, or the ticket is not open."""

    ticket: UUID
    owner: UUID | None
    was: UUID | None


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """Somebody was chosen, after `expected` others before."""

    turn: UUID
    expected: int
    person: UUID


@dataclass(frozen=True, slots=True)
class ActedOn:
    """A person has acted on a ticket. `due`: when the first trigger looks whether it is idle; None: it is not open."""

    ticket: UUID
    at: datetime
    due: datetime | None


DecisionRow = Match | Owned | TurnTaken | ActedOn
WRITE = "SELECT routing.write($1)"


def as_json(rows: Iterable[DecisionRow]) -> dict[str, Any] | None:
    """The argument of the database's function `routing.write`; None if there is nothing to write.

    Of several rows of one ticket that replace each other, the last.
    """
    matches: list[Match] = []
    turns: list[TurnTaken] = []
    owned: dict[UUID, Owned] = {}
    acted: dict[UUID, ActedOn] = {}
    for row in rows:
        match row:
            case Match():
                matches.append(row)
            case TurnTaken():
                turns.append(row)
            case Owned():
                owned[row.ticket] = row
            case ActedOn():
                acted[row.ticket] = row
            case _:
                assert_never(row)
    found: dict[str, Sequence[DecisionRow]] = {
        "turns": turns,
        "matches": matches,
        "owned": [*owned.values()],
        "acted_on": [*acted.values()],
    }
    return {name: [_members(row) for row in each] for name, each in found.items() if each} or None


async def write(connection: Connection, rows: Sequence[DecisionRow]) -> None:
    """Writes rows in the transaction of the decisions that they belong to. Raises asyncpg's error LD409 (see above)."""
    if (content := as_json(rows)) is not None:
        await connection.execute(WRITE, content)


def _members(row: DecisionRow) -> dict[str, Any]:
    return {each.name: _as_json(getattr(row, each.name)) for each in fields(row)}


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
