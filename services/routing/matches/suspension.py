"""A trigger that cannot do what it says is suspended: this version of it does nothing any more, and an event says so.

The gateway then switches the document off, and notify tells the administrators.
"""

from collections.abc import Iterable
from uuid import UUID

from shared.automation.rule_actor import actor_of
from shared.contracts.parts import RuleRef
from shared.contracts.routing import RuleSuspended
from shared.database import Connection, Pool
from shared.eventstore.store import Append, Context, NewEvent, Store

SUSPEND = """
INSERT INTO routing.suspended_triggers (trigger_id, version, reason) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING
RETURNING 1
"""
VERSION = "SELECT version FROM es.streams WHERE stream_id = $1"
EVER_SAVED = """
SELECT count(DISTINCT (d.kind, d.slug))
  FROM unnest($1::text[], $2::text[]) AS n(kind, slug)
  JOIN directory.documents d ON d.kind = n.kind AND d.slug = n.slug
"""
SUSPENDED = "SELECT trigger_id, version FROM routing.suspended_triggers WHERE trigger_id = ANY($1)"


async def suspend(
    connection: Connection, rule: RuleRef, reason: str, *, ticket: UUID | None = None, cause: UUID | None = None
) -> Append | None:
    """Suspends a version of a trigger, once; what must be appended in this transaction, or None if it was suspended.

    `ticket`: where it has failed, because of the event `cause`. Waits for others who suspend the same version.
    """
    if await connection.fetchval(SUSPEND, rule.id, rule.version, reason) is None:
        return None
    version = await connection.fetchval(VERSION, rule.id) or 0
    event = NewEvent(RuleSuspended(rule=rule, reason=reason, ticket=ticket))
    return Append(rule.id, "rule", version, (event,), Context(actor=actor_of(rule), causation_id=cause))


async def suspend_now(store: Store, rule: RuleRef, reason: str) -> bool:
    """Suspends a version of a trigger in a transaction of its own. False if it was suspended before."""
    async with store.pool.acquire() as connection, connection.transaction():
        append = await suspend(connection, rule, reason)
        if append is None:
            return False
        await store.append([append], connection=connection)
    store.appended.set()
    return True


async def ever_saved(connection: Connection | Pool, documents: Iterable[tuple[str, str]]) -> bool:
    """Whether this service has heard of all these documents, by kind and slug; retired ones count.

    One that it has not heard of is on its way: documents of different kinds do not arrive in their order.
    """
    named = list(dict.fromkeys(documents))
    known = await connection.fetchval(EVER_SAVED, [kind for kind, _ in named], [slug for _, slug in named])
    return bool(known == len(named))


async def suspended(connection: Connection | Pool, triggers: Iterable[UUID]) -> frozenset[tuple[UUID, int]]:
    """The suspended versions of these triggers."""
    rows = await connection.fetch(SUSPENDED, list(triggers))
    return frozenset((row["trigger_id"], row["version"]) for row in rows)
