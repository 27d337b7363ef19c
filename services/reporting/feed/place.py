"""A place in the event feed: what a reader has been told, whatever generation of the read model shows it."""

import struct
from dataclasses import dataclass, replace
from uuid import UUID

from shared.contracts.topics import PARTITIONS

_FORMAT = 1
_PACKED = struct.Struct(f"!B16sQQ{PARTITIONS}Q")


class UnknownPlace(Exception):
    """Not a place of this feed, or not any more: the reader must start anew."""


@dataclass(frozen=True, slots=True)
class Place:
    """All events before `offsets`, the next offset of each partition of the topic, are told.

    `incarnation`: of the topic; offsets mean something in one incarnation only. `late`: the highest late range
    (`late_events`) that is told as a whole; of the one after it, offsets before `within` are told.
    """

    incarnation: UUID
    offsets: tuple[int, ...]
    late: int = 0
    within: int = 0

    @classmethod
    def first(cls, incarnation: UUID, late: int) -> "Place":
        """The place before all events. Late ones are no longer late for a reader who starts now."""
        return cls(incarnation, (0,) * PARTITIONS, late)

    def moved(self, offsets: tuple[int, ...]) -> "Place":
        return replace(self, offsets=offsets)

    def packed(self) -> bytes:
        """As bytes, always equally many: their number tells nothing of the number of events."""
        return _PACKED.pack(_FORMAT, self.incarnation.bytes, self.late, self.within, *self.offsets)

    @classmethod
    def unpacked(cls, data: bytes) -> "Place":
        """The place that `packed` wrote. Raises UnknownPlace."""
        try:
            form, incarnation, late, within, *offsets = _PACKED.unpack(data)
        except struct.error:
            raise UnknownPlace from None
        if form != _FORMAT:
            raise UnknownPlace
        return cls(UUID(bytes=incarnation), tuple(offsets), late, within)
