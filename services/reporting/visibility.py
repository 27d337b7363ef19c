"""Which tickets a person may see, for queries in SQL. `shared.rules.access.may` is the same rule in Python."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shared.directory.copy import DirectoryCopy, Queues
from shared.rules.access import Access, Identity, TicketFacts, may, rights


@dataclass(frozen=True, slots=True)
class Scope:
    """The tickets that somebody may see.

    Agents see those of `queues`. Customers see their own, by every id that they are known by, and their company's.
    Administrators see `everything`, whatever its queue.
    """

    queues: tuple[UUID, ...]
    customers: tuple[UUID, ...]
    company: str | None
    everything: bool = False


def scope(who: Identity, queues: Queues) -> Scope:
    """The tickets that this person may see."""
    readable = tuple(sorted(queue.id for queue in queues.by_id.values() if "read" in rights(who, queue.members)))
    return Scope(readable, (who.person_id, *who.known_as), who.company, everything=who.is_admin)


def ticket_facts(queue_id: UUID, customer: UUID | None, company: str | None, queues: Queues) -> TicketFacts:
    """What `may` needs to know of a ticket's row."""
    queue = queues.by_id.get(queue_id)
    return TicketFacts(members=queue.members if queue else (), customer=customer, company=company)


def may_see(who: Identity, row: asyncpg.Record, queues: Queues) -> bool:
    """Whether this person may read a ticket of `desk.tickets`. Only administrators may read one that was removed."""
    facts = ticket_facts(row["queue_id"], row["customer_id"], row["company"], queues)
    return may(who, "read", facts) is Access.ALLOWED and (row["state_type"] != "removed" or who.is_admin)


async def followed_queues(directory: DirectoryCopy, who: Identity) -> set[UUID]:
    """The queues that somebody chose to follow, else those they are a member of.

    Retired queues count too, because their tickets remain.
    """
    person = await directory.person(who.person_id)
    chosen = set(person.follows) if person is not None else set()
    queues = directory.queues.by_id.values()
    return chosen or {q.id for q in queues if any(m.person == who.person_id for m in q.members)}
