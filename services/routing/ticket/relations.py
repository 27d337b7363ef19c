"""How tickets relate to each other: links, merges, splits (requirements A7.16 to A7.19).

A decision on two tickets is one command for each of them. Both are recorded, or neither.
"""

from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from services.routing.ticket import conditions
from services.routing.ticket.context import CommandContext
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event
from shared.contracts.parts import Message, QueueRef, TicketRef, Writer
from shared.contracts.routing import (
    AnyLinkKind,
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
MERGE_UNDONE = "This merge has already been undone."
SPLIT_UNDONE = "split undone"
"""Why a ticket was removed."""


@dataclass(frozen=True, slots=True)
class Link:
    """`outgoing`: the other ticket is this ticket's parent, or the ticket that this one is a duplicate of."""

    context: CommandContext
    other: TicketRef
    kind: AnyLinkKind
    outgoing: bool = True


@dataclass(frozen=True, slots=True)
class Unlink:
    """`outgoing` as in Link."""

    context: CommandContext
    other: TicketRef
    kind: AnyLinkKind
    outgoing: bool = True


@dataclass(frozen=True, slots=True)
class MergeInto:
    """The ticket continues in another one."""

    context: CommandContext
    into: TicketRef


@dataclass(frozen=True, slots=True)
class Absorb:
    """The other side of MergeInto: another ticket continues in this one."""

    context: CommandContext
    other: TicketRef


@dataclass(frozen=True, slots=True)
class Unmerge:
    """Undoes MergeInto."""

    context: CommandContext
    into: TicketRef
    undoes: UUID


@dataclass(frozen=True, slots=True)
class Release:
    """Undoes Absorb."""

    context: CommandContext
    other: TicketRef


@dataclass(frozen=True, slots=True)
class Split:
    """Copies articles into a new ticket, whose id is `into`. `message` is its first article, written by `writer`.

    `internal`: that article is for the desk alone. `note` has the internal ones among public articles.
    """

    context: CommandContext
    articles: tuple[UUID, ...]
    into: UUID
    origin: UUID
    message: Message
    queue: QueueRef | None = None
    title: str = ""
    writer: Writer | None = None
    internal: bool = False
    note: Message | None = None


@dataclass(frozen=True, slots=True)
class UndoSplit:
    context: CommandContext
    into: UUID
    undoes: UUID


@dataclass(frozen=True, slots=True)
class Remove:
    """The other side of UndoSplit: removes the ticket that the split made."""

    context: CommandContext


Command = Link | Unlink | MergeInto | Absorb | Unmerge | Release | Split | UndoSplit | Remove


def decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case Link():
            return link(command, ticket)
        case Unlink():
            return unlink(command, ticket)
        case MergeInto():
            return merge_into(command, ticket)
        case Absorb():
            return absorb(command, ticket)
        case Unmerge():
            return unmerge(command, ticket)
        case Release():
            return release(command, ticket)
        case Split():
            return split(command, ticket)
        case UndoSplit():
            return undo_split(command, ticket)
        case Remove():
            return remove(command, ticket)
        case _:
            assert_never(command)


def link(command: Link, ticket: Ticket) -> list[Event]:
    conditions.known(ticket)
    if ticket.state.type == "removed":
        raise Rejected("The ticket was removed.")
    if (command.kind, command.other.id, command.outgoing) in ticket.links:
        return []
    if len(ticket.links) >= MOST_LINKS:
        raise Rejected(f"A ticket can have at most {MOST_LINKS} links.")
    by = command.context.actor.reference
    return [TicketsLinked(kind=command.kind, other=command.other, outgoing=command.outgoing, by=by)]


def unlink(command: Unlink, ticket: Ticket) -> list[Event]:
    conditions.known(ticket)
    if (command.kind, command.other.id, command.outgoing) not in ticket.links:
        return []
    by = command.context.actor.reference
    return [TicketsUnlinked(kind=command.kind, other=command.other, outgoing=command.outgoing, by=by)]


def merge_into(command: MergeInto, ticket: Ticket) -> list[Event]:
    """The ticket continues in another one, unlocked (A7.19). Its number leads there for ever."""
    conditions.workable(ticket, command.context)
    context = command.context
    merged = TicketMerged(into=command.into, was=ticket.state, by=context.actor.reference, at=context.at)
    return [*conditions.unlocked(ticket, "merged"), merged]


def absorb(command: Absorb, ticket: Ticket) -> list[Event]:
    """A ticket that was merged itself absorbs none: the caller names the living one."""
    conditions.living(ticket)
    return [TicketAbsorbed(other=command.other, by=command.context.actor.reference)]


def unmerge(command: Unmerge, ticket: Ticket) -> list[Event]:
    """The ticket has its earlier state again. If the date of a pending state has passed meanwhile, it is open."""
    conditions.known(ticket)
    if ticket.merged_into != command.into.id:
        raise Rejected(MERGE_UNDONE)
    state, until = ticket.merged_from or OPEN, ticket.merged_until
    if state.type.startswith("pending") and (until is None or until <= command.context.at):
        state, until = OPEN, None
    by, at = command.context.actor.reference, command.context.at
    return [MergeUndone(into=command.into, state=state, by=by, undoes=command.undoes, pending_until=until, at=at)]


def release(command: Release, ticket: Ticket) -> list[Event]:
    """What was written here meanwhile stays here."""
    conditions.known(ticket)
    if command.other.id not in ticket.absorbed:
        raise Rejected(MERGE_UNDONE)
    return [TicketReleased(other=command.other, by=command.context.actor.reference)]


def split(command: Split, ticket: Ticket) -> list[Event]:
    """Articles become a ticket of their own (A7.16, A7.17). Intake opens it, linked to this one."""
    context = command.context
    queue, customer = conditions.workable(ticket, context)
    made = TicketSplit(
        articles=command.articles,
        into=command.into,
        title=command.title or ticket.title,
        queue=command.queue or queue,
        customer=customer,
        priority=ticket.priority,
        message=command.message,
        origin=TicketRef(id=command.origin, number=ticket.number, title=ticket.title),
        by=context.actor.reference,
        writer=command.writer,
        internal=command.internal,
        note=command.note,
    )
    other = TicketRef(id=command.into, title=made.title)
    return [made, TicketsLinked(kind="related", other=other, by=context.actor.reference)]


def undo_split(command: UndoSplit, ticket: Ticket) -> list[Event]:
    conditions.workable(ticket, command.context)
    if command.into not in ticket.split_into:
        raise Rejected("This split has already been undone.")
    return [SplitUndone(into=command.into, by=command.context.actor.reference, undoes=command.undoes)]


def remove(command: Remove, ticket: Ticket) -> list[Event]:
    """Only a ticket that nobody has worked on or written to is removed, because its history is hidden with it."""
    conditions.living(ticket)
    if ticket.touched:
        raise Rejected(
            "The new ticket has been worked on, so the split cannot be undone. Merge the new ticket instead."
        )
    context = command.context
    return [TicketRemoved(because=SPLIT_UNDONE, was=ticket.state, by=context.actor.reference, at=context.at)]
