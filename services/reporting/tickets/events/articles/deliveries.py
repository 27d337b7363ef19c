"""What the desk sees of a mail's way: `delivery` of the article that it carried."""

from services.reporting.tickets.read_model.article_rows import Article, Delivery
from services.reporting.tickets.read_model.ticket_row import TicketRow

BOUNCED = "bounced: "
LONGEST_DELIVERY = 2_000


def deliver(row: TicketRow, change: Delivery) -> None:
    """Changes the article if this batch has added it; otherwise the change is saved with the row."""
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
    # Mails that we sent have a notification. An article without one is a customer's mail, with a Message-ID of theirs.
    return article.notification is not None and change.message_id == article.message_id


def delivery_after(was: str | None, now: str) -> str:
    """A bounce stays, whatever is recorded later about the mail's sending; further bounces are added to it.

    `projection.py` has the same rule in SQL.
    """
    if was is None or not was.startswith(BOUNCED):
        return now
    return f"{was}; {now.removeprefix(BOUNCED)}"[:LONGEST_DELIVERY] if now.startswith(BOUNCED) else was
