"""Which tickets a person may see, for queries: the twin in SQL of `shared.contracts.access.may`."""

from dataclasses import dataclass
from uuid import UUID

from shared.contracts.access import Identity, TicketFacts, rights
from shared.directory.copy import DirectoryCopy, Queues


@dataclass(frozen=True, slots=True)
class Scope:
    """The queues that somebody reads as an agent, and the address and company whose tickets they see as a customer.

    An administrator reads everything, whatever queue it stands in.
    """

    queues: tuple[UUID, ...]
    email: str | None
    company: str | None
    everything: bool = False


def scope(who: Identity, queues: Queues) -> Scope:
    """What this person may read."""
    readable = tuple(sorted(queue.id for queue in queues.by_id.values() if "read" in rights(who, queue.members)))
    return Scope(readable, who.email.lower() or None, who.company, everything=who.is_admin)


def facts(queue_id: UUID, customer_email: str, company: str | None, queues: Queues) -> TicketFacts:
    """What `may` looks at for a row."""
    queue = queues.by_id.get(queue_id)
    return TicketFacts(members=queue.members if queue else (), customer_email=customer_email, company=company)


async def followed_queues(directory: DirectoryCopy, who: Identity) -> set[UUID]:
    """The queues that somebody chose to follow; who chose none follows those they are a member of."""
    person = await directory.person(who.person_id)
    chosen = set(person.follows) if person is not None else set()
    return chosen or {q.id for q in directory.queues.live if any(m.person == who.person_id for m in q.members)}
