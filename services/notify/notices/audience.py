"""Which agents have a notice about a ticket: those whom it concerns, and those who want to know (decisions 0057, 0116).

Only a few people who did not ask for a notice have it: nobody reads notices that go to everybody.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Generic, Literal, TypeVar
from uuid import UUID

from services.notify.read_models.ticket_facts import TicketFacts
from shared.contracts.directory import Notice, Person, Queue
from shared.contracts.event import Event
from shared.contracts.parts import PersonRef
from shared.rules.absence import absence_of
from shared.rules.access import rights_of

MOST_FOLLOWERS = 20
SMALL_TEAM = 5
"""If nobody follows a queue, all who work in it have the notice, if they are at most so many."""
MOST_WORKERS = 200
"""Members of a queue that are looked up."""
MOST_SUBSTITUTES = 5
"""How far it is followed that a substitute is away too."""

E = TypeVar("E", bound=Event)
Team = Literal["never", "if nobody else", "if all candidates have left"]
Candidates = Callable[[E, TicketFacts], Sequence[PersonRef | None]]


def nobody(_: Event, __: TicketFacts) -> Sequence[PersonRef | None]:
    return ()


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who has a notice. `asked`: because they chose to be told about their queues.

    `substitutes_for`: the person in whose place they have it, too.
    """

    person: Person
    asked: bool = False
    substitutes_for: UUID | None = None


@dataclass(frozen=True, slots=True)
class Audience(Generic[E]):
    """Who has a notice: the first of the `candidates` who may read the ticket, or the queue's `team` in their place;
    and all who have the `subscription` for the ticket's queue.

    The team are those who work in the queue and follow it (at most 20), or all who work in it if nobody follows it and
    they are few.
    """

    candidates: Candidates[E] = nobody
    team: Team = "never"
    subscription: Notice | None = None

    def candidate_ids(self, event: E, ticket: TicketFacts) -> list[UUID]:
        return [person.id for person in self.candidates(event, ticket) if person is not None]

    def needs_team(self, candidates: Collection[UUID], queue: Queue | None, people: Mapping[UUID, Person]) -> bool:
        """Whether the team has the notice in place of the candidates."""
        match self.team:
            case "never":
                return False
            case "if nobody else":
                return not any(reader(each, queue, people) for each in candidates)
            case "if all candidates have left":
                return bool(candidates) and not any(is_colleague(each, people) for each in candidates)

    def readers(
        self,
        event: E,
        ticket: TicketFacts,
        queue: Queue | None,
        people: Mapping[UUID, Person],
        subscribers: Sequence[Person],
    ) -> list[Reader]:
        """`people` holds the candidates, and those who work in the queue if the team is needed."""
        candidates = self.candidate_ids(event, ticket)
        concerned = [found for each in candidates if (found := reader(each, queue, people)) is not None][:1]
        if self.needs_team(candidates, queue, people):
            concerned = _team(queue, people)
        wanted = [] if self.subscription is None else _subscribed(self.subscription, queue, subscribers)
        asked = {person.id for person in wanted}
        known = {person.id for person in concerned}
        return [
            *(Reader(person, asked=person.id in asked) for person in concerned),
            *(Reader(person, asked=True) for person in wanted if person.id not in known),
        ]


def with_substitutes(
    readers: Sequence[Reader], queue: Queue | None, people: Mapping[UUID, Person], at: datetime, desk: tzinfo
) -> list[Reader]:
    """These readers, and behind them the substitutes of those who are away, if they may read the ticket (A21.01)."""
    found = {each.person.id: each for each in readers}
    for each in readers:
        for person in substitutes(each.person, people, at, desk):
            if may_read(person, queue):
                found.setdefault(person.id, Reader(person, each.asked, each.person.id))
    return list(found.values())


def substitutes(person: Person, people: Mapping[UUID, Person], at: datetime, desk: tzinfo) -> Iterator[Person]:
    """Who stands in for somebody who is away; also the substitute's substitute, if that one is away too."""
    passed = {person.id}
    for _ in range(MOST_SUBSTITUTES):
        absence = absence_of(person, at, desk)
        substitute = people.get(absence.substitute) if absence is not None and absence.substitute is not None else None
        if substitute is None or substitute.id in passed:
            return
        passed.add(substitute.id)
        person = substitute
        yield person


def workers(queue: Queue | None) -> Sequence[UUID]:
    """Who works in the queue, in its document's order."""
    members = queue.members if queue is not None else ()
    return [member.person for member in members if "work" in member.rights][:MOST_WORKERS]


def _team(queue: Queue | None, people: Mapping[UUID, Person]) -> list[Person]:
    team = [found for worker in workers(queue) if (found := reader(worker, queue, people)) is not None]
    following = [person for person in team if queue is not None and queue.id in person.follows]
    if following:
        return following[:MOST_FOLLOWERS]
    return team if len(team) <= SMALL_TEAM else []


def _subscribed(notice: Notice, queue: Queue | None, subscribers: Sequence[Person]) -> list[Person]:
    """Those who want such notices and whose queue it is (A10.05, A10.06).

    A person's queues are those that they follow; if they follow none, those of which they are a member.
    """
    if queue is None:
        return []
    members = {member.person for member in queue.members}
    return [
        person
        for person in subscribers
        if notice in person.notices
        and (queue.id in person.follows if person.follows else person.id in members)
        and may_read(person, queue)
    ]


def may_read(person: Person, queue: Queue | None) -> bool:
    """Whether somebody may read the queue's tickets; people who are neither agent nor administrator may not."""
    return "read" in rights_of(person, queue.members if queue is not None else ())


def is_colleague(person: UUID, people: Mapping[UUID, Person]) -> bool:
    """Whether the person is (still) an agent or administrator."""
    found = people.get(person)
    return found is not None and not {"agent", "admin"}.isdisjoint(found.roles)


def reader(person: UUID, queue: Queue | None, people: Mapping[UUID, Person]) -> Person | None:
    """The person, if they may (still) read the queue's tickets."""
    found = people.get(person)
    return found if found is not None and may_read(found, queue) else None
