"""How the modules of this folder say what an event changes in a ticket's row, and in which words the history tells it.

Each type of event has two functions, one below the other: `@change.register` and `@summary_of`; `@summary_for_reader`
where the words name times.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import singledispatch
from typing import Any

from services.reporting.tickets.read_model.article_rows import Article
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.languages.translator import Translator

Data = dict[str, Any]
Summary = Callable[[Data], str]
SummaryForReader = Callable[[Data, Translator], str]

SUMMARIES: dict[str, SummaryForReader] = {}
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
        SUMMARIES[event.__name__] = lambda data, say: summary(data)
        return summary

    return register


def summary_for_reader(event: type[Event]) -> Callable[[SummaryForReader], SummaryForReader]:
    """`summary_of`, for words that depend on how their reader reads times."""

    def register(summary: SummaryForReader) -> SummaryForReader:
        SUMMARIES[event.__name__] = summary
        return summary

    return register


def told_at(text: str | None) -> datetime | None:
    """A time in an event's data."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
