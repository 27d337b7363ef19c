"""The rights of those who listen, kept to the newest copy of the configuration."""

from collections.abc import Iterable
from uuid import UUID

from services.reporting.live.sight import Rights
from services.reporting.live.subscriptions import Listener
from shared.database import Pool
from shared.directory.copy import DirectoryCopy

KNOWN_AS = """
SELECT person_id, array_agg(customer_id ORDER BY customer_id) AS customers
  FROM directory.identities
 WHERE person_id = ANY($1)
 GROUP BY person_id
"""
FOLLOWS = """
SELECT id, document -> 'follows' AS follows
  FROM directory.documents
 WHERE kind = 'person' AND id = ANY($1) AND NOT retired
"""


class RightsOfListeners:
    """One pass and two statements for all listeners whenever the configuration has changed, none in between."""

    def __init__(self, pool: Pool, directory: DirectoryCopy) -> None:
        self.pool, self.directory = pool, directory
        self.current = Rights(directory.queues)

    async def refresh(self, listeners: Iterable[Listener]) -> None:
        """Gives each of these the rights of now. Nothing is awaited after the last one has got its rights."""
        everybody = list(listeners)
        while True:
            if self.directory.queues is not self.current.queues:
                self.current = Rights(self.directory.queues)
                for each in everybody:
                    each.sight = None
            wanted = [each for each in everybody if each.sight is None]
            if not wanted:
                return
            people = list({each.who.person_id for each in wanted})
            known_as = {row["person_id"]: row["customers"] for row in await self.pool.fetch(KNOWN_AS, people)}
            follows = {row["id"]: row["follows"] for row in await self.pool.fetch(FOLLOWS, people)}
            for each in wanted:
                person = each.who.person_id
                each.who = each.who.model_copy(update={"known_as": tuple(known_as.get(person, ()))})
                each.sight, each.recount = self.current.sight(each.who), True
                chosen = {UUID(queue) for queue in follows.get(person) or ()}
                each.follows = chosen or self.current.member_of(person)
