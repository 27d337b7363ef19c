"""Lists in pages: an opaque signed cursor that is good for one person and one set of filters only."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import Query

from shared.http import problems
from shared.rules.access import Identity

Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most")]
"""`limit: Limit = 50`"""
CursorText = Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before")]
"""`cursor: CursorText = None`"""

_MAC_BYTES = 16


class Cursors:
    """Makes and reads cursors with a key of the service's own. `application` keeps one in `app.state.cursors`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, who: Identity, query: Any, position: Sequence[Any]) -> str:
        """The cursor after an item. `position` are the JSON values of its sort key; `query` is what the list was asked
        for (path, filters, sort: any JSON value, sets and orders made canonical by the caller), without limit and
        cursor."""
        place = orjson.dumps(list(position))
        return base64.urlsafe_b64encode(self._mac(who, query, place) + place).rstrip(b"=").decode()

    def decode(self, who: Identity, query: Any, cursor: str | None) -> list[Any] | None:
        """The position of a cursor, None without one. Raises Problem 422 for one that is not ours, another person's or
        another query's."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise _refused() from None
        mac, place = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(who, query, place)):
            raise _refused()
        position: list[Any] = orjson.loads(place)
        return position

    def _mac(self, who: Identity, query: Any, place: bytes) -> bytes:
        asked = orjson.dumps(
            [str(who.person_id), query], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str
        )
        return hmac.digest(self._key, hashlib.sha256(asked).digest() + place, hashlib.sha256)[:_MAC_BYTES]


def page(items: list[Any], next_cursor: str | None) -> dict[str, Any]:
    """The body of a list's answer."""
    return {"items": items, "next_cursor": next_cursor}


def _refused() -> problems.Problem:
    return problems.invalid("/query/cursor", "is no cursor of this list")
