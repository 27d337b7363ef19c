"""Who may get a ticket that is given to somebody of its queue: members who may work there and are not away (A21.01)."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from uuid import UUID

from services.routing.ticket.automation.distribution import Candidates, Way
from shared.contracts.directory import Person, Queue
from shared.contracts.parts import PersonRef
from shared.database import Connection, Pool
from shared.directory.copy import DirectoryCopy
from shared.rules.absence import is_away
from shared.rules.access import rights_of

BY_LOAD = UUID(int=0)
"""The turn of everything that goes to the least loaded. Queues share members, so such choices come one after the other."""

TURN = "SELECT taken, person_id FROM routing.turns WHERE turn_id = $1"
LOCK_TURN = """
INSERT INTO routing.turns AS t (turn_id) VALUES ($1)
    ON CONFLICT (turn_id) DO UPDATE SET taken = t.taken
RETURNING taken, person_id
"""
LOADS = "SELECT owner_id, count(*) AS tickets FROM routing.owned WHERE owner_id = ANY($1) GROUP BY owner_id"


@dataclass(frozen=True, slots=True)
class Assignees:
    """`zone`: where the desk counts days, for absences of people who have no time zone of their own.

    `choosing` is held by who takes a turn without locking it: each such choice that another one overtakes is made again,
    and many at the same time would give up.
    """

    pool: Pool
    directory: DirectoryCopy
    zone: tzinfo
    choosing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def candidates(
        self, queue: Queue, way: Way, at: datetime, connection: Connection | None = None
    ) -> Candidates:
        """Who may get a ticket of this queue.

        With `connection`, the turn is locked until the end of that transaction, in which it is taken. Without one, it
        is taken only if nobody else was chosen meanwhile (`routing.write`).
        """
        turn = self.turn(queue, way)
        # The turn is read before the loads: what is assigned in between makes the choice fail, not unfair.
        row = await (connection or self.pool).fetchrow(LOCK_TURN if connection is not None else TURN, turn)
        people = [person for person in await self._members(queue) if not is_away(person, at, self.zone)]
        loads: dict[UUID, int] = {}
        if way == "least-loaded":
            found = await (connection or self.pool).fetch(LOADS, [person.id for person in people])
            loads = {each["owner_id"]: each["tickets"] for each in found}
        return Candidates(
            queue=queue.id,
            people=tuple(PersonRef(id=person.id, name=person.name) for person in people),
            turn=turn,
            taken=row["taken"] if row is not None else 0,
            last=row["person_id"] if row is not None else None,
            loads=loads,
        )

    async def is_away(self, person: UUID, at: datetime) -> bool:
        """Whether this person is away at that time."""
        return any(is_away(each, at, self.zone) for each in await self.directory.in_use([person]))

    @staticmethod
    def turn(queue: Queue, way: Way) -> UUID:
        """Whose order it is in which somebody of this queue is found."""
        return queue.id if way == "round-robin" else BY_LOAD

    @staticmethod
    async def lock(connection: Connection, turn: UUID) -> None:
        """Locks a turn until the end of the transaction."""
        await connection.execute(LOCK_TURN, turn)

    async def _members(self, queue: Queue) -> list[Person]:
        people = await self.directory.in_use([member.person for member in queue.members])
        return [person for person in people if "work" in rights_of(person, queue.members)]
