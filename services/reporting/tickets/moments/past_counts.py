"""`GET /stats/queues?as_of=`: how many tickets each queue had at a moment, of those that somebody may see today."""

from uuid import UUID

import asyncpg

from services.reporting.tickets.moments.moment import Moment
from services.reporting.tickets.moments.past import past
from services.reporting.tickets.ticket_list import Arguments
from services.reporting.visibility import Scope
from shared.database import Pool

COLUMNS = ("id", "queue_id", "state_type", "locked_by_id", "owner_id")
COUNTS = """
SELECT t.queue_id,
       count(*) FILTER (WHERE t.state_type = 'new') AS new,
       count(*) FILTER (WHERE t.state_type = 'open') AS open,
       count(*) FILTER (WHERE t.state_type IN ('pending_reminder', 'pending_auto_close')) AS pending,
       count(*) FILTER (WHERE t.state_type = 'closed') AS closed,
       count(*) FILTER (WHERE t.active AND (t.locked_by_id IS NULL OR t.locked_by_id = {person})) AS available,
       count(*) FILTER (WHERE t.active AND t.locked_by_id = {person}) AS locked_by_me,
       count(*) FILTER (WHERE t.active AND t.owner_id = {person}) AS owned_by_me
  FROM (SELECT {columns}, t.state_type IN ('new', 'open', 'pending_reminder', 'pending_auto_close') AS active
          FROM (SELECT {columns} FROM desk.tickets WHERE {unchanged}
                 UNION ALL
                SELECT {then} FROM ({former}) AS t JOIN desk.tickets now ON now.id = t.id
                 WHERE now.queue_id = ANY({readable}) AND ({everything} OR now.state_type <> 'removed')) AS t
         WHERE t.queue_id = ANY({readable})) AS t
 GROUP BY t.queue_id
"""


async def counts_then(pool: Pool, moment: Moment, visible: Scope, person: UUID) -> list[asyncpg.Record]:
    """The counts of each readable queue that had tickets, as `person` saw them."""
    async with past(pool, moment) as then:
        arguments = Arguments()
        statement = COUNTS.format(
            columns=", ".join(COLUMNS),
            then=", ".join(f"t.{column}" for column in COLUMNS),
            unchanged=then.unchanged(arguments),
            former=then.all_former(arguments, COLUMNS),
            readable=arguments.add(list(visible.queues), "uuid[]"),
            person=arguments.add(person, "uuid"),
            everything=arguments.add(visible.everything, "boolean"),
        )
        return await then.connection.fetch(statement, *arguments.values)
