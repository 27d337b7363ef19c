"""Which rule decides on which command."""

from typing import assert_never

from services.routing.ticket import articles, lifecycle, ownership, properties, relations, undo
from services.routing.ticket import commands as c
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event


def decide(command: c.Command, ticket: Ticket) -> list[Event]:
    """The events that a command leads to, none where nothing is to do. Raises Rejected where a rule says no."""
    match command:
        case c.QueueTicket():
            return lifecycle.queue(command, ticket)
        case c.TakeCustomerMessage():
            return lifecycle.take_customer_message(command, ticket)
        case c.Lock():
            return ownership.lock(command, ticket)
        case c.Unlock():
            return ownership.unlock(command, ticket)
        case c.Assign():
            return ownership.assign(command, ticket)
        case c.SetResponsible():
            return ownership.set_responsible(command, ticket)
        case c.LockIsOver():
            return ownership.lock_is_over(command, ticket)
        case c.LockHolderLeft():
            return ownership.lock_holder_left(command, ticket)
        case c.Reply():
            return articles.reply(command, ticket)
        case c.AddNote():
            return articles.add_note(command, ticket)
        case c.RecordCall():
            return articles.record_call(command, ticket)
        case c.Forward():
            return articles.forward(command, ticket)
        case c.Bounce():
            return articles.bounce(command, ticket)
        case c.Move():
            return lifecycle.move(command, ticket)
        case c.SetPriority():
            return lifecycle.set_priority(command, ticket)
        case c.SetState():
            return lifecycle.set_state(command, ticket)
        case c.Close():
            return lifecycle.close(command, ticket)
        case c.Reopen():
            return lifecycle.reopen(command, ticket)
        case c.PendingIsOver():
            return lifecycle.pending_is_over(command, ticket)
        case c.Rename():
            return properties.rename(command, ticket)
        case c.SetFields():
            return properties.set_fields(command, ticket)
        case c.SetCustomer():
            return properties.set_customer(command, ticket)
        case c.Tag():
            return properties.tag(command, ticket)
        case c.Untag():
            return properties.untag(command, ticket)
        case c.Link():
            return relations.link(command, ticket)
        case c.Unlink():
            return relations.unlink(command, ticket)
        case c.MergeInto():
            return relations.merge_into(command, ticket)
        case c.Absorb():
            return relations.absorb(command, ticket)
        case c.Unmerge():
            return relations.unmerge(command, ticket)
        case c.Release():
            return relations.release(command, ticket)
        case c.Split():
            return relations.split(command, ticket)
        case c.UndoSplit():
            return relations.undo_split(command, ticket)
        case c.Remove():
            return relations.remove(command, ticket)
        case c.Undo():
            return undo.undo(command, ticket)
        case _:
            assert_never(command)
