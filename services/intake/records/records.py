"""Intake's tables beside the event store in the same database, and the command runner that writes both."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from services.intake import ticket
from services.intake.records.customers import Customers
from services.intake.records.mail_matches import MailMatches
from services.intake.records.mails import Mails
from services.intake.records.recording import Rows, recording
from services.intake.records.tickets import Tickets
from services.intake.ticket import Ticket
from services.intake.ticket.commands import Command
from shared.database import Pool
from shared.eventstore.errors import Raced
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Append, Appended, CommandId, Store, conflict
from shared.eventstore.unit_of_work import Record, UnitOfWork
from shared.runtime.failpoints import hit


class Records:
    def __init__(self, pool: Pool, store: Store) -> None:
        self.pool, self.store = pool, store
        self.customers, self.tickets = Customers(pool), Tickets(pool)
        self.mails, self.matches = Mails(pool), MailMatches(pool)
        self._commands: CommandRunner[Command, Ticket] = CommandRunner(store, "ticket", ticket, states=self.tickets)

    def unit(self) -> UnitOfWork[Command, Ticket]:
        """One attempt to carry out commands on tickets. It records its rows `with_rows`."""
        return self._commands.unit()

    def with_rows(self, rows: Rows) -> Record:
        """Records the events of a unit of work together with these rows."""

        async def record(
            appends: Sequence[Append], *, command: CommandId | None, response: dict[str, Any] | None
        ) -> Appended:
            return await self.record(appends, rows, command=command, response=response)

        return record

    async def record(
        self,
        appends: Sequence[Append],
        rows: Rows,
        *,
        command: CommandId | None = None,
        response: dict[str, Any] | None = None,
    ) -> Appended:
        """Records events and rows, all of them or none, in one round trip.

        Raises Raced, and what `Store.append` raises. A command that was known writes nothing; the result is a
        `duplicate`.
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
