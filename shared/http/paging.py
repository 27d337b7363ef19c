"""Lists in pages: an opaque signed cursor that is good for one person and one set of filters only."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query

from shared.contracts.access import Identity

Limit = Annotated[int, Query(ge=1, le=200, description="how many items at most")]
"""`limit: Limit = 50`"""
CursorText = Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before")]
"""`cursor: CursorText = None`"""


class Cursors:
    """Makes and reads cursors with the services' common key. `application` keeps one in `app.state.cursors`."""

    def __init__(self, key: str | bytes) -> None: ...

    def encode(self, who: Identity, query: Any, position: Sequence[Any]) -> str:
        """The cursor after an item. `position` are the JSON values of its sort key; `query` is what the list was asked for (path,
        filters, sort: any JSON value), without limit and cursor."""
        raise NotImplementedError

    def decode(self, who: Identity, query: Any, cursor: str | None) -> list[Any] | None:
        """The position of a cursor, None without one. Raises Problem 422 for one that is not ours, another person's or another
        query's."""
        raise NotImplementedError


def page(items: list[Any], next_cursor: str | None) -> dict[str, Any]:
    """The body of a list's answer."""
    return {"items": items, "next_cursor": next_cursor}
