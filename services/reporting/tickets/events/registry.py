"""How the modules of this folder say what an event changes in a ticket's row, and in which words the history tells it.

Each type of event has two functions, one below the other: `@change.register` and `@summary_of`.
"""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

from services.reporting.tickets.read_model.article_rows import Article
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event

Data = dict[str, Any]
Summary = Callable[[Data], str]

SUMMARIES: dict[str, Summary] = {}
"""By the name of the event without service and version."""


@singledispatch
def change(event: Event, row: TicketRow, recorded: Recorded) -> Article | None:
    """Changes the row and returns the article that the event adds. An event that nothing is registered for changes
    nothing: it is in the history only."""
    return None


def summary_of(event: type[Event]) -> Callable[[Summary], Summary]:
    """Registers the line of words for an event, made from its data as it was recorded.

    Fields that equal their default are not recorded, and older versions may lack some: read each with `get`.
    """

    def register(summary: Summary) -> Summary:
        SUMMARIES[event.__name__] = summary
        return summary

    return register
