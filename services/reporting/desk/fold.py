"""How each event changes what the desk shows of a ticket. Pure: the row given stays as it was."""

from copy import copy
from typing import Any

from services.reporting.desk.row import Article, Delivery, HistoryEntry, TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.event import Unknown
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.notify import NotificationFailed, NotificationRequested, NotificationSent
from shared.contracts.parts import Address, Message
from shared.contracts.routing import (
    AgentReplied,
    NoteAdded,
    OwnerChanged,
    StateChanged,
    TicketLocked,
    TicketQueued,
    TicketUnlocked,
    TimeAccounted,
)

TEXTS = ("text", "new_text", "html")


def fold(before: TicketRow | None, event: Recorded) -> TicketRow:
    """The row after an event."""
    row = TicketRow(id=event.stream) if before is None else before.copied()
    row.event_count += 1
    row.created_at = row.created_at or event.time
    # Of events that concern nobody but each other's services, a topic that was republished may have another order.
    row.updated_at = event.time if row.updated_at is None else max(row.updated_at, event.time)
    article = _show(row, event)
    row.history.append(
        HistoryEntry(
            id=event.id,
            cause=event.causation_id,
            at=event.time,
            number=row.event_count,
            version=event.version,
            article=article.number if article else None,
            source=event.producer,
            type=event.type,
            actor_kind=event.actor.kind,
            actor_id=event.actor.id,
            data=_without_texts(event, article),
        )
    )
    return row


def _show(row: TicketRow, event: Recorded) -> Article | None:
    match event.payload:
        case TicketOpened() as p:
            row.number, row.title, row.channel, row.priority = p.number, p.title, p.channel, p.priority
            row.queue_id, row.queue_slug, row.queue_name = p.queue.id, p.queue.slug, p.queue.name
            row.customer_id, row.customer_email, row.customer_name = p.customer.id, p.customer.email, p.customer.name
            row.company, row.tags, row.fields = p.customer.company, list(p.tags), p.fields or None
            author = p.opened_by.name if p.opened_by else p.customer.name or p.customer.email
            return _article(
                row, event, p.message, "agent" if p.channel == "email" and p.opened_by else "customer", author
            )
        case CustomerMessageReceived() as p:
            return _article(row, event, p.message, "customer", p.customer.name or p.customer.email)
        case TicketQueued() as p:
            row.queue_id, row.queue_slug, row.queue_name = p.queue.id, p.queue.slug, p.queue.name
            row.state_slug, row.state_name, row.state_type, row.priority = (
                p.state.slug,
                p.state.name,
                p.state.type,
                p.priority,
            )
        case TicketLocked() as p:
            row.locked_by, row.locked_since = p.by, event.time
        case TicketUnlocked():
            row.locked_by = row.locked_since = None
        case OwnerChanged() as p:
            row.owner, row.previous_owner = p.to, p.was
        case StateChanged() as p:
            row.state_slug, row.state_name, row.state_type = p.to.slug, p.to.name, p.to.type
            row.pending_until = p.pending_until
            row.closed_at = event.time if p.to.type == "closed" else None
        case AgentReplied() as p:
            row.first_answer_at = row.first_answer_at or event.time
            return _article(row, event, p.message, "agent", p.by.name)
        case NoteAdded() as p:
            return _article(row, event, p.message, "agent", p.by.name, internal=p.internal)
        case TimeAccounted() as p:
            row.time_units += p.units
        case NotificationRequested(kind="receipt") as p:
            mail = p.mail
            receipt = Message(
                id=p.article,
                channel="email",
                sender=mail.sender,
                to=mail.to,
                cc=mail.cc,
                subject=mail.subject,
                text=mail.text,
            )
            article = _article(row, event, receipt, "system", mail.sender.name)
            article.notification, article.delivery = p.notification, "queued"
            return article
        case NotificationRequested() as p:
            _deliver(row, Delivery(p.notification, "queued", p.article))
        case NotificationSent() as p:
            _deliver(row, Delivery(p.notification, "sent"))
        case NotificationFailed() as p:
            _deliver(row, Delivery(p.notification, f"failed: {p.reason}"))
        case _:
            pass  # no other event shows on the page; every one is in the history
    return None


def _article(
    row: TicketRow, event: Recorded, message: Message, sender: str, author: str | None, *, internal: bool = False
) -> Article:
    row.article_count += 1
    people: dict[str, Any] = {"from": _address(message.sender) if message.sender else None}
    people |= {"to": [_address(a) for a in message.to], "cc": [_address(a) for a in message.cc]}
    article = Article(
        id=message.id,
        number=row.article_count,
        created_at=event.time,
        sender=sender,
        channel=message.channel,
        internal=internal,
        subject=message.subject,
        text=message.text,
        new_text=None if message.new_text == message.text else message.new_text,
        html=message.html,
        author=author,
        people=people,
        attachments=[a.model_dump(mode="json") for a in message.attachments] or None,
        text_blob=message.text_blob.model_dump(mode="json") if message.text_blob else None,
        mail=message.mail,
    )
    row.articles.append(article)
    return article


def _address(address: Address) -> dict[str, str]:
    return {"email": address.email, "name": address.name}


def _deliver(row: TicketRow, change: Delivery) -> None:
    for n, article in enumerate(row.articles):
        if change.notification == article.notification or (change.article is not None and change.article == article.id):
            changed = copy(article)
            changed.notification, changed.delivery = change.notification, change.delivery
            row.articles[n] = changed
            return
    row.deliveries.append(change)


def _without_texts(event: Recorded, article: Article | None) -> dict[str, Any]:
    """The payload for the history, without the texts that stand in its article."""
    payload = event.payload
    if isinstance(payload, Unknown):
        return payload.data
    # As it was recorded, unless an upcaster has made something newer of it.
    recorded = event.data if event.type == payload.TYPE else None
    data = recorded if recorded is not None else payload.model_dump(mode="json", exclude_defaults=True)
    if article is None:
        return data
    return {name: _textless(value) if name in ("message", "mail") else value for name, value in data.items()}


def _textless(part: Any) -> Any:
    return {name: value for name, value in part.items() if name not in TEXTS} if isinstance(part, dict) else part
