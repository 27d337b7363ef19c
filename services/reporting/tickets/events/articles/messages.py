"""Articles that events add to a ticket."""

from typing import Any

from services.reporting.tickets.read_model.article_rows import Article
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.parts import Address, Message


def add_message(
    row: TicketRow,
    recorded: Recorded,
    message: Message,
    sender: str,
    author: str | None,
    *,
    internal: bool = False,
    kind: str = "message",
) -> Article:
    """Adds the article of a message."""
    people: dict[str, Any] = {"from": address(message.sender) if message.sender else None}
    people |= {"to": [address(a) for a in message.to], "cc": [address(a) for a in message.cc]}
    if message.bcc:
        people["bcc"] = [address(a) for a in message.bcc]
    if message.reply_to:
        people |= {"reply_to": [address(a) for a in message.reply_to], "reply_to_doubt": message.reply_to_doubt}
    article = Article(
        ticket_id=row.id,
        id=message.id,
        number=row.article_count + 1,
        created_at=recorded.time,
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
    return add(row, article)


def add(row: TicketRow, article: Article) -> Article:
    row.article_count += 1
    row.public_article_count += not article.internal
    row.articles.append(article)
    if not article.internal:
        _note_last(row, article)
    return article


def _note_last(row: TicketRow, article: Article) -> None:
    """Keeps what the list shows of the customer's newest message, and when the newest answer came."""
    if article.sender == "customer":
        sender = article.people["from"] or {"email": row.customer_email, "name": row.customer_name}
        row.last_message_email, row.last_message_name = sender["email"], sender["name"]
        row.last_message_subject, row.last_message_at = article.subject or row.title, article.created_at
    elif article.sender == "agent" and article.number > 1:
        row.last_answer_at = article.created_at


def address(address: Address) -> dict[str, str]:
    return {"email": address.email, "name": address.name}
