"""Whole streams, for tests that compare them."""

from collections.abc import Sequence
from uuid import UUID

from shared.contracts.envelope import Recorded
from shared.eventstore.store import Store


async def load_many(store: Store, streams: Sequence[UUID]) -> dict[UUID, list[Recorded]]:
    """The events of each of these streams; an unknown one has none."""
    each = list(dict.fromkeys(streams))
    return await store.load_since(each, [0] * len(each))
