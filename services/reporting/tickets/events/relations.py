"""A ticket and other tickets: links, merges, splits. And its removal."""

from typing import Any

from services.reporting.tickets.events import words
from services.reporting.tickets.events.handling import set_state
from services.reporting.tickets.events.registry import Data, change, summary_of
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.routing import (
    MergeUndone,
    SplitUndone,
    TicketAbsorbed,
    TicketMerged,
    TicketReleased,
    TicketRemoved,
    TicketsLinked,
    TicketSplit,
    TicketsUnlinked,
)
from shared.rules.states import MERGED


@change.register
def _(event: TicketsLinked, row: TicketRow, recorded: Recorded) -> None:
    row.links = [*_other_links(row, event), _link(event)]


@summary_of(TicketsLinked)
def _(data: Data) -> str:
    return f"Linked: {_link_in_words(data)}{words.by(data)}"


@change.register
def _(event: TicketsUnlinked, row: TicketRow, recorded: Recorded) -> None:
    row.links = _other_links(row, event) or None


@summary_of(TicketsUnlinked)
def _(data: Data) -> str:
    return f"No longer linked: {_link_in_words(data)}{words.by(data)}"


def _link(event: TicketsLinked | TicketsUnlinked) -> dict[str, Any]:
    """As the row holds it. The other ticket's number and title are looked up when the ticket is shown."""
    return {"kind": event.kind, "outgoing": event.outgoing, "id": str(event.other.id)}


def _other_links(row: TicketRow, event: TicketsLinked | TicketsUnlinked) -> list[dict[str, Any]]:
    return [link for link in row.links or () if link != _link(event)]


def _link_in_words(data: Data) -> str:
    other, outgoing = words.ticket(data.get("other")), data.get("outgoing", True)
    match data.get("kind"):
        case "parent":
            return f"{other} is {'its parent' if outgoing else 'its child'}"
        case "duplicate":
            return f"it is a duplicate of {other}" if outgoing else f"{other} is a duplicate of it"
        case _:
            return f"it is related to {other}"


@change.register
def _(event: TicketMerged, row: TicketRow, recorded: Recorded) -> None:
    set_state(row, MERGED)
    row.merged_into_id, row.merged_into_number = event.into.id, event.into.number
    row.reminder_due, row.pending_until = False, None


@summary_of(TicketMerged)
def _(data: Data) -> str:
    return f"Merged into {words.ticket(data.get('into'))}{words.by(data)}"


@summary_of(TicketAbsorbed)
def _(data: Data) -> str:
    return f"{words.ticket(data.get('other'))} was merged into this one{words.by(data)}"


@change.register
def _(event: MergeUndone, row: TicketRow, recorded: Recorded) -> None:
    set_state(row, event.state)
    row.merged_into_id = row.merged_into_number = None
    row.pending_until = event.pending_until


@summary_of(MergeUndone)
def _(data: Data) -> str:
    return f"Merge into {words.ticket(data.get('into'))} undone{words.by(data)}"


@summary_of(TicketReleased)
def _(data: Data) -> str:
    return f"{words.ticket(data.get('other'))} is a ticket of its own again{words.by(data)}"


@summary_of(TicketSplit)
def _(data: Data) -> str:
    return f"Split: {len(data.get('articles', ()))} articles became a ticket of their own{words.by(data)}"


@summary_of(SplitUndone)
def _(data: Data) -> str:
    return f"Split undone{words.by(data)}"


@change.register
def _(event: TicketRemoved, row: TicketRow, recorded: Recorded) -> None:
    row.state_slug, row.state_name, row.state_type = "removed", "removed", "removed"
    row.reminder_due, row.pending_until = False, None


@summary_of(TicketRemoved)
def _(data: Data) -> str:
    return f"Removed: {data.get('because', '')}{words.by(data)}"
