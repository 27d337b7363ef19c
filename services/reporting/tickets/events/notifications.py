"""Mails that leave the desk, and what became of them."""

from services.reporting.tickets.events import words
from services.reporting.tickets.events.articles.deliveries import deliver
from services.reporting.tickets.events.articles.messages import add, address
from services.reporting.tickets.events.registry import Data, change, summary_of
from services.reporting.tickets.read_model.article_rows import Article, Delivery
from services.reporting.tickets.read_model.notice_rows import NoticeEntry
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.notify import (
    NoticeGiven,
    NotificationDelayed,
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
)

MAILS = {
    "forward": "Forwarded article",
    "bounce": "Resent mail",
    "follow_up_rejected": "Refusal of the message",
    "closed": "Notice of the closing",
    "new_ticket": "Notice of the new ticket",
    "follow_up": "Notice of the new message",
    "moved": "Notice of the move",
    "lock_expired": "Notice of the expired lock",
    "rule": "Mail of a rule",
    "rule_to_customer": "Mail of a rule",
    "rule_suspended": "Notice of the suspended rule",
    "deadline_warned": "Notice that a deadline is near",
    "deadline_broken": "Notice that a deadline is over",
    "assigned": "Notice of the new owner",
}
"""What the history calls a notification of a kind, where the name of the kind would not be understood."""


def kind_in_words(kind: str) -> str:
    return MAILS.get(kind, kind.replace("_", " ").capitalize() or "Notice")


ARTICLES_OF_THEIR_OWN = ("receipt", "closed", "rule_to_customer")
"""Kinds of mails that nobody wrote: the mail itself is the article."""


@change.register
def _(event: NotificationRequested, row: TicketRow, recorded: Recorded) -> Article | None:
    if event.kind not in ARTICLES_OF_THEIR_OWN:
        deliver(row, Delivery(event.notification, "queued", event.article, event.mail.message_id))
        return None
    mail = event.mail
    article = Article(
        ticket_id=row.id,
        id=event.article,
        number=row.article_count + 1,
        created_at=recorded.time,
        sender="system",
        channel="email",
        subject=mail.subject,
        text=mail.text,
        author=mail.sender.name,
        people={
            "from": address(mail.sender),
            "to": [address(a) for a in mail.to],
            "cc": [address(a) for a in mail.cc],
        },
        message_id=mail.message_id,
        notification=event.notification,
        delivery="queued",
    )
    return add(row, article)


@summary_of(NotificationRequested)
def _(data: Data) -> str:
    left_out = "".join(f"; not to {each['recipient']}: {each['reason']}" for each in data.get("left_out", ()))
    recipients = words.recipients(data.get("mail"))
    return f"{kind_in_words(data.get('kind', 'mail'))} to be sent to {recipients}{left_out}"


@change.register
def _(event: NotificationSent, row: TicketRow, recorded: Recorded) -> None:
    deliver(row, Delivery(event.notification, "sent"))


@summary_of(NotificationSent)
def _(data: Data) -> str:
    return f"Sent by {data.get('transport', 'mail')}"


@change.register
def _(event: NotificationDelayed, row: TicketRow, recorded: Recorded) -> None:
    deliver(row, Delivery(event.notification, f"delayed: {event.reason}"))


@summary_of(NotificationDelayed)
def _(data: Data) -> str:
    return f"Not sent yet: {data.get('reason', '')}"


@change.register
def _(event: NotificationFailed, row: TicketRow, recorded: Recorded) -> None:
    deliver(row, Delivery(event.notification, f"failed: {event.reason}"))


@summary_of(NotificationFailed)
def _(data: Data) -> str:
    return f"Could not be sent: {data.get('reason', '')}"


@change.register
def _(event: NotificationSuppressed, row: TicketRow, recorded: Recorded) -> None:
    deliver(row, Delivery(None, f"not sent: {event.reason}", event.article))


@summary_of(NotificationSuppressed)
def _(data: Data) -> str:
    return f"Not sent: {data.get('reason', '')}"


@change.register
def _(event: NoticeGiven, row: TicketRow, recorded: Recorded) -> None:
    row.notices += [
        NoticeEntry(
            person_id=person,
            id=event.notice,
            at=recorded.time,
            ticket_id=row.id,
            number=row.event_count,
            kind=event.kind,
            cause=event.cause,
        )
        for person in dict.fromkeys(event.people)
    ]


@summary_of(NoticeGiven)
def _(data: Data) -> str:
    kind, count = data.get("kind", "notice"), len(data.get("people", ()))
    what = MAILS.get(kind, kind.replace("_", " ").capitalize())
    return f"{what} given to {count} {'person' if count == 1 else 'people'}"
