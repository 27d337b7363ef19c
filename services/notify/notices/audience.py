"""Which agents are told what has happened to a ticket: whom it concerns, and who wants to know (decision 0057).

Of those who did not ask never more than a handful: a notice to everybody is read by nobody.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.notify.deciding.inputs import Remembered
from shared.contracts.directory import Notice, Person, Queue
from shared.contracts.parts import PersonRef
from shared.rules.access import rights_of

MOST_FOLLOWERS = 20
FEW = 5
"""So many who work in a queue are a team, and told although none of them follows it."""
MOST_ASKED_FOR = 200
"""Members of a queue that are looked up."""


def workers(queue: Queue | None) -> Sequence[UUID]:
    """Who works in the queue, in its document's order."""
    members = queue.members if queue is not None else ()
    return [member.person for member in members if "work" in member.rights][:MOST_ASKED_FOR]


def reminded(owner: PersonRef | None, queue: Queue | None, people: Mapping[UUID, Person]) -> list[Person]:
    """Whom a reminder reaches (A5.05, A3.14): the owner; of a ticket without one, or whose owner may not read it any more, those who work in
    the queue and follow it; where nobody does, all who work in it, if they are few; else nobody, and it stands in the list of reminders alone."""
    if owner is not None and (found := reader(owner.id, queue, people)) is not None:
        return [found]
    return _team(queue, people)


def _team(queue: Queue | None, people: Mapping[UUID, Person]) -> list[Person]:
    team = [found for worker in workers(queue) if (found := reader(worker, queue, people)) is not None]
    following = [person for person in team if queue is not None and queue.id in person.follows]
    if following:
        return following[:MOST_FOLLOWERS]
    return team if len(team) <= FEW else []


def answering(ticket: Remembered, queue: Queue | None, people: Mapping[UUID, Person]) -> list[Person]:
    """Whom a customer's message reaches (A6.11): who is responsible for the ticket; else, or if they may not read it any more, its owner. If all of
    them have left, those whom a reminder would reach: nobody else looks after it."""
    named = [ref.id for ref in (ticket.responsible, ticket.owner) if ref is not None]
    for each in named:
        if (found := reader(each, queue, people)) is not None:
            return [found]
    return _team(queue, people) if named and not any(is_colleague(each, people) for each in named) else []


def wanting(notice: Notice, queue: Queue | None, people: Sequence[Person]) -> list[Person]:
    """Those who want such notices and whose queue it is (A10.05, A10.06): the queues that somebody follows, or those in which they are a member if
    they follow none. Only who may read the queue's tickets is told of one."""
    if queue is None:
        return []
    members = {member.person for member in queue.members}
    return [
        person
        for person in people
        if notice in person.notices
        and (queue.id in person.follows if person.follows else person.id in members)
        and may_read(person, queue)
    ]


def may_read(person: Person, queue: Queue | None) -> bool:
    """Whether somebody may read the queue's tickets; nobody who is not one of the desk may."""
    return "read" in rights_of(person, queue.members if queue is not None else ())


def is_colleague(person: UUID, people: Mapping[UUID, Person]) -> bool:
    """Whether the person is (still) one of the desk."""
    found = people.get(person)
    return found is not None and not {"agent", "admin"}.isdisjoint(found.roles)


def reader(person: UUID, queue: Queue | None, people: Mapping[UUID, Person]) -> Person | None:
    """The person, if they may (still) read the queue's tickets."""
    found = people.get(person)
    return found if found is not None and may_read(found, queue) else None
