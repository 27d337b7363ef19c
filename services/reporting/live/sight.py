"""What people may see at this moment: the rights of everybody from one snapshot of the queues.

A change is shown to hundreds of streams, so the members of all queues are gone through once for a snapshot, and not
once for a person or ticket. `visibility` and `shared.rules.access` are the same rule (a test compares them).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from shared.directory.copy import Queues
from shared.rules.access import ALL_RIGHTS, Identity

NOTHING: frozenset[UUID] = frozenset()


class Facts(NamedTuple):
    """What decides who may see a ticket."""

    queue: UUID
    customer: UUID
    company: str | None
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What one person may see. `known`: the queues that they may know of, because they have any right there."""

    everything: bool = False
    queues: frozenset[UUID] = NOTHING
    known: frozenset[UUID] = NOTHING
    customers: Collection[UUID] = NOTHING
    company: str | None = None

    def as_agent(self, ticket: Facts) -> bool:
        """Whether they read it as an agent of its queue. Only administrators may read one that was removed."""
        return self.everything or (ticket.queue in self.queues and not ticket.removed)

    def as_customer(self, ticket: Facts) -> bool:
        """Whether it is their own, or their company's."""
        own = ticket.customer in self.customers or (self.company is not None and self.company == ticket.company)
        return own and not ticket.removed

    def knows(self, queue: UUID) -> bool:
        return self.everything or queue in self.known


class Rights:
    """The rights of everybody by one snapshot of the queues."""

    def __init__(self, queues: Queues) -> None:
        self.queues = queues
        readable: dict[UUID, set[UUID]] = {}
        known: dict[UUID, set[UUID]] = {}
        member: dict[UUID, set[UUID]] = {}
        for queue in queues.by_id.values():
            for each in queue.members:
                member.setdefault(each.person, set()).add(queue.id)
                if ALL_RIGHTS.intersection(each.rights):
                    known.setdefault(each.person, set()).add(queue.id)
                if "read" in each.rights:
                    readable.setdefault(each.person, set()).add(queue.id)
        self._readable = {person: frozenset(found) for person, found in readable.items()}
        self._known = {person: frozenset(found) for person, found in known.items()}
        self._member = {person: frozenset(found) for person, found in member.items()}

    def member_of(self, person: UUID) -> frozenset[UUID]:
        """The queues that somebody is a member of, with whatever rights."""
        return self._member.get(person, NOTHING)

    def sight(self, who: Identity) -> Sight:
        """What somebody may see. `who` has been recognised (`DirectoryCopy.recognised`)."""
        own = frozenset((who.person_id, *who.known_as))
        if who.is_admin:
            every = frozenset(self.queues.by_id)
            return Sight(True, every, every, own, who.company)
        if not who.is_agent:
            return Sight(customers=own, company=who.company)
        return Sight(
            queues=self._readable.get(who.person_id, NOTHING),
            known=self._known.get(who.person_id, NOTHING),
            customers=own,
            company=who.company,
        )
