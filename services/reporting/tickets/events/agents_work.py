"""What agents write and do for the customer: replies, notes, calls, mails sent on, time."""

from services.reporting.tickets.events import words
from services.reporting.tickets.events.articles.messages import add_message
from services.reporting.tickets.events.registry import Data, change, summary_of
from services.reporting.tickets.read_model.article_rows import Article
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    CallRecorded,
    CustomerAnswered,
    NoteAdded,
    TimeAccounted,
)


@change.register
def _(event: AgentReplied, row: TicketRow, recorded: Recorded) -> Article:
    row.first_answer_at = row.first_answer_at or recorded.time
    return add_message(row, recorded, event.message, "agent", event.by.name)


@summary_of(AgentReplied)
def _(data: Data) -> str:
    return f"{words.name(data.get('by'))} answered"


@summary_of(CustomerAnswered)
def _(data: Data) -> str:
    return "The customer's message was added to the ticket"


@change.register
def _(event: NoteAdded, row: TicketRow, recorded: Recorded) -> Article:
    # A rule is no agent; its note has its name.
    sender = "system" if recorded.actor.kind == "rule" else "agent"
    return add_message(row, recorded, event.message, sender, event.by.name, internal=event.internal, kind=event.kind)


@summary_of(NoteAdded)
def _(data: Data) -> str:
    what = "an internal note" if data.get("internal", True) else "a note"
    return f"{words.name(data.get('by'))} wrote {'the solution' if data.get('kind') == 'solution' else what}"


@change.register
def _(event: CallRecorded, row: TicketRow, recorded: Recorded) -> Article:
    kind = f"call {event.direction}"
    return add_message(row, recorded, event.message, "agent", event.by.name, internal=True, kind=kind)


@summary_of(CallRecorded)
def _(data: Data) -> str:
    return f"{words.name(data.get('by'))} {'was called' if data.get('direction') == 'in' else 'called'}"


@change.register
def _(event: ArticleForwarded, row: TicketRow, recorded: Recorded) -> Article:
    return add_message(row, recorded, event.message, "agent", event.by.name, internal=True, kind="forward")


@summary_of(ArticleForwarded)
def _(data: Data) -> str:
    return f"{words.name(data.get('by'))} forwarded an article to {words.recipients(data.get('message'))}"


@change.register
def _(event: ArticleBounced, row: TicketRow, recorded: Recorded) -> Article:
    # The original is sent as it came in: its sender stays, only the recipients are new.
    sent_on = event.original.model_copy(
        update={"id": event.bounce, "to": event.to, "cc": (), "bcc": (), "raw": event.raw}
    )
    return add_message(row, recorded, sent_on, "agent", event.by.name, internal=True, kind="bounce")


@summary_of(ArticleBounced)
def _(data: Data) -> str:
    return f"{words.name(data.get('by'))} sent a mail on to {words.recipients(data)}"


@change.register
def _(event: TimeAccounted, row: TicketRow, recorded: Recorded) -> None:
    row.time_units += event.units


@summary_of(TimeAccounted)
def _(data: Data) -> str:
    return f"{words.name(data.get('by'))} accounted {data.get('units', 0):g} time units"
