"""The deadlines of a ticket as a JSON column: a list of them in the order in which they are shown; null for none."""

from typing import Any

from pydantic import TypeAdapter

from shared.clocks.deadlines import Deadline, Deadlines, in_order

_LIST = TypeAdapter(list[Deadline])


def as_json(deadlines: Deadlines) -> list[dict[str, Any]] | None:
    if not deadlines:
        return None
    found: list[dict[str, Any]] = _LIST.dump_python(in_order(deadlines), mode="json")
    return found


def from_json(stored: list[dict[str, Any]] | None) -> Deadlines:
    return {each.clock: each for each in _LIST.validate_python(stored)} if stored else {}
