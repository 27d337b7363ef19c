"""PostgreSQL connections of every service."""

from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson

if TYPE_CHECKING:  # asyncpg's classes are generic for type checkers only
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    OwnConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Connection: TypeAlias = OwnConnection | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = OwnConnection = Connection = Any

TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.exceptions.LockNotAvailableError,
    OSError,
    TimeoutError,
)
"""Errors of a lost, restarted, full or contended server: the same work may succeed later."""


def _jsonb(value: Any) -> bytes:
    return b"\x01" + orjson.dumps(value)  # the version byte of jsonb's wire format


def _from_jsonb(value: bytes) -> Any:
    return orjson.loads(value[1:])


async def prepare(connection: Connection) -> None:
    """Makes `json` and `jsonb` columns plain Python values, in the binary format that COPY also needs."""
    await connection.set_type_codec(
        "json", schema="pg_catalog", encoder=orjson.dumps, decoder=orjson.loads, format="binary"
    )
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_jsonb, decoder=_from_jsonb, format="binary")


async def _keep(connection: Connection) -> None:
    """Skips the reset after every use, a round trip: nothing changes the session of a pooled connection."""


READ_SECONDS = 5.0
"""How long a statement of a read may take, waiting for locks included."""


async def connect_pool(
    url: str, *, smallest: int = 2, largest: int = 8, statement_seconds: float | None = None
) -> Pool:
    """A pool for short statements and transactions. Use `connect` for work that changes the session.

    PostgreSQL cancels a statement after `statement_seconds`: asyncpg.QueryCanceledError. Without it, only the client
    gives up after 30 s.
    """
    limit = {} if statement_seconds is None else {"statement_timeout": str(round(statement_seconds * 1000))}
    return await asyncpg.create_pool(
        url,
        min_size=smallest,
        max_size=largest,
        init=prepare,
        reset=_keep,
        command_timeout=30,
        timeout=10,
        server_settings=limit,
    )


async def connect(url: str) -> OwnConnection:
    """A single connection, for advisory locks and notifications."""
    connection: OwnConnection = await asyncpg.connect(url, timeout=10, command_timeout=30)
    await prepare(connection)
    return connection
