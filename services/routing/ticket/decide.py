"""Which rule decides on which command."""

from typing import assert_never

from services.routing.ticket import commands as c
from services.routing.ticket import life, locks, properties, relations, undo, words
from services.routing.ticket.state import Ticket
from shared.contracts.event import Event


def decide(command: c.Command, ticket: Ticket) -> list[Event]:
    """The events that a command leads to, none where nothing is to do. Raises Rejected where a rule says no."""
    match command:
        case c.QueueTicket():
            return life.queue(command, ticket)
        case c.TakeCustomerMessage():
            return life.take_customer_message(command, ticket)
        case c.Lock():
            return locks.lock(command, ticket)
        case c.Unlock():
            return locks.unlock(command, ticket)
        case c.Assign():
            return locks.assign(command, ticket)
        case c.SetResponsible():
            return locks.set_responsible(command, ticket)
        case c.LockIsOver():
            return locks.lock_is_over(command, ticket)
        case c.LockHolderLeft():
            return locks.lock_holder_left(command, ticket)
        case c.Reply():
            return words.reply(command, ticket)
        case c.AddNote():
            return words.add_note(command, ticket)
        case c.RecordCall():
            return words.record_call(command, ticket)
        case c.Forward():
            return words.forward(command, ticket)
        case c.Bounce():
            return words.bounce(command, ticket)
        case c.Move():
            return life.move(command, ticket)
        case c.SetPriority():
            return life.set_priority(command, ticket)
        case c.SetState():
            return life.set_state(command, ticket)
        case c.Close():
            return life.close(command, ticket)
        case c.Reopen():
            return life.reopen(command, ticket)
        case c.PendingIsOver():
            return life.pending_is_over(command, ticket)
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
