"""Takes the deliveries of a batch in the order of their streams, and parks what does not fit."""

from collections.abc import Iterable
from uuid import UUID

from shared.contracts.envelope import Recorded
from shared.messaging.consuming.delivery import Delivered, Next, Parked, order, out_of_order
from shared.messaging.consuming.projection import Seen


class InOrder:
    """One batch. After a parked event of a stream, every later event of that stream is parked too.

    `parked` are the streams with parked events of earlier batches. Events of producers that are not named are passed
    over; None: everybody's are taken.
    """

    def __init__(self, parked: Iterable[UUID], producers: frozenset[str] | None = None) -> None:
        self.parked: list[Parked] = []
        self._held = set(parked)
        self._producers = producers

    def holds(self, stream: UUID) -> bool:
        """Whether events of this stream are parked."""
        return stream in self._held

    def take(self, delivery: Delivered, seen: Seen | None = None) -> Recorded | None:
        """The event, if it is the next one after `seen`. None if it is passed over, a repeat, or parked here.

        Without `seen` the handler accepts repeats, and versions are not compared.
        """
        event = delivery.event
        if event is not None and self._producers is not None and event.producer not in self._producers:
            return None
        if delivery.key in self._held:
            self.parked.append(Parked(delivery, "an earlier event of it is parked", new=False))
            return None
        if event is None:
            self.park(delivery, delivery.unreadable)
            return None
        if seen is None:
            return event
        match order(event, seen):
            case Next.TAKE:
                return event
            case Next.SKIP:
                return None
            case Next.HOLE | Next.FORK:
                self.park(delivery, out_of_order(event, seen))
                return None

    def park(self, delivery: Delivered, reason: str) -> None:
        """Parks a delivery that cannot be worked on; `reason` is for the operator."""
        self._held.add(delivery.key)
        self.parked.append(Parked(delivery, reason, new=True))
