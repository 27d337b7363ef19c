"""Projection sets: read models that are rebuilt beside the live one and shown by swapping views."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import asyncpg

from shared.contracts.topics import TICKETS
from shared.database import Connection, OwnConnection
from shared.eventstore.migrations import role_of
from shared.messaging.batching import Batching
from shared.messaging.consuming.handlers import Handler

LOCK_MS = 200
"""How long a promotion waits for a view. Less than the time after which PostgreSQL looks for deadlocks (1 s): if a
reader and the promotion wait for each other, the promotion gives way."""
PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 600.0


class DependentViews(Protocol):
    """Views over the views of sets. They are made again whenever one of the sets is shown, in the same transaction."""

    async def drop(self, connection: Connection) -> None: ...
    async def create(self, connection: Connection) -> None: ...


@dataclass(frozen=True, slots=True)
class ProjectionSet:
    """One set: its DDL (`{schema}` stands for the schema), the tables that get views, and what fills them.

    `before_promotion` is called in the transaction of a promotion, with the consumers of the generation that is live
    and of the one that will be. `dependent`: views over its views.
    """

    name: str
    ddl: str
    tables: Sequence[str]
    handler: Callable[[str], Handler]
    batching: Batching
    before_promotion: Callable[[Connection, str, str], Awaitable[None]] | None = None
    dependent: DependentViews | None = None

    @property
    def shape(self) -> str:
        """A fingerprint of the DDL: code may fill only generations that were made with the same DDL."""
        return hashlib.sha256(self.ddl.encode()).hexdigest()[:16]

    def schema(self, generation: int) -> str:
        return f"{self.name}_v{generation}"

    def consumer(self, generation: int) -> str:
        """The name of the consumer that fills a generation."""
        return f"reporting.{self.schema(generation)}"

    def generation(self, consumer: str) -> int | None:
        """The generation that a consumer fills, by its name; None if it belongs to another set."""
        number = consumer.removeprefix(f"reporting.{self.name}_v")
        return int(number) if number != consumer and number.isdecimal() and number.isascii() else None

    def handlers(self, generation: int) -> Mapping[str, Handler]:
        return {TICKETS: self.handler(self.schema(generation))}


class CannotChange(Exception):
    """The set has no such generation, or it is in another state; the message says which."""


async def live(connection: Connection, name: str) -> int | None:
    """The generation that the views show; None before the first."""
    found = await live_shape(connection, name)
    return found[0] if found is not None else None


async def live_shape(connection: Connection, name: str) -> tuple[int, str] | None:
    """The generation that the views show, and the shape of its tables."""
    row = await connection.fetchrow(
        "SELECT generation, shape FROM projections.generations WHERE name = $1 AND state = 'live'", name
    )
    return (row["generation"], row["shape"]) if row is not None else None


async def unfinished(connection: Connection, projection_set: ProjectionSet) -> int | None:
    """The newest generation of this shape that was begun and not shown yet."""
    found: int | None = await connection.fetchval(
        "SELECT max(generation) FROM projections.generations WHERE name = $1 AND state = 'building' AND shape = $2",
        projection_set.name,
        projection_set.shape,
    )
    return found


async def begin(connection: OwnConnection, projection_set: ProjectionSet, app_url: str) -> int:
    """Creates the empty tables of a new generation and returns its number. Needs the owner's connection."""
    async with connection.transaction():
        generation: int = await connection.fetchval(
            "INSERT INTO projections.generations (name, generation, state, shape)"
            " SELECT $1, coalesce(max(generation), 0) + 1, 'building', $2"
            "   FROM projections.generations WHERE name = $1 RETURNING generation",
            projection_set.name,
            projection_set.shape,
        )
        schema = projection_set.schema(generation)
        app = '"' + role_of(app_url).replace('"', '""') + '"'
        await connection.execute(f"CREATE SCHEMA {schema}")
        await connection.execute(projection_set.ddl.replace("{schema}", schema))
        await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {app}")
        await connection.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {app}")
    return generation


async def promote(connection: OwnConnection, projection_set: ProjectionSet, generation: int, app_url: str) -> None:
    """Shows a generation in the views, in one transaction. The one shown before is kept, to go back to.

    While somebody reads a view for long (an export), it tries again and again: if it waited for that view, all new
    readers would wait behind it. Raises CannotChange, also if reading goes on for PATIENCE_SECONDS.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            await _promote(connection, projection_set, generation, app_url)
        except asyncpg.LockNotAvailableError as error:
            if time.monotonic() > end:
                raise CannotChange(
                    f"somebody has been reading {projection_set.name} for {PATIENCE_SECONDS:.0f} s: try again later"
                ) from error
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return


async def _promote(connection: OwnConnection, projection_set: ProjectionSet, generation: int, app_url: str) -> None:
    async with connection.transaction():
        if projection_set.dependent is not None:
            # First, because it may wait for queries of a minute: nothing that lists read is locked until then.
            await projection_set.dependent.drop(connection)
        shape = await connection.fetchval(
            "SELECT shape FROM projections.generations WHERE name = $1 AND generation = $2 FOR UPDATE",
            projection_set.name,
            generation,
        )
        if shape is None:
            raise CannotChange(f"{projection_set.name} has no generation {generation}")
        if shape != projection_set.shape:
            raise CannotChange(
                f"{projection_set.schema(generation)}"
                " has the tables of another version: only that version can show and fill it"
            )
        former = await live(connection, projection_set.name)
        if former not in (None, generation) and projection_set.before_promotion is not None:
            consumers = projection_set.consumer(former), projection_set.consumer(generation)
            await projection_set.before_promotion(connection, *consumers)
        await connection.execute(
            "UPDATE projections.generations SET state = 'former' WHERE name = $1 AND state = 'live'",
            projection_set.name,
        )
        await connection.execute(
            "UPDATE projections.generations SET state = 'live' WHERE name = $1 AND generation = $2",
            projection_set.name,
            generation,
        )
        app = '"' + role_of(app_url).replace('"', '""') + '"'
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {projection_set.name}")
        await connection.execute(f"GRANT USAGE ON SCHEMA {projection_set.name} TO {app}")
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MS}")
        for table in projection_set.tables:
            # CREATE OR REPLACE VIEW cannot drop columns, and a newer generation may have others.
            await connection.execute(f"DROP VIEW IF EXISTS {projection_set.name}.{table}")
            source = f"{projection_set.schema(generation)}.{table}"
            await connection.execute(f"CREATE VIEW {projection_set.name}.{table} AS SELECT * FROM {source}")
            await connection.execute(f"GRANT SELECT ON {projection_set.name}.{table} TO {app}")
        if projection_set.dependent is not None:
            await projection_set.dependent.create(connection)


async def previous(connection: Connection, projection_set: ProjectionSet) -> int:
    """The generation that was live before; raises CannotChange when there is none."""
    found: int | None = await connection.fetchval(
        "SELECT max(generation) FROM projections.generations WHERE name = $1 AND state = 'former'", projection_set.name
    )
    if found is None:
        raise CannotChange(f"{projection_set.name} has no former generation to go back to")
    return found


async def drop(connection: OwnConnection, projection_set: ProjectionSet, generation: int) -> None:
    """Removes a generation that is not live, with its checkpoints. Raises CannotChange."""
    async with connection.transaction():
        state = await connection.fetchval(
            "SELECT state FROM projections.generations WHERE name = $1 AND generation = $2 FOR UPDATE",
            projection_set.name,
            generation,
        )
        if state is None or state == "live":
            raise CannotChange(
                f"generation {generation} of {projection_set.name} is live"
                if state
                else f"{projection_set.name} has no generation {generation}"
            )
        await connection.execute(f"DROP SCHEMA {projection_set.schema(generation)} CASCADE")
        await connection.execute(
            "DELETE FROM projections.generations WHERE name = $1 AND generation = $2", projection_set.name, generation
        )
        for table in ("checkpoints", "parked", "halted"):
            await connection.execute(
                f"DELETE FROM messaging.{table} WHERE consumer = $1", projection_set.consumer(generation)
            )


async def differences(connection: Connection, projection_set: ProjectionSet, one: int, other: int) -> dict[str, int]:
    """How many rows of each table are in only one of two generations. All zero: they are equal.

    Both must have caught up.
    """
    return {
        table: await connection.fetchval(
            f"SELECT count(*) FROM ((SELECT md5(t::text) FROM {projection_set.schema(one)}.{table} t EXCEPT ALL"
            f" SELECT md5(t::text) FROM {projection_set.schema(other)}.{table} t)"
            f" UNION ALL (SELECT md5(t::text) FROM {projection_set.schema(other)}.{table} t EXCEPT ALL"
            f" SELECT md5(t::text) FROM {projection_set.schema(one)}.{table} t)) AS d"
        )
        for table in projection_set.tables
    }
