"""Which tickets a person may see, for queries: the twin in SQL of `shared.contracts.access.may`."""

from dataclasses import dataclass
from uuid import UUID

from shared.contracts.access import Identity, TicketFacts, rights
from shared.directory.copy import Queues


@dataclass(frozen=True, slots=True)
class Scope:
    """An agent's readable queues, or a customer's address and company; an administrator's queues are all that there are."""

    queues: tuple[UUID, ...]
    email: str | None
    company: str | None
    everything: bool = False

    @property
    def as_customer(self) -> bool:
        return not self.queues and not self.everything


def scope(who: Identity, queues: Queues) -> Scope:
    """What this person may read."""
    readable = tuple(sorted(queue.id for queue in queues.by_id.values() if "read" in rights(who, queue.members)))
    return Scope(readable, who.email.lower() or None, who.company, everything=who.is_admin)


def facts(queue_id: UUID, customer_email: str, company: str | None, queues: Queues) -> TicketFacts:
    """What `may` looks at for a row."""
    queue = queues.by_id.get(queue_id)
    return TicketFacts(members=queue.members if queue else (), customer_email=customer_email, company=company)
