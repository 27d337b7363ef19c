"""Which agents are told what time has done to a ticket. Never more than a handful: a notice to everybody is read by nobody."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from shared.contracts.directory import Person, Queue
from shared.contracts.parts import PersonRef

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
    """Whom a reminder reaches (A5.05, A3.14): the owner; of a ticket without one, or whose owner has left, those who work in the queue
    and follow it; where nobody does, all who work in it, if they are few; else nobody, and it stands in the list of reminders alone."""
    if owner is not None and (found := colleague(owner.id, people)) is not None:
        return [found]
    team = [found for worker in workers(queue) if (found := colleague(worker, people)) is not None]
    following = [person for person in team if queue is not None and queue.id in person.follows]
    if following:
        return following[:MOST_FOLLOWERS]
    return team if len(team) <= FEW else []


def colleague(person: UUID, people: Mapping[UUID, Person]) -> Person | None:
    """The person, if they are (still) one of the desk."""
    found = people.get(person)
    return found if found is not None and ("agent" in found.roles or "admin" in found.roles) else None
