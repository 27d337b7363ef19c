"""Reports as `docs/metrics.md` defines them, calculated from the events of each ticket one by one.

It is slow on purpose and shares no code with the reports of the product: two ways to one figure.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from statistics import fmean
from typing import Any
from uuid import UUID

from shared.contracts import intake, routing
from shared.contracts.envelope import Recorded
from shared.contracts.parts import CustomerRef

BACKLOG = {"new", "open", "pending_reminder", "pending_auto_close"}
AT_WORK = {"new", "open"}


@dataclass(frozen=True)
class Look:
    """What a ticket looks like at a moment."""

    ticket: UUID
    number: str = ""
    queue: UUID | None = None
    state: str = "new"
    type: str = "new"
    owner: UUID | None = None
    responsible: UUID | None = None
    locked_by: UUID | None = None
    priority: int = 3
    channel: str = ""
    customer: UUID | None = None
    company: str | None = None
    topic: str | None = None
    tags: frozenset[str] = frozenset()
    fields: tuple[tuple[str, Any], ...] = ()
    opened: datetime | None = None


Passes = Callable[[Look], bool]


@dataclass
class Story:
    """A ticket's life: each moment at which it changed, and everything that counts."""

    looks: list[tuple[datetime, Look]] = field(default_factory=list)
    """As if nothing that was undone had happened."""
    counted: list[tuple[str, datetime, Look, dict[str, Any]]] = field(default_factory=list)
    """What, when, the ticket then, and more."""
    undone: list[tuple[datetime, Look]] = field(default_factory=list)


def stories(events: Iterable[Recorded]) -> list[Story]:
    """Tells the events of each ticket, given in the order of the log."""
    tickets: dict[UUID, list[Recorded]] = defaultdict(list)
    for event in events:
        tickets[event.stream].append(event)
    return [_story(each) for each in tickets.values()]


def _undone(events: Sequence[Recorded]) -> set[UUID]:
    out: set[UUID] = set()
    for event in reversed(events):
        undoes = getattr(event.payload, "undoes", None)
        if undoes is not None and event.id not in out:
            out.add(undoes)
    return out


def _customer(look: Look, customer: CustomerRef) -> Look:
    return replace(look, customer=customer.id, company=customer.company)


def _next(look: Look, event: Recorded) -> Look:
    """The ticket after an event, as it was recorded."""
    match event.payload:
        case intake.TicketOpened() as p:
            look = replace(
                look, number=p.number, queue=p.queue.id, priority=p.priority, channel=p.channel, tags=frozenset(p.tags),
                fields=tuple(sorted(p.fields.items())), topic=p.form.topic.slug if p.form else None, opened=event.time,
            )  # fmt: skip
            return _customer(look, p.customer)
        case routing.TicketMoved() as p:
            return replace(look, queue=p.to.id)
        case routing.StateChanged() as p:
            return replace(look, state=p.to.slug, type=p.to.type)
        case routing.TicketMerged():
            return replace(look, state="merged", type="merged")
        case routing.MergeUndone() as p:
            return replace(look, state=p.state.slug, type=p.state.type)
        case routing.TicketRemoved():
            return replace(look, state="removed", type="removed")
        case routing.OwnerChanged() as p:
            return replace(look, owner=p.to.id if p.to else None)
        case routing.ResponsibleChanged() as p:
            return replace(look, responsible=p.to.id if p.to else None)
        case routing.TicketLocked() as p:
            return replace(look, locked_by=p.by.id)
        case routing.TicketUnlocked():
            return replace(look, locked_by=None)
        case routing.PriorityChanged() as p:
            return replace(look, priority=p.to)
        case routing.TagsAdded() as p:
            return replace(look, tags=look.tags | set(p.tags))
        case routing.TagsRemoved() as p:
            return replace(look, tags=look.tags - set(p.tags))
        case routing.FieldsChanged() as p:
            return replace(look, fields=tuple(sorted((dict(look.fields) | p.values).items())))
        case routing.CustomerChanged() as p:
            return _customer(look, p.to)
    return look


def _story(events: Sequence[Recorded]) -> Story:
    out, story = _undone(events), Story()
    look = really = Look(events[0].stream)
    """`look`: as recorded. `really`: state, queue and owner without what was undone."""
    answered = False
    came_into_queue = events[0].time
    for event in events:
        p, at = event.payload, event.time
        before, was = look, really
        look = _next(look, event)
        undoes = getattr(p, "undoes", None) is not None
        if event.id not in out:
            really = replace(look, state=was.state, type=was.type, queue=was.queue, owner=was.owner)
            match p:
                case intake.TicketOpened():
                    really = look
                case routing.TicketMoved():
                    really = replace(really, queue=look.queue)
                case routing.OwnerChanged():
                    really = replace(really, owner=look.owner)
                case routing.StateChanged() | routing.TicketMerged() | routing.MergeUndone() | routing.TicketRemoved():
                    really = replace(really, state=look.state, type=look.type)
        else:
            really = replace(look, state=was.state, type=was.type, queue=was.queue, owner=was.owner)
            kinds = (
                routing.TicketMoved,
                routing.StateChanged,
                routing.TicketMerged,
                routing.OwnerChanged,
                routing.TicketSplit,
            )
            if isinstance(p, kinds):
                story.undone.append((at, before if isinstance(p, routing.TicketMoved) else look))
        story.looks.append((at, really))
        if event.id in out or undoes:
            if was.queue != really.queue:
                came_into_queue = at
            continue
        person = getattr(getattr(p, "by", None), "id", None) if event.actor.kind == "agent" else None

        def count(what: str, seen: Look = look, at: datetime = at, person: UUID | None = person, **more: Any) -> None:
            story.counted.append((what, at, seen, {"person": person} | more))

        match p:
            case intake.TicketOpened():
                count("created")
                count("entered")
                desks = p.writer.kind == "agent" if p.writer else p.channel == "email" and p.opened_by is not None
                if not desks and p.split_from is None:
                    count("message")
            case intake.CustomerMessageReceived():
                count("message")
            case intake.AgentMailReceived():
                count("note")
            case routing.NoteAdded():
                automatic = p.kind == "move" and p.message.text == "This ticket was moved to the new queue."
                if not automatic and p.kind != "split":
                    count("note")
            case routing.CallRecorded():
                count("call")
            case routing.TimeAccounted():
                count("time", units=p.units)
            case routing.AgentReplied():
                count("answered")
                if not answered:
                    count("first_answer", minutes=_minutes(events[0].time, at))
                answered = True
            case routing.TicketMoved() if really.queue != was.queue:
                count("moved", seen=before, minutes=_minutes(came_into_queue, at), to=p.to.id)
                came_into_queue = at
            case routing.OwnerChanged() if really.owner != was.owner:
                if was.owner is not None and really.owner is not None:
                    count("owner", was=was.owner, to=really.owner)
            case routing.StateChanged() | routing.TicketMerged() if really.state != was.state:
                count("entered")
                if really.type == "closed" and was.type != "closed":
                    count("closed", minutes=_minutes(events[0].time, at), handling=_at_work(story.looks))
                if was.type == "closed" and really.type in BACKLOG:
                    count("reopened")
    if look.type == "removed":
        return Story()
    return story


def _at_work(looks: Sequence[tuple[datetime, Look]]) -> float:
    return sum(_minutes(a, b) for (a, look), (b, _) in pairwise(looks) if look.type in AT_WORK)


def _minutes(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() / 60


def quantile(values: Sequence[float], share: float) -> float | None:
    """With linear interpolation between the two nearest values."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _spread(name: str, values: Sequence[float]) -> dict[str, Any]:
    shares = {f"{name}p{n}": quantile(values, n / 100) for n in (50, 90, 95)}
    return {f"{name}count": len(values), f"{name}mean": fmean(values) if values else None} | shares


def groups(look: Look, by: str | None, more: dict[str, Any] | None = None) -> list[Any]:
    """The values of `by` in whose rows a ticket is counted."""
    match by:
        case None | "day":
            return [None]
        case "tag":
            return sorted(look.tags) or [None]
        case "person":
            return [(more or {})["person"]]
        case "ticket":
            return [look.ticket]
        case _ if by.startswith("field."):
            return [dict(look.fields).get(by.removeprefix("field."))]
        case _:
            return [getattr(look, by)]


Rows = dict[tuple[Any, ...], dict[str, Any]]
"""`by` value and the report's keys -> figures that are not zero or empty."""


def report(
    name: str, told: Sequence[Story], start: datetime, end: datetime, by: str | None, passes: Passes, now: datetime
) -> Rows:
    """The rows of a report for one interval."""
    found: Rows = defaultdict(dict)
    happened = [
        (what, look, more)
        for story in told
        for what, at, look, more in story.counted
        if start <= at < end and passes(look)
    ]

    def add(group: tuple[Any, ...], figure: str, value: float = 1) -> None:
        found[group][figure] = found[group].get(figure, 0) + value

    spreads: dict[tuple[Any, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for what, look, more in happened:
        for value in groups(look, by, more):
            match name, what:
                case "volume", "created" | "closed" | "reopened" | "answered":
                    add((value,), what)
                case "volume", "message":
                    add((value,), "messages_in")
                case "times", "first_answer":
                    spreads[value,]["first_answer_"].append(more["minutes"])
                case "times", "closed":
                    spreads[value,]["resolution_"].append(more["minutes"])
                    spreads[value,]["handling_"].append(more["handling"])
                case "states", "entered":
                    add((value, look.state), "entered")
                case "moves", "moved":
                    spreads[value, look.queue, more["to"]][""].append(more["minutes"])
                case "time", "time":
                    add((value,), "time_units", more["units"])
                case "agents", "owner":
                    add((value, more["to"]), "taken_over")
                    add((value, more["was"]), "handed_on")
                case "agents", "first_answer" if more["person"]:
                    spreads[value, more["person"]]["first_answer_"].append(more["minutes"])
                case "agents", "answered" | "closed" | "note" | "call" if more["person"]:
                    add((value, more["person"]), {"note": "notes", "call": "calls"}.get(what, what))
                case "agents", "time" if more["person"]:
                    add((value, more["person"]), "time_units", more["units"])
    for group, measures in spreads.items():
        for prefix, values in measures.items():
            spread = _spread(prefix, values)
            found[group] |= {"first_answer_p50": spread["first_answer_p50"]} if name == "agents" else spread
    for story in told:
        _add_lasting(name, story, start, end, by, passes, now, add)
    if name == "moves":
        for figures in found.values():
            figures.pop("p95", None)
    return found


def _add_lasting(
    name: str, story: Story, start: datetime, end: datetime, by: str | None, passes: Passes, now: datetime,
    add: Callable[..., None],
) -> None:  # fmt: skip
    """What is not counted by events: the backlog, minutes in states, what is open now."""
    if not story.looks:
        return
    if name == "volume":
        look = next((look for at, look in reversed(story.looks) if at < end), None)
        if look is not None and look.type in BACKLOG and passes(look):
            for value in groups(look, by):
                add((value,), "backlog")
    if name == "states":
        ends = [at for at, _ in story.looks[1:]] + [now]
        for (since, look), until in zip(story.looks, ends, strict=True):
            spent = _minutes(max(since, start), min(until, end, now))
            if spent > 0 and passes(look) and look.type != "removed":
                for value in groups(look, by):
                    add((value, look.state), "minutes", spent)
    if name == "agents":
        look = story.looks[-1][1]
        if look.type in BACKLOG and passes(look):
            for value in groups(look, by):
                if look.owner is not None:
                    add((value, look.owner), "open_now")
                if look.locked_by is not None:
                    add((value, look.locked_by), "locked_now")


def undone(told: Sequence[Story], start: datetime, end: datetime, passes: Passes) -> int:
    return sum(start <= at < end and passes(look) for story in told for at, look in story.undone)
