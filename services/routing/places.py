"""In which queue each ticket stands, and whether it is open: where a change of SLAs finds its tickets."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from shared.contracts.event import Event
from shared.contracts.routing import (
    MergeUndone,
    StateChanged,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
)
from shared.rules.states import OVER

SET = """
INSERT INTO routing.places (ticket_id, queue_id, open)
SELECT t.ticket_id, t.queue_id, coalesce(t.open, true)
  FROM unnest($1::uuid[], $2::uuid[], $3::boolean[]) AS t(ticket_id, queue_id, open)
 ORDER BY t.ticket_id
    ON CONFLICT (ticket_id) DO UPDATE SET queue_id = excluded.queue_id, open = excluded.open
"""
MOVE = """
UPDATE routing.places p
   SET queue_id = coalesce(t.queue_id, p.queue_id), open = coalesce(t.open, p.open)
  FROM unnest($1::uuid[], $2::uuid[], $3::boolean[]) AS t(ticket_id, queue_id, open)
 WHERE p.ticket_id = t.ticket_id
"""


class Places(NamedTuple):
    """Columns: tickets, their queues, whether they are open; null: as before."""

    tickets: list[UUID]
    queues: list[UUID | None]
    open: list[bool | None]


class _Place(NamedTuple):
    queue: UUID | None = None
    open: bool | None = None
    new: bool = False


def after(events: Iterable[tuple[UUID, Event]]) -> tuple[Places, Places]:
    """The places of tickets that these events queue, and what they change of the places of others."""
    places: dict[UUID, _Place] = {}
    for stream, event in events:
        known = places.get(stream, _Place())
        match event:
            case TicketQueued():
                places[stream] = known._replace(queue=event.queue.id, new=True)
            case TicketMoved():
                places[stream] = known._replace(queue=event.to.id)
            case StateChanged() if (event.to.type in OVER) != (event.was.type in OVER):
                places[stream] = known._replace(open=event.to.type not in OVER)
            case MergeUndone():
                places[stream] = known._replace(open=event.state.type not in OVER)
            case TicketMerged() | TicketRemoved():
                places[stream] = known._replace(open=False)
            case _:
                pass
    return _columns(places, new=True), _columns(places, new=False)


def _columns(places: dict[UUID, _Place], *, new: bool) -> Places:
    some = {ticket: place for ticket, place in places.items() if place.new == new}
    return Places(list(some), [each.queue for each in some.values()], [each.open for each in some.values()])
