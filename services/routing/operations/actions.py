"""Each command of the desk: its form, and what of the desk's documents goes into the decision (api.md, section 3)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.api import bodies as b
from services.routing.api import forms
from services.routing.operations import states
from services.routing.operations.desk import Asked, Desk, Part, queue_ref
from services.routing.operations.originals import Original, taken_out
from services.routing.ticket import Ticket
from services.routing.ticket import commands as c
from shared import fields
from shared.contracts.event import Event
from shared.contracts.parts import Address, TicketRef
from shared.contracts.routing import (
    NoteAdded,
    StateChanged,
    TicketAbsorbed,
    TicketMerged,
    TicketsLinked,
    TicketSplit,
    TicketsUnlinked,
)
from shared.eventstore import runner
from shared.eventstore.runner import Outcome, Respond
from shared.http import problems
from shared.http.bodies import Body
from shared.http.consistency import Written

MOVED = "This ticket was moved to the new queue."
"""The note of a move whose form has no text (A3.08); an empty text stands for no note."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command, and which streams of which services a read should wait for."""

    outcome: Outcome
    written: list[Written] = field(default_factory=list)


def _told(outcome: Outcome, stream: UUID | None = None) -> Done:
    written = [Written("routing", each, version) for each, version in outcome.written]
    return Done(outcome, written or ([Written("routing", stream, outcome.version)] if stream else []))


def _with(**more: Any) -> Respond:
    return lambda events, version: {"version": version} | more


async def lock(desk: Desk, ref: str, body: b.LockBody, asked: Asked) -> Done:
    make = lambda state: c.Lock(desk.act(asked, state), body.take_over, body.text)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "lock", make)))


async def unlock(desk: Desk, ref: str, body: b.Nothing, asked: Asked) -> Done:
    make = lambda state: c.Unlock(desk.act(asked, state), may_release_others=asked.who.is_admin)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "unlock", make)))


async def reply(desk: Desk, ref: str, body: b.ReplyBody, asked: Asked) -> Done:
    wanted = states.asked(body, desk.directory.configuration.states)
    owner = await desk.person(body.owner) if body.owner is not None else None
    draft = await forms.draft(desk, asked, body)
    _, before = await desk.look_at(ref)
    today = await desk.directory.today(before.customer) if before.customer is not None else None

    def make(state: Ticket) -> c.Command:
        queue = desk.queue_of(state)
        if today is not None and state.customer == before.customer:
            state = replace(state, customer=today)
        return c.Reply(
            desk.act(asked, state),
            forms.answer(desk, asked, body, state, draft),
            wanted or states.after_reply(queue, desk.directory.configuration.states),
            owner,
            body.time_units,
            desk.required(state),
            state.customer,
        )

    return _told(await desk.handle(asked, Part(ref, "reply", make), respond=_with(article_id=str(draft.id))))


async def note(desk: Desk, ref: str, body: b.NoteBody, asked: Asked) -> Done:
    wanted = states.asked(body, desk.directory.configuration.states)
    message = await forms.article(desk, asked, body, "note")

    def make(state: Ticket) -> c.Command:
        required = desk.required(state)
        act = desk.act(asked, state)
        return c.AddNote(act, message, body.internal, body.kind, wanted, body.time_units, required)

    return _told(await desk.handle(asked, Part(ref, "note", make), respond=_with(article_id=str(message.id))))


async def call(desk: Desk, ref: str, body: b.CallBody, asked: Asked) -> Done:
    wanted = states.asked(body, desk.directory.configuration.states)
    message = await forms.article(desk, asked, body, "phone")

    def make(state: Ticket) -> c.Command:
        required = desk.required(state)
        return c.RecordCall(desk.act(asked, state), message, body.direction, wanted, body.time_units, required)

    return _told(await desk.handle(asked, Part(ref, "call", make), respond=_with(article_id=str(message.id))))


async def forward(desk: Desk, ref: str, body: b.ForwardBody, asked: Asked, original: Original) -> Done:
    message = await forms.article(desk, asked, body, "email")

    def make(state: Ticket) -> c.Command:
        addressed = forms.addressed(desk, message, state, body.to, body.cc)
        return c.Forward(desk.act(asked, state), addressed, original.message, original.never_leaves)

    return _told(await desk.handle(asked, Part(ref, "forward", make), respond=_with(article_id=str(message.id))))


async def bounce(desk: Desk, ref: str, body: b.BounceBody, asked: Asked, original: Original) -> Done:
    bounced, to = uuid7(), tuple(Address(email=each) for each in body.to)

    def make(state: Ticket) -> c.Command:
        return c.Bounce(desk.act(asked, state), bounced, to, original.message, original.never_leaves)

    return _told(await desk.handle(asked, Part(ref, "bounce", make), respond=_with(article_id=str(bounced))))


async def split(desk: Desk, ref: str, body: b.SplitBody, asked: Asked, originals: Sequence[Original]) -> Done:
    stream, state = await desk.look_at(ref)
    desk.authorize(asked.who, "split", state)
    target = desk.enterable(body.queue, asked.who, "create") if body.queue is not None else None
    into = uuid7()
    taken = await taken_out(desk.uploads.store, originals)
    make = lambda state: c.Split(  # noqa: E731
        desk.act(asked, state),
        body.articles,
        into,
        stream,
        taken.message,
        queue_ref(target) if target is not None else None,
        body.subject or "",
        taken.writer,
        taken.internal,
        taken.note,
    )
    outcome = await desk.handle(asked, Part(ref, "split", make), respond=_with(ticket={"id": str(into)}))
    done = _told(outcome, stream)
    # A read that waits for the split sees the new ticket too, once intake has opened it.
    return Done(outcome, [*done.written, Written("intake", UUID(outcome.response["ticket"]["id"]), 1)])


async def assign(desk: Desk, ref: str, body: b.AssignBody, asked: Asked) -> Done:
    owner = None if body.owner == "previous" else await desk.person(body.owner)
    message = await forms.remark(desk, asked, b.Words(text=body.text))
    make = lambda state: c.Assign(desk.act(asked, state), owner, message)  # noqa: E731
    more = {"article_id": str(message.id)} if message is not None else {}
    return _told(await desk.handle(asked, Part(ref, "assign", make), respond=_with(**more)))


async def set_responsible(desk: Desk, ref: str, body: b.ResponsibleBody, asked: Asked) -> Done:
    person = await desk.person(body.responsible, "/responsible") if body.responsible is not None else None
    make = lambda state: c.SetResponsible(desk.act(asked, state), person)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "set-responsible", make)))


async def move(desk: Desk, ref: str, body: b.MoveBody, asked: Asked) -> Done:
    _, before = await desk.look_at(ref)
    desk.authorize(asked.who, "move", before)
    target = desk.enterable(body.queue, asked.who, "move_into")
    wanted = states.asked(body, desk.directory.configuration.states)
    owner = await desk.person(body.owner) if body.owner is not None else None
    unwritten = body.text is None and body.html is None
    message = await forms.remark(desk, asked, body.model_copy(update={"text": MOVED}) if unwritten else body)

    def make(state: Ticket) -> c.Command:
        required = desk.required(state, target)
        act = desk.act(asked, state, target)
        stays = state.queue is not None and state.queue.id == target.id
        note = None if stays and unwritten and not body.attachments else message
        return c.Move(act, queue_ref(target), owner, note, wanted, body.time_units, required)

    def told(events: Sequence[Event], version: int) -> dict[str, Any]:
        notes = [str(event.message.id) for event in events if isinstance(event, NoteAdded)]
        return {"version": version} | ({"article_id": notes[0]} if notes else {})

    return _told(await desk.handle(asked, Part(ref, "move", make), respond=told))


async def set_priority(desk: Desk, ref: str, body: b.PriorityBody, asked: Asked) -> Done:
    make = lambda state: c.SetPriority(desk.act(asked, state), body.priority)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "set-priority", make)))


async def set_state(desk: Desk, ref: str, body: b.StateBody, asked: Asked) -> Done:
    wanted = states.asked(body, desk.directory.configuration.states)
    assert wanted is not None

    def make(state: Ticket) -> c.Command:
        return c.SetState(desk.act(asked, state), wanted, desk.required(state))

    return _told(await desk.handle(asked, Part(ref, "set-state", make)))


async def rename(desk: Desk, ref: str, body: b.RenameBody, asked: Asked) -> Done:
    make = lambda state: c.Rename(desk.act(asked, state), body.title)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "rename", make)))


async def close(desk: Desk, ref: str, body: b.CloseBody, asked: Asked) -> Done:
    closed = states.named(body.state, desk.directory.configuration.states)
    if closed.type != "closed":
        raise problems.invalid("/state", "must be a closed one")
    message = await forms.remark(desk, asked, body)

    def make(state: Ticket) -> c.Command:
        required = desk.required(state)
        return c.Close(desk.act(asked, state), closed, message, body.time_units, required)

    more = {"article_id": str(message.id)} if message is not None else {}
    return _told(await desk.handle(asked, Part(ref, "close", make), respond=_with(**more)))


async def reopen(desk: Desk, ref: str, body: b.ReopenBody, asked: Asked) -> Done:
    opened = states.named(body.state, desk.directory.configuration.states)
    if opened.type != "open":
        raise problems.invalid("/state", "must be an open one")
    message = await forms.remark(desk, asked, body)
    make = lambda state: c.Reopen(desk.act(asked, state), message, body.time_units, opened)  # noqa: E731
    more = {"article_id": str(message.id)} if message is not None else {}
    return _told(await desk.handle(asked, Part(ref, "reopen", make), respond=_with(**more)))


async def set_fields(desk: Desk, ref: str, body: b.FieldsBody, asked: Asked) -> Done:
    values = fields.checked(body.fields, desk.directory.configuration.fields)
    make = lambda state: c.SetFields(desk.act(asked, state), values)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "set-fields", make)))


async def set_customer(desk: Desk, ref: str, body: b.CustomerBody, asked: Asked) -> Done:
    await desk.look_at(ref)  # who asked a moment before this ticket was opened is known here once the ticket is
    customer = await desk.customer(body.customer)
    make = lambda state: c.SetCustomer(desk.act(asked, state), customer)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "set-customer", make)))


async def tag(desk: Desk, ref: str, body: b.TagsBody, asked: Asked) -> Done:
    make = lambda state: c.Tag(desk.act(asked, state), body.tags)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "tag", make)))


async def untag(desk: Desk, ref: str, body: b.TagsBody, asked: Asked) -> Done:
    make = lambda state: c.Untag(desk.act(asked, state), body.tags)  # noqa: E731
    return _told(await desk.handle(asked, Part(ref, "untag", make)))


async def link(desk: Desk, ref: str, body: b.LinkBody, asked: Asked) -> Done:
    return await _relate(desk, ref, body, asked, c.Link, "link")


async def unlink(desk: Desk, ref: str, body: b.LinkBody, asked: Asked) -> Done:
    return await _relate(desk, ref, body, asked, c.Unlink, "unlink")


async def _relate(
    desk: Desk, ref: str, body: b.LinkBody, asked: Asked, command: type[c.Link] | type[c.Unlink], action: str
) -> Done:
    """Both tickets know the link; to the other one it points back, unless it has no direction."""
    here, there = await _both(desk, ref, body.to, "/to")
    back = body.kind == "related"
    one = Part(ref, action, lambda state: command(desk.act(asked, state), there, body.kind))
    other = Part(body.to, "read", lambda state: command(desk.act(asked, state), here, body.kind, back), "/to")
    return _told(await desk.handle(asked, one, other))


async def _both(desk: Desk, ref: str, other: str, pointer: str) -> tuple[TicketRef, TicketRef]:
    here, mine = await desk.look_at(ref)
    there, theirs = await desk.look_at(other, pointer)
    return (
        TicketRef(id=here, number=mine.number, title=mine.title),
        TicketRef(id=there, number=theirs.number, title=theirs.title),
    )


async def merge(desk: Desk, ref: str, body: b.MergeBody, asked: Asked) -> Done:
    """Into the living ticket that the one named has become, if that was merged itself."""
    here, mine = await desk.look_at(ref)
    desk.authorize(asked.who, "merge", mine)
    into = body.into
    for _ in range(100):
        stream, state = await desk.look_at(into, "/into")
        desk.authorize(asked.who, "read", state, "/into")
        if state.merged_into is None or stream == here:
            break
        into = str(state.merged_into)
    one, other = await _both(desk, ref, into, "/into")
    parts = (
        Part(ref, "merge", lambda state: c.MergeInto(desk.act(asked, state), other)),
        Part(into, "merge", lambda state: c.Absorb(desk.act(asked, state), one), "/into"),
    )
    return _told(await desk.handle(asked, *parts))


async def undo(desk: Desk, ref: str, body: b.UndoBody, asked: Asked) -> Done:
    stream, state = await desk.look_at(ref)
    desk.authorize(asked.who, "undo", state)
    found = next((event for event in await desk.runner.store.load(stream) if event.id == body.event), None)
    if found is None:
        raise problems.invalid("/event", "is no decision of the desk on this ticket")
    here = TicketRef(id=stream, number=state.number, title=state.title)
    event = found.id
    act = desk.act
    match found.payload:
        case TicketMerged(into=into):
            parts = (
                Part(ref, "undo", lambda s: c.Unmerge(act(asked, s), into, event)),
                Part(str(into.id), "undo", lambda s: c.Release(act(asked, s), here), "/event"),
            )
        case TicketAbsorbed(other=other):
            parts = (
                Part(ref, "undo", lambda s: c.Release(act(asked, s), other)),
                Part(str(other.id), "undo", lambda s: c.Unmerge(act(asked, s), here, event), "/event"),
            )
        case TicketSplit(into=made):
            parts = (
                Part(ref, "undo", lambda s: c.UndoSplit(act(asked, s), made, event)),
                Part(str(made), "undo", lambda s: c.Remove(act(asked, s), "split undone"), "/event"),
            )
        case TicketsLinked(kind=kind, other=other, outgoing=outgoing):
            back = kind == "related" or not outgoing
            parts = (
                Part(ref, "undo", lambda s: c.Unlink(act(asked, s), other, kind, outgoing)),
                Part(str(other.id), "read", lambda s: c.Unlink(act(asked, s), here, kind, back), "/event"),
            )
        case TicketsUnlinked(kind=kind, other=other, outgoing=outgoing):
            back = kind == "related" or not outgoing
            parts = (
                Part(ref, "undo", lambda s: c.Link(act(asked, s), other, kind, outgoing)),
                Part(str(other.id), "read", lambda s: c.Link(act(asked, s), here, kind, back), "/event"),
            )
        case decided:
            if isinstance(decided, StateChanged) and decided.was.type in ("open", "closed"):
                states.named(decided.was.slug, desk.directory.configuration.states, "/event")
            make = lambda s: c.Undo(act(asked, s), event, decided, desk.required(s))  # noqa: E731
            return _told(await desk.handle(asked, Part(ref, "undo", make, leads="/event")))
    return _told(await desk.handle(asked, *parts))


async def once(desk: Desk, ref: str, asked: Asked, doing: Callable[[], Awaitable[Done]]) -> Done:
    """A command on the ticket that is named; one that was carried out before gets its first answer, even if the ticket is out of its sender's
    sight by now. A read can wait for that, too: whoever repeats a command has not seen the token of its first answer."""
    done = await runner.once(desk.runner.store, asked.key, doing, lambda told: Done(runner.replayed(told)))
    if not done.outcome.replayed or done.written:
        return done
    return _told(done.outcome, await desk.find(ref))


Run = Callable[[Desk, str, Any, Asked], Awaitable[Done]]


@dataclass(frozen=True, slots=True)
class Action:
    """A command that is given to one ticket, or to many at once."""

    run: Run
    body: type[Body]
    operation: str
    summary: str
    bare: bool = False
    """Whether the body may be left out."""
    shares: bool = False
    """Whether it writes to a second ticket, the same one for all of a bulk command: then they take turns."""


ACTIONS: dict[str, Action] = {
    "lock": Action(lock, b.LockBody, "lockTicket", "Lock a ticket to yourself", bare=True),
    "unlock": Action(unlock, b.Nothing, "unlockTicket", "Give a lock back", bare=True),
    "reply": Action(reply, b.ReplyBody, "replyToTicket", "Answer the customer"),
    "note": Action(note, b.NoteBody, "addNote", "Write a note, internal unless told otherwise"),
    "call": Action(call, b.CallBody, "recordCall", "Record a telephone call"),
    "assign": Action(assign, b.AssignBody, "assignTicket", "Hand a ticket to another owner, or back"),
    "set-responsible": Action(
        set_responsible, b.ResponsibleBody, "setResponsible", "Name who sees to it that the ticket is carried out"
    ),
    "move": Action(move, b.MoveBody, "moveTicket", "Move a ticket to another queue"),
    "set-priority": Action(set_priority, b.PriorityBody, "setPriority", "Change the priority"),
    "set-state": Action(set_state, b.StateBody, "setState", "Change the state"),
    "rename": Action(rename, b.RenameBody, "renameTicket", "Change the title"),
    "close": Action(close, b.CloseBody, "closeTicket", "Close a ticket", bare=True),
    "reopen": Action(reopen, b.ReopenBody, "reopenTicket", "Open a closed ticket again", bare=True),
    "set-fields": Action(set_fields, b.FieldsBody, "setFields", "Set the values of fields"),
    "set-customer": Action(set_customer, b.CustomerBody, "setCustomer", "Change whose ticket it is"),
    "tag": Action(tag, b.TagsBody, "tagTicket", "Add tags"),
    "untag": Action(untag, b.TagsBody, "untagTicket", "Remove tags"),
    "link": Action(link, b.LinkBody, "linkTickets", "Link two tickets", shares=True),
    "unlink": Action(unlink, b.LinkBody, "unlinkTickets", "End a link", shares=True),
    "merge": Action(merge, b.MergeBody, "mergeTicket", "Merge a ticket into another", shares=True),
    "undo": Action(undo, b.UndoBody, "undoDecision", "Take back an earlier decision"),
}
"""By the name that the API gives them."""
