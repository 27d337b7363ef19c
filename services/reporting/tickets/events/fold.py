"""How each event changes what the desk shows of a ticket. Nothing but the row given is changed."""

from typing import Any

from services.reporting.tickets.read_model.deduplication import COLUMNS, without
from services.reporting.tickets.read_model.rows import Article, Delivery, HistoryEntry, TicketRow
from shared.addresses import comparable
from shared.contracts.envelope import Recorded
from shared.contracts.event import Unknown
from shared.contracts.intake import (
    AgentMailReceived,
    AutomaticMailReceived,
    CustomerMessageReceived,
    FailedRecipient,
    TicketOpened,
)
from shared.contracts.notify import (
    NotificationDelayed,
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
)
from shared.contracts.parts import Address, CustomerRef, Message, QueueRef, StateRef
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    CallRecorded,
    CustomerChanged,
    FieldsChanged,
    MergeUndone,
    NoteAdded,
    OwnerChanged,
    PriorityChanged,
    ReminderReached,
    ResponsibleChanged,
    StateChanged,
    TagsAdded,
    TagsRemoved,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketRenamed,
    TicketsLinked,
    TicketsUnlinked,
    TicketUnlocked,
    TimeAccounted,
)
from shared.rules.states import MERGED

BOUNCED = "bounced: "
LONGEST_DELIVERY = 2_000


def fold(before: TicketRow | None, event: Recorded) -> TicketRow:
    """The row after an event: the one given, or a new one."""
    row = TicketRow(id=event.stream) if before is None else before
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
            data=_to_keep(event, article),
        )
    )
    return row


def _show(row: TicketRow, event: Recorded) -> Article | None:
    match event.payload:
        case TicketOpened() as p:
            row.number, row.title, row.channel, row.priority = p.number, p.title, p.channel, p.priority
            _put_into(row, p.queue)
            _belongs_to(row, p.customer)
            row.tags, row.fields = list(p.tags), p.fields or None
            row.form = p.form.model_dump(mode="json") if p.form else None
            kind = "note" if p.internal else "message"
            if p.writer is not None:
                return _article(
                    row, event, p.message, p.writer.kind, p.writer.name or None, internal=p.internal, kind=kind
                )
            author = p.opened_by.name if p.opened_by else p.customer.called
            whose = "agent" if p.channel == "email" and p.opened_by else "customer"
            return _article(row, event, p.message, whose, author, internal=p.internal, kind=kind)
        case CustomerMessageReceived() as p:
            # Only participants' words are the customer's to see; the kind tells the desk whose the others are.
            known = p.standing == "participant"
            kind = "message" if known else p.standing
            return _article(row, event, p.message, "customer", p.customer.called, internal=not known, kind=kind)
        case AgentMailReceived() as p:
            return _article(row, event, p.message, "agent", p.by.name, internal=True, kind="note")
        case AutomaticMailReceived() as p:
            if p.about is not None and (told := _reported(p)) is not None:
                _deliver(row, Delivery(None, told, message_id=p.about))
            sender = p.message.sender
            return _article(
                row, event, p.message, "system", sender.email if sender else None, internal=True, kind=p.kind
            )
        case AgentReplied() as p:
            row.first_answer_at = row.first_answer_at or event.time
            return _article(row, event, p.message, "agent", p.by.name)
        case NoteAdded() as p:
            return _article(row, event, p.message, "agent", p.by.name, internal=p.internal, kind=p.kind)
        case CallRecorded() as p:
            return _article(row, event, p.message, "agent", p.by.name, internal=True, kind=f"call {p.direction}")
        case ArticleForwarded() as p:
            return _article(row, event, p.message, "agent", p.by.name, internal=True, kind="forward")
        case ArticleBounced() as p:
            # The original goes out as it came in, so that its sender stays and only its recipients are others.
            sent_on = p.original.model_copy(update={"id": p.bounce, "to": p.to, "cc": (), "bcc": (), "raw": p.raw})
            return _article(row, event, sent_on, "agent", p.by.name, internal=True, kind="bounce")
        case TimeAccounted() as p:
            row.time_units += p.units
        case NotificationRequested(kind="receipt" | "closed") as p:
            return _told_by_itself(row, event, p)
        case NotificationRequested() as p:
            _deliver(row, Delivery(p.notification, "queued", p.article, p.mail.message_id))
        case NotificationSent() as p:
            _deliver(row, Delivery(p.notification, "sent"))
        case NotificationDelayed() as p:
            _deliver(row, Delivery(p.notification, f"delayed: {p.reason}"))
        case NotificationFailed() as p:
            _deliver(row, Delivery(p.notification, f"failed: {p.reason}"))
        case NotificationSuppressed() as p:
            _deliver(row, Delivery(None, f"not sent: {p.reason}", p.article))
        case _:
            _change(row, event)
    return None


def _change(row: TicketRow, event: Recorded) -> None:
    """What the desk decided about the ticket, in the order of the contracts."""
    match event.payload:
        case TicketQueued() as p:
            _put_into(row, p.queue)
            _enter(row, p.state)
            row.priority = p.priority
        case TicketLocked() as p:
            row.locked_by, row.locked_since, row.lock_expires_at = p.by, event.time, p.expires_at
        case TicketUnlocked():
            row.locked_by = row.locked_since = row.lock_expires_at = None
        case OwnerChanged() as p:
            row.owner, row.previous_owner = p.to, p.was
        case ResponsibleChanged() as p:
            row.responsible = p.to
        case StateChanged() as p:
            _enter(row, p.to)
            row.pending_until = p.pending_until
            row.reminder_due = False
            row.closed_at = event.time if p.to.type == "closed" else None
        case ReminderReached():
            row.reminder_due = True
        case PriorityChanged() as p:
            row.priority = p.to
        case TicketMoved() as p:
            _put_into(row, p.to)
        case TicketRenamed() as p:
            row.title = p.to
        case FieldsChanged() as p:
            changed = {**(row.fields or {}), **p.values}
            row.fields = {name: value for name, value in changed.items() if value is not None} or None
        case TagsAdded() as p:
            row.tags = [*row.tags, *(tag for tag in p.tags if tag not in row.tags)]
        case TagsRemoved() as p:
            row.tags = [tag for tag in row.tags if tag not in p.tags]
        case CustomerChanged() as p:
            _belongs_to(row, p.to)
        case TicketsLinked() as p:
            row.links = [*_others(row, p), _link(p)]
        case TicketsUnlinked() as p:
            row.links = _others(row, p)
        case TicketMerged() as p:
            _enter(row, MERGED)
            row.merged_into, row.reminder_due, row.pending_until = p.into, False, None
        case MergeUndone() as p:
            _enter(row, p.state)
            row.merged_into, row.pending_until = None, p.pending_until
        case TicketRemoved():
            row.state_slug, row.state_name, row.state_type = "removed", "removed", "removed"
            row.reminder_due, row.pending_until = False, None
        case _:
            pass  # no other event shows on the page; every one is in the history


def _put_into(row: TicketRow, queue: QueueRef) -> None:
    row.queue_id, row.queue_slug, row.queue_name = queue.id, queue.slug, queue.name


def _enter(row: TicketRow, state: StateRef) -> None:
    row.state_slug, row.state_name, row.state_type = state.slug, state.name, state.type


def _belongs_to(row: TicketRow, customer: CustomerRef) -> None:
    row.customer_id, row.customer_email, row.customer_name = customer.id, comparable(customer.email), customer.name
    row.company = customer.company


def _link(p: TicketsLinked | TicketsUnlinked) -> dict[str, Any]:
    """As the row keeps it; what the other ticket is called now is looked up when the page is shown."""
    return {"kind": p.kind, "outgoing": p.outgoing, "id": str(p.other.id)}


def _others(row: TicketRow, p: TicketsLinked | TicketsUnlinked) -> list[dict[str, Any]]:
    return [link for link in row.links if link != _link(p)]


def _article(
    row: TicketRow,
    event: Recorded,
    message: Message,
    sender: str,
    author: str | None,
    *,
    internal: bool = False,
    kind: str = "message",
) -> Article:
    row.article_count += 1
    row.public_article_count += not internal
    people: dict[str, Any] = {"from": _address(message.sender) if message.sender else None}
    people |= {"to": [_address(a) for a in message.to], "cc": [_address(a) for a in message.cc]}
    if message.bcc:
        people["bcc"] = [_address(a) for a in message.bcc]
    if message.reply_to:
        people |= {"reply_to": [_address(a) for a in message.reply_to], "reply_to_doubt": message.reply_to_doubt}
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
        kind=kind,
        raw=message.raw.model_dump(mode="json") if message.raw else None,
        message_id=message.message_id,
        written_at=message.written_at,
        reading_notes=list(message.reading_notes) or None,
    )
    row.articles.append(article)
    return article


def _told_by_itself(row: TicketRow, event: Recorded, p: NotificationRequested) -> Article:
    """The receipt, or the word that the ticket is closed: nobody wrote it, so that it has no message but the mail that leaves."""
    row.article_count += 1
    row.public_article_count += 1
    mail = p.mail
    article = Article(
        id=p.article,
        number=row.article_count,
        created_at=event.time,
        sender="system",
        channel="email",
        internal=False,
        subject=mail.subject,
        text=mail.text,
        new_text=None,
        html=None,
        author=mail.sender.name,
        people={
            "from": _address(mail.sender),
            "to": [_address(a) for a in mail.to],
            "cc": [_address(a) for a in mail.cc],
        },
        attachments=None,
        text_blob=None,
        mail=None,
        message_id=mail.message_id,
        notification=p.notification,
        delivery="queued",
    )
    row.articles.append(article)
    return article


def _address(address: Address) -> dict[str, str]:
    return {"email": address.email, "name": address.name}


def _deliver(row: TicketRow, change: Delivery) -> None:
    for article in row.articles:
        if _is_about(change, article):
            article.delivery = delivery_after(article.delivery, change.delivery)
            if change.article is not None:
                article.notification, article.message_id = change.notification, change.message_id
            return
    row.deliveries.append(change)


def _is_about(change: Delivery, article: Article) -> bool:
    if change.article is not None:
        return change.article == article.id
    if change.notification is not None:
        return change.notification == article.notification
    # A mail of ours has a notification: what names a customer's mail is about none.
    return article.notification is not None and change.message_id == article.message_id


def delivery_after(was: str | None, now: str) -> str:
    """What came back stays, whatever is recorded of the mail's leaving after it; what else comes back is added. `projection.py` has the same
    in SQL."""
    if was is None or not was.startswith(BOUNCED):
        return now
    return f"{was}; {now.removeprefix(BOUNCED)}"[:LONGEST_DELIVERY] if now.startswith(BOUNCED) else was


def _reported(report: AutomaticMailReceived) -> str | None:
    """What a report about a mail of ours makes of its delivery."""
    said = "; ".join(_failed(each) for each in report.recipients) or "the mail server did not say of whom"
    match report.kind:
        case "failure":
            return f"{BOUNCED}{said}"[:LONGEST_DELIVERY]
        case "delay":
            return f"delayed: {said}"[:LONGEST_DELIVERY]
        case "delivered":
            return "sent"
        case _:
            return None


def _failed(recipient: FailedRecipient) -> str:
    return " ".join(part for part in (f"{recipient.recipient}:", recipient.status, recipient.diagnostic) if part)


def _to_keep(event: Recorded, article: Article | None) -> dict[str, Any]:
    """The payload for the history, without what stands in its article."""
    payload = event.payload
    if isinstance(payload, Unknown):
        return payload.data
    # As it was recorded, unless an upcaster has made something newer of it.
    recorded = event.data if event.type == payload.TYPE else None
    data = recorded if recorded is not None else payload.model_dump(mode="json", exclude_defaults=True)
    if article is None:
        return data
    return without(data, {column: getattr(article, column) for column in COLUMNS})
