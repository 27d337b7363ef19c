"""What comes in: new tickets, and messages by mail or from the customers' pages."""

from services.reporting.tickets.events import words
from services.reporting.tickets.events.articles.deliveries import BOUNCED, LONGEST_DELIVERY, deliver
from services.reporting.tickets.events.articles.messages import add_message
from services.reporting.tickets.events.details import set_customer
from services.reporting.tickets.events.handling import set_queue
from services.reporting.tickets.events.registry import Data, change, summary_of
from services.reporting.tickets.read_model.article_rows import Article, Delivery
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.intake import (
    AgentMailReceived,
    AutomaticMailReceived,
    CustomerMessageReceived,
    FailedRecipient,
    TicketOpened,
)
from shared.contracts.routing import FollowUpRejected

STANDINGS = {"outsider": " (asked by the desk)", "unverified": " (not known as a participant)"}
"""What follows the name of a writer who is no participant."""
AUTOMATIC = {
    "failure": "A mail could not be delivered",
    "delay": "A mail is delayed",
    "delivered": "A mail was delivered",
    "complaint": "A recipient complained about a mail",
    "auto_reply": "An automatic reply came",
}


@change.register
def _(event: TicketOpened, row: TicketRow, recorded: Recorded) -> Article:
    row.number, row.title, row.channel, row.priority = event.number, event.title, event.channel, event.priority
    set_queue(row, event.queue)
    set_customer(row, event.customer)
    row.tags, row.fields = list(event.tags), event.fields or None
    row.form = event.form.model_dump(mode="json") if event.form else None
    if event.writer is not None:
        sender, author = event.writer.kind, event.writer.name or None
    else:
        author = event.opened_by.name if event.opened_by else event.customer.called
        sender = "agent" if event.channel == "email" and event.opened_by else "customer"
    kind = "note" if event.internal else "message"
    return add_message(row, recorded, event.message, sender, author, internal=event.internal, kind=kind)


@summary_of(TicketOpened)
def _(data: Data) -> str:
    form = f", with the form {words.name(data['form'].get('topic'))}" if data.get("form") else ""
    who = words.name(data.get("opened_by") or data.get("customer"))
    return f"Opened by {who} ({data.get('channel', '')}){form}"


@change.register
def _(event: CustomerMessageReceived, row: TicketRow, recorded: Recorded) -> Article:
    # The customer sees only what participants wrote. For all others, the kind tells the desk who they are.
    known = event.standing == "participant"
    kind = "message" if known else event.standing
    return add_message(row, recorded, event.message, "customer", event.customer.called, internal=not known, kind=kind)


@summary_of(CustomerMessageReceived)
def _(data: Data) -> str:
    standing = data.get("standing", "participant")
    return f"{words.name(data.get('customer'))} wrote" + STANDINGS.get(standing, "")


@change.register
def _(event: AgentMailReceived, row: TicketRow, recorded: Recorded) -> Article:
    return add_message(row, recorded, event.message, "agent", event.by.name, internal=True, kind="note")


@summary_of(AgentMailReceived)
def _(data: Data) -> str:
    return f"{words.name(data.get('by'))} wrote an internal note by mail"


@change.register
def _(event: AutomaticMailReceived, row: TicketRow, recorded: Recorded) -> Article:
    if event.about is not None and (delivery := _reported_delivery(event)) is not None:
        deliver(row, Delivery(None, delivery, message_id=event.about))
    author = event.message.sender.email if event.message.sender else None
    return add_message(row, recorded, event.message, "system", author, internal=True, kind=event.kind)


@summary_of(AutomaticMailReceived)
def _(data: Data) -> str:
    return AUTOMATIC.get(data.get("kind", ""), "An automatic mail came")


@summary_of(FollowUpRejected)
def _(data: Data) -> str:
    return f"The message of {words.name(data.get('customer'))} was refused: the ticket accepts no more messages"


def _reported_delivery(report: AutomaticMailReceived) -> str | None:
    """The delivery of one of our mails after this report about it; None for a report that changes nothing."""
    recipients = "; ".join(_failed(each) for each in report.recipients) or "the mail server did not say of whom"
    match report.kind:
        case "failure":
            return f"{BOUNCED}{recipients}"[:LONGEST_DELIVERY]
        case "delay":
            return f"delayed: {recipients}"[:LONGEST_DELIVERY]
        case "delivered":
            return "sent"
        case _:
            return None


def _failed(recipient: FailedRecipient) -> str:
    return " ".join(part for part in (f"{recipient.recipient}:", recipient.status, recipient.diagnostic) if part)
