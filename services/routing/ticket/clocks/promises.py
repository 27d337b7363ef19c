"""Which SLA holds for a ticket, and what it promises (requirement A21.14)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from shared.clocks.working_time import WorkingTime, working_time
from shared.contracts.directory import Calendar, Sla
from shared.contracts.event import Event
from shared.contracts.parts import CalendarRef, SlaRef
from shared.contracts.routing import AnyClock, CustomerChanged, PriorityChanged, TicketMoved, TicketQueued

MOST_CHOICES = 4_096


@dataclass(frozen=True, slots=True)
class Limit:
    """The time of one clock. `warns`: the part of it after which the clock warns."""

    minutes: float
    promised: timedelta
    warns: timedelta


@dataclass(frozen=True, slots=True)
class Promise:
    """An SLA as clocks use it. `pauses_in`: the slugs of states."""

    sla: SlaRef
    calendar: CalendarRef | None
    working_time: WorkingTime
    limits: Mapping[AnyClock, Limit]
    pauses_in: frozenset[str]


class TicketKind(NamedTuple):
    """What an SLA looks at. Slugs; `topic` is empty without one."""

    queue: str
    priority: int
    company: str | None
    topic: str


def kind_after(kind: TicketKind | None, event: Event) -> TicketKind | None:
    """The kind of a ticket after an event. Most events change nothing."""
    match event:
        case TicketQueued():
            topic = event.topic.slug if event.topic else ""
            return TicketKind(event.queue.slug, event.priority, event.customer.company, topic)
        case PriorityChanged() if kind is not None:
            return kind._replace(priority=event.to)
        case TicketMoved() if kind is not None:
            return kind._replace(queue=event.to.slug)
        case CustomerChanged() if kind is not None:
            return kind._replace(company=event.to.company)
        case _:
            return kind


class Slas:
    """The SLAs of a snapshot of the configuration, in their order. A choice is made once for each kind of ticket."""

    def __init__(
        self,
        slas: Iterable[Sla] = (),
        calendars: Mapping[str, Calendar] | None = None,
        versions: Mapping[UUID, int] | None = None,
    ) -> None:
        self._ordered = [
            (_Fit(sla), _promise(sla, calendars or {}, versions or {}))
            for sla in sorted(slas, key=lambda each: (each.order, each.slug))
        ]
        self._choices: dict[TicketKind, Promise | None] = {}

    def __bool__(self) -> bool:
        """Whether there is any SLA."""
        return bool(self._ordered)

    def choose(self, kind: TicketKind) -> Promise | None:
        """The first SLA by order, then by slug, that fits; None if none does."""
        if kind not in self._choices:
            if len(self._choices) >= MOST_CHOICES:
                self._choices.clear()
            self._choices[kind] = next((promise for fit, promise in self._ordered if fit(kind)), None)
        return self._choices[kind]


class _Fit:
    def __init__(self, sla: Sla) -> None:
        self.queues, self.priorities = frozenset(sla.queues), frozenset(sla.priorities)
        self.companies, self.topics = frozenset(sla.companies), frozenset(sla.topics)

    def __call__(self, kind: TicketKind) -> bool:
        return (
            (not self.queues or kind.queue in self.queues)
            and (not self.priorities or kind.priority in self.priorities)
            and (not self.companies or kind.company in self.companies)
            and (not self.topics or kind.topic in self.topics)
        )


def _promise(sla: Sla, calendars: Mapping[str, Calendar], versions: Mapping[UUID, int]) -> Promise:
    calendar = calendars.get(sla.calendar) if sla.calendar is not None else None
    reference = None
    if calendar is not None:
        reference = CalendarRef(id=calendar.id, slug=calendar.slug, version=versions.get(calendar.id, 1))
    given: dict[AnyClock, float | None] = {
        "first_answer": sla.first_answer_minutes,
        "update": sla.update_minutes,
        "solution": sla.solution_minutes,
    }
    limits = {clock: _limit(minutes, sla.warn_percent) for clock, minutes in given.items() if minutes is not None}
    return Promise(
        sla=SlaRef(id=sla.id, slug=sla.slug, name=sla.name, version=versions.get(sla.id, 1)),
        calendar=reference,
        working_time=working_time(calendar),
        limits=limits,
        pauses_in=frozenset(sla.pauses_in),
    )


def _limit(minutes: float, warn_percent: float) -> Limit:
    promised = timedelta(minutes=minutes)
    return Limit(minutes, promised, promised * (warn_percent / 100))
