"""What a read model is to the consumer: rows that are loaded, folded over events, and saved."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from shared.contracts.envelope import Recorded
from shared.database import Connection


class Position(NamedTuple):
    """Where an event stands in the log. Within one stream's partition the offset rises."""

    topic: str
    partition: int
    offset: int


Seen = dict[str, tuple[int, UUID]]
"""Producer -> the version and id of its newest event that a row shows."""


class Row(Protocol):
    """A read model's row for one stream; the consumer keeps `seen` up to date."""

    seen: Seen


R = TypeVar("R", bound=Row)


class Projection(Protocol[R]):
    """Rows from events. `apply` is pure but for the row it is given: that one is its own to change, and it returns the row to keep. When
    it raises, the row is thrown away, for it may be half changed."""

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, R]: ...

    def apply(self, row: R | None, event: Recorded, position: Position) -> R: ...

    async def save(self, connection: Connection, rows: Mapping[UUID, R]) -> None: ...
