"""A ticket's row after an event, and the line of words that its history shows for the event."""

from typing import Any

from services.reporting.tickets.events import (  # noqa: F401  each registers its events
    agents_work,
    arrivals,
    deadlines,
    details,
    handling,
    notifications,
    relations,
    rules,
)
from services.reporting.tickets.events.registry import SUMMARIES, Data, change
from services.reporting.tickets.read_model.article_rows import Article, HistoryEntry
from services.reporting.tickets.read_model.deduplication import ARTICLE_COLUMNS, without_article
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.event import Unknown
from shared.languages.translator import Translator


def fold(before: TicketRow | None, event: Recorded) -> TicketRow:
    """The row after an event, with its entry of the history: the row given, changed, or a new one. Nothing else is
    changed."""
    row, article = fold_columns(before, event)
    row.history.append(
        HistoryEntry(
            ticket_id=row.id,
            id=event.id,
            cause=event.causation_id,
            at=event.time,
            recorded_at=event.recorded_at,
            correlation=event.correlation_id,
            number=row.event_count,
            version=event.version,
            article=article.number if article else None,
            source=event.producer,
            type=event.type,
            actor_kind=event.actor.kind,
            actor_id=event.actor.id,
            data=_history_data(event, article),
        )
    )
    return row


def fold_columns(before: TicketRow | None, event: Recorded) -> tuple[TicketRow, Article | None]:
    """`fold` without the history. With the article that the event adds."""
    row = TicketRow(id=event.stream) if before is None else before
    row.event_count += 1
    row.created_at = row.created_at or event.time
    # In a republished topic, events of different services may come in another order than they happened.
    row.updated_at = event.time if row.updated_at is None else max(row.updated_at, event.time)
    return row, change(event.payload, row, event)


def _history_data(event: Recorded, article: Article | None) -> dict[str, Any]:
    """The payload without what its article holds."""
    payload = event.payload
    if isinstance(payload, Unknown):
        return payload.data
    # As it was recorded, unless an upcaster has made a newer version of it.
    recorded = event.data if event.type == payload.TYPE else None
    data = recorded if recorded is not None else payload.model_dump(mode="json", exclude_defaults=True)
    if article is None:
        return data
    return without_article(data, {column: getattr(article, column) for column in ARTICLE_COLUMNS})


def summary(type_name: str, data: Data, say: Translator = Translator()) -> str:
    """What happened, for a person; the name of the type if it is not known here."""
    name = type_name.removeprefix("helpdesk.").rpartition(".v")[0]
    found = SUMMARIES.get(name)
    return found(data, say) if found is not None else name
