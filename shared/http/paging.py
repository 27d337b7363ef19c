"""Lists in pages, with an opaque signed cursor that is valid for one person and one set of filters."""

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

Limit = Annotated[int, Query(ge=1, le=200, description="How many items at most.")]
"""`limit: Limit = 50`"""
CursorText = Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before.")]
"""`cursor: CursorText = None`"""

_MAC_BYTES = 16


class Cursors:
    """Writes and reads cursors with a key of the service. `application` keeps one in `app.state.cursors`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, who: Identity, query: Any, position: Sequence[Any]) -> str:
        """The cursor after an item.

        `position`: the JSON values of its sort key. `query`: path, filters and sort of the list as a JSON value in
        canonical form, without limit and cursor.
        """
        encoded = orjson.dumps(list(position))
        return base64.urlsafe_b64encode(self._mac(who, query, encoded) + encoded).rstrip(b"=").decode()

    def decode(self, who: Identity, query: Any, cursor: str | None) -> list[Any] | None:
        """The position of a cursor, None without one. Raises Problem 422 for the cursor of another person or query."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise _refused() from None
        mac, encoded = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(who, query, encoded)):
            raise _refused()
        position: list[Any] = orjson.loads(encoded)
        return position

    def _mac(self, who: Identity, query: Any, encoded: bytes) -> bytes:
        asked = orjson.dumps(
            [str(who.person_id), query], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str
        )
        return hmac.digest(self._key, hashlib.sha256(asked).digest() + encoded, hashlib.sha256)[:_MAC_BYTES]


def page(items: list[Any], next_cursor: str | None) -> dict[str, Any]:
    """The body of a list's response."""
    return {"items": items, "next_cursor": next_cursor}


def _refused() -> problems.Problem:
    return problems.invalid("/query/cursor", "This is not a cursor of this list.")
