"""What a read model is to the consumer: rows that are loaded, folded over events, and saved."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from shared.contracts.envelope import Recorded
from shared.database import Connection


class Position(NamedTuple):
    """The position of an event in the log. Offsets of one stream rise: it has one partition."""

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
    """Rows from events.

    `apply` has no side effects, but may change the row that it is given; it returns the row to keep. If it raises, the
    row is discarded, because it may be half changed.
    """

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, R]: ...

    def apply(self, row: R | None, event: Recorded, position: Position) -> R: ...

    async def save(self, connection: Connection, rows: Mapping[UUID, R]) -> None: ...
