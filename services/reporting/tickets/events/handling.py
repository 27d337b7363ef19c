"""Who handles a ticket, and how far it is: queue, lock, owner, responsible person, state, priority."""

from uuid import UUID

from services.reporting.deadlines.words import moment
from services.reporting.tickets.events import words
from services.reporting.tickets.events.registry import Data, change, summary_for_reader, summary_of, told_at
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Recorded
from shared.contracts.parts import PersonRef, QueueRef, StateRef
from shared.contracts.routing import (
    OwnerChanged,
    PriorityChanged,
    ReminderReached,
    ResponsibleChanged,
    StateChanged,
    TicketLocked,
    TicketMoved,
    TicketQueued,
    TicketUnlocked,
)
from shared.languages.translator import Translator


def set_queue(row: TicketRow, queue: QueueRef) -> None:
    row.queue_id, row.queue_slug, row.queue_name = queue.id, queue.slug, queue.name


def set_state(row: TicketRow, state: StateRef) -> None:
    row.state_slug, row.state_name, row.state_type = state.slug, state.name, state.type


def _id_and_name(person: PersonRef | None) -> tuple[UUID, str] | tuple[None, None]:
    return (person.id, person.name) if person is not None else (None, None)


@change.register
def _(event: TicketQueued, row: TicketRow, recorded: Recorded) -> None:
    set_queue(row, event.queue)
    set_state(row, event.state)
    row.priority = event.priority


@summary_of(TicketQueued)
def _(data: Data) -> str:
    return f"Put into {words.queue(data.get('queue'))}"


@change.register
def _(event: TicketMoved, row: TicketRow, recorded: Recorded) -> None:
    set_queue(row, event.to)


@summary_of(TicketMoved)
def _(data: Data) -> str:
    was, to = words.queue(data.get("was")), words.queue(data.get("to"))
    return f"Moved from {was} to {to}{words.by(data)}{words.undoing(data)}"


@change.register
def _(event: TicketLocked, row: TicketRow, recorded: Recorded) -> None:
    row.locked_by_id, row.locked_by_name = _id_and_name(event.by)
    row.locked_since, row.lock_expires_at = recorded.time, event.expires_at


@summary_of(TicketLocked)
def _(data: Data) -> str:
    taken = data.get("taken_over_from")
    return f"Locked by {words.name(data.get('by'))}" + (f", taken over from {words.name(taken)}" if taken else "")


@change.register
def _(event: TicketUnlocked, row: TicketRow, recorded: Recorded) -> None:
    row.locked_by_id = row.locked_by_name = row.locked_since = row.lock_expires_at = None


@summary_of(TicketUnlocked)
def _(data: Data) -> str:
    return f"Lock of {words.name(data.get('was'))} ended ({data.get('because', 'released')})"


@change.register
def _(event: OwnerChanged, row: TicketRow, recorded: Recorded) -> None:
    row.owner_id, row.owner_name = _id_and_name(event.to)
    row.previous_owner_id, row.previous_owner_name = _id_and_name(event.was)


@summary_of(OwnerChanged)
def _(data: Data) -> str:
    was = f", was {words.name(data['was'])}" if data.get("was") else ""
    return f"Owner is now {words.name(data.get('to'))}{was}"


@change.register
def _(event: ResponsibleChanged, row: TicketRow, recorded: Recorded) -> None:
    row.responsible_id, row.responsible_name = _id_and_name(event.to)


@summary_of(ResponsibleChanged)
def _(data: Data) -> str:
    return f"Responsible is now {words.name(data.get('to'))}{words.by(data)}"


@change.register
def _(event: StateChanged, row: TicketRow, recorded: Recorded) -> None:
    set_state(row, event.to)
    row.pending_until = event.pending_until
    row.reminder_due = False
    row.closed_at = recorded.time if event.to.type == "closed" else None


@summary_for_reader(StateChanged)
def _(data: Data, say: Translator) -> str:
    was, to = words.name(data.get("was")), words.name(data.get("to"))
    date = moment(told_at(data.get("pending_until")), say, beside=told_at(data.get("at")))
    until = f" until {date}" if data.get("pending_until") else ""
    why = ", as scheduled" if data.get("fired_at") else words.undoing(data)
    return f"State changed from {was} to {to}{until}{words.by(data)}{why}"


@change.register
def _(event: ReminderReached, row: TicketRow, recorded: Recorded) -> None:
    row.reminder_due = True


@summary_for_reader(ReminderReached)
def _(data: Data, say: Translator) -> str:
    return f"Reminder: due {moment(told_at(data.get('due_at')), say, beside=told_at(data.get('fired_at')))}"


@change.register
def _(event: PriorityChanged, row: TicketRow, recorded: Recorded) -> None:
    row.priority = event.to


@summary_of(PriorityChanged)
def _(data: Data) -> str:
    was, to = words.priority(data.get("was")), words.priority(data.get("to"))
    return f"Priority changed from {was} to {to}{words.by(data)}"
