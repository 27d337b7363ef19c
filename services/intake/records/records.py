"""Intake's tables beside the event store in the same database."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from services.intake.records.customers import Customers
from services.intake.records.mail_matches import MailMatches
from services.intake.records.mails import Mails
from services.intake.records.recording import Rows, recording
from services.intake.records.tickets import Tickets
from shared.database import Pool
from shared.eventstore.errors import Raced
from shared.eventstore.store import Append, Appended, CommandId, Store, conflict
from shared.testing.failpoints import hit


class Records:
    def __init__(self, pool: Pool, store: Store) -> None:
        self.pool, self.store = pool, store
        self.customers, self.tickets = Customers(pool), Tickets(pool)
        self.mails, self.matches = Mails(pool), MailMatches(pool)

    async def record(
        self,
        appends: Sequence[Append],
        rows: Rows,
        *,
        command: CommandId | None = None,
        response: dict[str, Any] | None = None,
    ) -> Appended:
        """Records events and rows, all of them or none, in one round trip.

        Raises Raced, and what `Store.append` raises. A command that was known writes nothing; the result is a `duplicate`.
        """
        hit("intake.before_commit")
        additions = rows.additions()
        try:
            row = await self.pool.fetchrow(
                recording(tuple(additions)),
                *self.store.arguments(appends, command, response),
                *(list(column) for rows in additions.values() for column in zip(*rows, strict=True)),
            )
        except asyncpg.UniqueViolationError as error:
            if error.schema_name == "intake":
                raise Raced(error.constraint_name) from error
            raise
        except asyncpg.PostgresError as error:
            raise conflict(error, appends) from error
        assert row is not None
        hit("intake.after_commit")
        return self.store.outcome(row, appends)
