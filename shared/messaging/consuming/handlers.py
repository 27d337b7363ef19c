"""The port of the consumer: what works through the events of a topic."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from shared.database import TRANSIENT, Connection
from shared.messaging.consuming.delivery import Delivered, Parked


class Handler(Protocol):
    """Works through deliveries inside the consumer's transaction and returns those that must be parked.

    `parked` holds the streams that are parked already. Any exception rolls the transaction back; the consumer then
    takes the batch event by event. `producers` names the services whose events it reads; None: all.
    """

    producers: frozenset[str] | None

    async def work(
        self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]
    ) -> list[Parked]: ...

    def committed(self) -> None:
        """The transaction that `work` took part in is committed."""


Handlers = Mapping[str, Handler]
"""Topic -> what works through its events."""


def reason_of(error: Exception) -> str:
    """Why an event is parked, for the operator."""
    return f"{type(error).__name__}: {error}"[:2000]


def transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: then nothing is parked and the consumer starts again."""
    return isinstance(error, TRANSIENT) or (
        isinstance(error, ExceptionGroup) and any(transient(e) for e in error.exceptions)
    )
