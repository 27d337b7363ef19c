"""Made-up histories of tickets with the shape of a real desk: everything that agents and customers do over a year.

The desk's own rules decide (`services.routing.ticket`), so that no history holds what the product would not record.
The same seed makes the same history.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from services.routing.ticket import queueing
from services.routing.ticket.articles import AddNote, RecordCall, Reply
from services.routing.ticket.context import Actor as Giver
from services.routing.ticket.context import CommandContext, ConfiguredState, QueueSettings
from services.routing.ticket.customer_messages import TakeCustomerMessage
from services.routing.ticket.decide import Command, decide
from services.routing.ticket.lifecycle import Close, NextState, PendingIsOver, Reopen, SetState
from services.routing.ticket.ownership import Assign, Lock, SetResponsible, Unlock
from services.routing.ticket.properties import Rename, SetCustomer, SetFields, SetPriority, Tag, Untag
from services.routing.ticket.relations import Absorb, MergeInto, Release, Remove, Split, UndoSplit, Unmerge
from services.routing.ticket.state import Ticket, evolve, initial
from services.routing.ticket.undo import Undo
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived, FilledForm, TicketOpened
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef, TicketRef
from shared.contracts.routing import (
    CustomerChanged,
    Direction,
    FieldsChanged,
    OwnerChanged,
    PriorityChanged,
    StateChanged,
    TagsAdded,
    TicketMoved,
)
from shared.rules.rejected import Rejected
from shared.rules.states import CLOSED_SUCCESSFUL, CLOSED_UNSUCCESSFUL, OPEN, PENDING_AUTO_CLOSE, PENDING_REMINDER
from tests.histories import shape
from tests.histories.desk import Desk

START = datetime(2025, 11, 3, tzinfo=UTC)
YEAR = timedelta(days=365)
SYSTEM = Actor("system")
TIMER = Giver("system", UUID(int=0), "")
UNDOABLE = (StateChanged, TicketMoved, OwnerChanged, PriorityChanged, FieldsChanged, CustomerChanged, TagsAdded)
SETTINGS = QueueSettings(after_reply=ConfiguredState(OPEN))


@dataclass(slots=True)
class Thread:
    """One ticket of a case, as its events so far left it."""

    id: UUID
    number: str
    ticket: Ticket = field(default_factory=initial)
    versions: dict[str, int] = field(default_factory=dict)
    undoable: list[Recorded] = field(default_factory=list)
    articles: list[UUID] = field(default_factory=list)

    @property
    def reference(self) -> TicketRef:
        return TicketRef(id=self.id, number=self.number, title=self.ticket.title)


class Case:
    """A ticket, and the tickets that are merged with it or split off it. `events`: in the order of the log."""

    def __init__(self, desk: Desk, chance: Random, number: int, at: datetime, end: datetime) -> None:
        self.desk, self.chance, self.at, self.end = desk, chance, at, end
        self.first, self.made = number, 0
        self.events: list[Recorded] = []

    def uuid(self) -> UUID:
        """A UUIDv7 of the present moment."""
        milliseconds = int(self.at.timestamp() * 1000)
        return UUID(
            int=milliseconds << 80 | 7 << 76 | self.chance.getrandbits(12) << 64 | 2 << 62 | self.chance.getrandbits(62)
        )

    def later(self, hours: float) -> None:
        # Milliseconds apart at least: no two acts at one moment.
        self.at += timedelta(hours=hours, milliseconds=self.chance.randint(1, 999))

    def record(self, thread: Thread, payload: Event, actor: Actor, cause: UUID | None = None) -> Recorded:
        version = thread.versions[payload.OWNER] = thread.versions.get(payload.OWNER, 0) + 1
        source = f"/services/{payload.OWNER}"
        made = Recorded(
            self.uuid(),
            payload.TYPE,
            source,
            thread.id,
            version,
            self.at,
            self.at,
            self.uuid(),
            cause,
            actor,
            None,
            payload,
        )
        self.events.append(made)
        return made

    def give(self, thread: Thread, command: Command, cause: UUID | None = None) -> list[Recorded]:
        """Records what the desk decides on a command; nothing if its rules refuse."""
        try:
            decided = decide(command, thread.ticket)
        except Rejected:
            return []
        context = getattr(command, "context", None)
        actor = Actor("agent", str(context.actor.id)) if context and context.actor.kind == "agent" else SYSTEM
        recorded = [self.record(thread, event, actor, cause) for event in decided]
        for each in recorded:
            thread.ticket = evolve(thread.ticket, each.payload)
            if isinstance(each.payload, UNDOABLE):
                thread.undoable.append(each)
        return recorded

    def message(self, channel: str, sender: CustomerRef | None = None) -> Message:
        from_ = Address(email=sender.email, name=sender.name) if sender else None
        return Message(id=self.uuid(), channel=channel, sender=from_, text=self.desk.text(self.chance))

    def by(self, agent: PersonRef) -> CommandContext:
        return CommandContext(Giver("agent", agent.id, agent.name), self.at, SETTINGS)

    def somebody(self) -> PersonRef:
        """An agent; a few of them do most of the work."""
        return self.desk.agents[min(int(self.chance.expovariate(6 / len(self.desk.agents))), len(self.desk.agents) - 1)]

    def worker(self, thread: Thread) -> PersonRef:
        """Who works on the ticket now: its holder, most often its owner, or somebody new."""
        if thread.ticket.locked_by is not None:
            return thread.ticket.locked_by
        owner = thread.ticket.owner
        return owner if owner is not None and self.chance.random() < 0.85 else self.somebody()

    def open(self) -> Thread:
        chance, desk = self.chance, self.desk
        number = f"{self.at:%Y%m%d}10{self.first * 4 + self.made:08d}"
        self.made += 1
        thread, customer = Thread(self.uuid(), number), chance.choice(desk.customers)
        queue = desk.queues[shape.chosen(chance, tuple(1 / (n + 1) for n in range(len(desk.queues))))]
        channel = chance.choices(("email", "phone", "web"), (60, 25, 15))[0]
        topic = chance.choice(desk.topics) if channel == "web" and chance.random() < 0.7 and desk.topics else None
        opener = self.somebody() if channel == "phone" or chance.random() < 0.02 else None
        fields = {"room": chance.choice(desk.rooms)} if topic or chance.random() < 0.1 else {}
        opened = TicketOpened(
            number=number,
            title=desk.title(chance),
            queue=queue,
            customer=customer,
            channel=channel,
            priority=chance.choices((1, 2, 3, 4, 5), (2, 10, 70, 14, 4))[0],
            message=self.message(channel, None if opener and channel == "email" else customer),
            opened_by=opener,
            fields=fields,
            tags=tuple(chance.sample(desk.tags, 1)) if desk.tags and chance.random() < 0.15 else (),
            form=FilledForm(topic=topic) if topic else None,
        )
        self._queue(thread, opened, opener)
        return thread

    def _queue(self, thread: Thread, opened: TicketOpened, opener: PersonRef | None) -> None:
        actor = Actor("agent", str(opener.id)) if opener else Actor("customer", str(opened.customer.id))
        cause = self.record(thread, opened, actor)
        thread.articles.append(opened.message.id)
        self.later(0)
        queued = queueing.QueueTicket(
            opened.number, opened.title, opened.queue, opened.customer, opened.priority, opened.channel, None,
            opened.tags, opened.fields, opened.split_from, at=self.at, topic=opened.form.topic if opened.form else None,
        )  # fmt: skip
        self.give(thread, queued, cause.id)

    # What the steps of the shape do.

    def step(self, thread: Thread, step: str) -> None:
        {"assigned": self.assign, "taken": self.take, "waiting": self.wait, "closed": self.close}[step](thread)

    def assign(self, thread: Thread) -> None:
        """The ticket goes to another queue or another agent, before anybody has answered."""
        if self.chance.random() < 0.6:
            self.move(thread)
        else:
            self.give(thread, Assign(self.by(self.worker(thread)), self.somebody(), self.message("note")))

    def move(self, thread: Thread) -> None:
        owner = self.somebody() if self.chance.random() < 0.2 else None
        to = self.chance.choice(self.desk.queues)
        self.give(thread, queueing.Move(self.by(self.worker(thread)), to, owner, time_units=self.units(0.2)))

    def take(self, thread: Thread) -> None:
        chance, agent = self.chance, self.worker(thread)
        if thread.ticket.state.type == "closed":
            self.reopen(thread)
            return
        if chance.random() < 0.3:
            self.give(thread, Lock(self.by(agent)))
            self.later(chance.expovariate(4))
        if chance.random() < 0.7:
            self.give(thread, Reply(self.by(agent), self.message("email"), NextState(OPEN), time_units=self.units(0.3)))
        elif chance.random() < 0.5:
            direction: Direction = "out" if chance.random() < 0.6 else "in"
            self.give(thread, RecordCall(self.by(agent), self.message("phone"), direction, time_units=self.units(0.5)))
        else:
            self.give(thread, SetState(self.by(agent), NextState(OPEN)))

    def reopen(self, thread: Thread) -> None:
        if self.chance.random() < 0.7:
            self.customer_writes(thread)
        else:
            self.give(thread, Reopen(self.by(self.worker(thread)), self.message("note")))

    def wait(self, thread: Thread) -> None:
        pending = self.chance.choice((PENDING_REMINDER, PENDING_REMINDER, PENDING_AUTO_CLOSE, *self.desk.states))
        until = self.at + timedelta(hours=self.chance.uniform(1, 400))
        agent = self.by(self.worker(thread))
        if self.chance.random() < 0.6:
            self.give(thread, Reply(agent, self.message("email"), NextState(pending, until)))
        else:
            self.give(thread, SetState(agent, NextState(pending, until)))

    def close(self, thread: Thread) -> None:
        chance, agent = self.chance, self.by(self.worker(thread))
        state = CLOSED_SUCCESSFUL if chance.random() < 0.88 else CLOSED_UNSUCCESSFUL
        due = thread.ticket.pending_until
        if thread.ticket.state.type == "pending_auto_close" and due is not None and due <= self.at:
            self.give(thread, PendingIsOver(due, self.at))
        elif chance.random() < 0.45:
            self.give(thread, Reply(agent, self.message("email"), NextState(state), time_units=self.units(0.5)))
        else:
            note = self.message("note") if chance.random() < 0.5 else None
            self.give(thread, Close(agent, state, note, self.units(0.5)))
        if chance.random() < 0.02:
            self.later(chance.expovariate(2))
            self.undo(thread)

    # What happens beside the steps.

    def units(self, share: float) -> float | None:
        return self.chance.choice((1, 2, 2.5, 5, 10, 15, 30)) if self.chance.random() < share else None

    def customer_writes(self, thread: Thread) -> None:
        customer = thread.ticket.customer
        if customer is None:
            return
        message = self.message("email", customer)
        closes = self.chance.random() < 0.05
        came = self.record(
            thread,
            CustomerMessageReceived(number=thread.number, customer=customer, message=message, closes=closes),
            Actor("customer", str(customer.id)),
        )
        thread.articles.append(message.id)
        self.later(0)
        self.give(thread, TakeCustomerMessage(message, self.at, thread.id, self.uuid(), closes), came.id)

    def something_else(self, thread: Thread) -> None:
        """One of the many small acts around a ticket."""
        agent = self.by(self.worker(thread))
        chance = self.chance
        acts: list[tuple[float, Callable[[], object]]] = [
            (20, lambda: self.customer_writes(thread)),
            (12, lambda: self.give(thread, AddNote(agent, self.message("note"), time_units=self.units(0.4)))),
            (6, lambda: self.give(thread, SetPriority(agent, chance.randint(1, 5)))),
            (5, lambda: self.give(thread, Tag(agent, tuple(chance.sample(self.desk.tags, 2))))),
            (2, lambda: self.give(thread, Untag(agent, tuple(self.desk.tags)))),
            (5, lambda: self.give(thread, SetFields(agent, {"room": chance.choice((*self.desk.rooms, None))}))),
            (3, lambda: self.move(thread)),
            (4, lambda: self.give(thread, Assign(agent, self.somebody()))),
            (2, lambda: self.give(thread, Unlock(agent))),
            (2, lambda: self.give(thread, SetCustomer(agent, chance.choice(self.desk.customers)))),
            (1, lambda: self.give(thread, SetResponsible(agent, self.somebody()))),
            (1, lambda: self.give(thread, Rename(agent, self.desk.title(chance)))),
            (4, lambda: self.undo(thread)),
        ]
        chance.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()

    def undo(self, thread: Thread) -> None:
        if thread.undoable:
            taken_back = self.chance.choice(thread.undoable[-3:])
            self.give(thread, Undo(self.by(self.worker(thread)), taken_back.id, taken_back.payload))

    # Cases of two tickets.

    def merge(self, thread: Thread) -> Thread | None:
        """Another ticket of the same matter is merged into this one, or this one into the other. Some merges are undone."""
        other = self.open()
        self.later(self.chance.expovariate(1))
        gone, kept = (other, thread) if self.chance.random() < 0.7 else (thread, other)
        agent = self.by(self.worker(gone))
        if gone.ticket.merged_into or kept.ticket.merged_into or not self._both(agent, gone, kept):
            return None
        merged = self.give(gone, MergeInto(agent, kept.reference))
        self.give(kept, Absorb(agent, gone.reference))
        if self.chance.random() < 0.25:
            self.later(self.chance.expovariate(0.1))
            agent = self.by(self.somebody())
            self.give(gone, Unmerge(agent, kept.reference, merged[-1].id))
            self.give(kept, Release(agent, gone.reference))
            return gone
        return kept

    def _both(self, agent: CommandContext, gone: Thread, kept: Thread) -> bool:
        try:
            decide(MergeInto(agent, kept.reference), gone.ticket)
            decide(Absorb(agent, gone.reference), kept.ticket)
        except Rejected:
            return False
        return True

    def split(self, thread: Thread) -> Thread | None:
        """An article becomes a ticket of its own. Some splits are undone, which removes the new ticket."""
        agent, made = (
            self.by(self.worker(thread)),
            Thread(self.uuid(), f"{self.at:%Y%m%d}10{self.first * 4 + self.made:08d}"),
        )
        customer = thread.ticket.customer
        message = self.message("email", customer)
        decided = self.give(thread, Split(agent, (thread.articles[-1],), made.id, thread.id, message))
        queue = thread.ticket.queue
        if not decided or customer is None or queue is None:
            return None
        self.made += 1
        self.later(0)
        opened = TicketOpened(
            number=made.number, title=thread.ticket.title, queue=queue, customer=customer, channel="email", message=message,
            priority=thread.ticket.priority, split_from=thread.reference, receipt=False,
        )  # fmt: skip
        self._queue(made, opened, None)
        if self.chance.random() < 0.25:
            self.later(self.chance.expovariate(1))
            agent = self.by(self.somebody())
            if self._may_undo_split(agent, thread, made, decided[0].id):
                self.give(thread, UndoSplit(agent, made.id, decided[0].id))
                self.give(made, Remove(agent))
                return None
        return made

    def _may_undo_split(self, agent: CommandContext, thread: Thread, made: Thread, split: UUID) -> bool:
        try:
            decide(UndoSplit(agent, made.id, split), thread.ticket)
            decide(Remove(agent), made.ticket)
        except Rejected:
            return False
        return True

    def live(self, thread: Thread, *, beside: float, pairs: bool) -> None:
        """The ticket's whole life: the steps of the shape, and what happens beside them."""
        step, chance = "assigned", self.chance
        for _ in range(60):
            following = shape.next_step(chance, step)
            if following == "end":
                return
            hours = shape.hours_until(chance, step, following)
            while chance.random() < beside:
                self.later(hours * 0.2)
                hours *= 0.8
                if self.at >= self.end:
                    return
                self.something_else(thread)
            self.later(hours)
            if self.at >= self.end:
                return
            self.step(thread, following)
            step = following
            if pairs and chance.random() < 0.015:
                other = self.merge(thread) if chance.random() < 0.6 else self.split(thread)
                if other is not None and other is not thread:
                    now = self.at
                    self.live(other, beside=beside, pairs=False)
                    self.at = now
                if thread.ticket.merged_into is not None:
                    return


def cases(
    seed: int, count: int, desk: Desk | None = None, *, since: datetime = START, length: timedelta = YEAR,
    beside: float = 0.25,
) -> Iterator[list[Recorded]]:  # fmt: skip
    """`count` cases, each as its events in the order of the log, until `since + length`.

    A case is a ticket, in some of 100 cases with another one that was merged or split. `beside`: how often something
    else happens between two steps; more makes longer tickets.
    """
    desk = desk or Desk()
    days = max(1, length.days)
    weights = tuple(shape.WEEKDAYS[(since + timedelta(days=n)).weekday()] for n in range(days))
    chance = Random(seed)
    for number in range(count):
        own = Random(chance.getrandbits(64))
        day, hour = shape.chosen(own, weights), shape.chosen(own, shape.HOURS)
        at = since + timedelta(days=day, hours=hour, seconds=own.random() * 3600)
        case = Case(desk, own, number, at, since + length)
        case.live(case.open(), beside=beside, pairs=True)
        # Two tickets of a case live at the same time, but are made one after the other.
        yield sorted(case.events, key=lambda event: event.time)


def in_order(made: Sequence[Sequence[Recorded]]) -> list[Recorded]:
    """The events of all cases in the order in which they happened."""
    return sorted((event for case in made for event in case), key=lambda event: event.time)
