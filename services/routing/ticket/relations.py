"""What tickets have to do with each other: links, merges, splits (requirements A7.16 to A7.19).

A decision on two tickets is one command for each, recorded together or not at all.
"""

from services.routing.ticket import conditions
from services.routing.ticket.commands import (
    Absorb,
    Link,
    MergeInto,
    Release,
    Remove,
    Split,
    UndoSplit,
    Unlink,
    Unmerge,
)
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import TicketRef
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
from shared.rules.rejected import Rejected
from shared.rules.states import OPEN

MOST_LINKS = 500


def link(command: Link, ticket: Ticket) -> list[Event]:
    conditions.known(ticket)
    if ticket.state.type == "removed":
        raise Rejected("the ticket was removed")
    if (command.kind, command.other.id, command.outgoing) in ticket.links:
        return []
    if len(ticket.links) >= MOST_LINKS:
        raise Rejected(f"a ticket has at most {MOST_LINKS} links")
    return [TicketsLinked(kind=command.kind, other=command.other, outgoing=command.outgoing, by=command.act.actor)]


def unlink(command: Unlink, ticket: Ticket) -> list[Event]:
    conditions.known(ticket)
    if (command.kind, command.other.id, command.outgoing) not in ticket.links:
        return []
    return [TicketsUnlinked(kind=command.kind, other=command.other, outgoing=command.outgoing, by=command.act.actor)]


def merge_into(command: MergeInto, ticket: Ticket) -> list[Event]:
    """The ticket goes on in another one (A7.19); its number leads there for ever."""
    conditions.workable(ticket, command.act)
    merged = TicketMerged(into=command.into, was=ticket.state, by=command.act.actor)
    return [*conditions.unlocked(ticket, "merged"), merged]


def absorb(command: Absorb, ticket: Ticket) -> list[Event]:
    """The other side. A ticket that has gone on in another one itself takes none: the caller names the living one."""
    conditions.living(ticket)
    return [TicketAbsorbed(other=command.other, by=command.act.actor)]


def unmerge(command: Unmerge, ticket: Ticket) -> list[Event]:
    """The ticket lives by itself again, as it was; if a date that it waited for has passed meanwhile, it is open."""
    conditions.known(ticket)
    if ticket.merged_into != command.into.id:
        raise Rejected("this merge was taken back already")
    state, until = ticket.merged_from or OPEN, ticket.merged_until
    if state.type.startswith("pending") and (until is None or command.act.at is None or until <= command.act.at):
        state, until = OPEN, None
    return [
        MergeUndone(into=command.into, state=state, by=command.act.actor, undoes=command.undoes, pending_until=until)
    ]


def release(command: Release, ticket: Ticket) -> list[Event]:
    """The other side. What was written there meanwhile stays there."""
    conditions.known(ticket)
    if command.other.id not in ticket.absorbed:
        raise Rejected("this merge was taken back already")
    return [TicketReleased(other=command.other, by=command.act.actor)]


def split(command: Split, ticket: Ticket) -> list[Event]:
    """Articles become a ticket of their own (A7.16, A7.17): intake opens it, linked to this one."""
    act = command.act
    queue, customer = conditions.workable(ticket, act)
    taken = TicketSplit(
        articles=command.articles,
        into=command.into,
        title=command.title or ticket.title,
        queue=command.queue or queue,
        customer=customer,
        priority=ticket.priority,
        message=command.message,
        origin=TicketRef(id=command.origin, number=ticket.number, title=ticket.title),
        by=act.actor,
        writer=command.writer,
        internal=command.internal,
        note=command.note,
    )
    linked = TicketsLinked(kind="related", other=TicketRef(id=command.into, title=taken.title), by=act.actor)
    return [taken, linked]


def undo_split(command: UndoSplit, ticket: Ticket) -> list[Event]:
    conditions.workable(ticket, command.act)
    if command.into not in ticket.split_into:
        raise Rejected("this split was taken back already")
    return [SplitUndone(into=command.into, by=command.act.actor, undoes=command.undoes)]


def remove(command: Remove, ticket: Ticket) -> list[Event]:
    """Only what nobody has worked on or written to can go; else its history would be hidden."""
    conditions.living(ticket)
    if ticket.touched:
        raise Rejected("the ticket of this split has been worked on: merge it instead")
    return [TicketRemoved(because=command.because, was=ticket.state, by=command.act.actor)]
