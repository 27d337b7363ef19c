"""The schema `analytics`: views for analysts over the live generations of the projection sets."""

import hashlib
from pathlib import Path

from shared.database import Connection

ANALYST = "analyst"
"""The database role of analysts. The set-up makes it (`deploy/databases.py`)."""
VIEWS = (Path(__file__).parent / "views.sql").read_text("utf-8")
DIGEST = hashlib.sha256(VIEWS.encode()).hexdigest()
"""The schema's comment, by which it is known whether its views are those of this version."""
NEEDED = ("desk.tickets", "desk.history", "desk.articles", "reports.tickets", "reports.spans", "reports.facts")
COMPLETE = "SELECT bool_and(to_regclass(name) IS NOT NULL) FROM unnest($1::text[]) AS n(name)"
CURRENT = """
SELECT obj_description(n.oid, 'pg_namespace') = $1
       AND (to_regrole($2) IS NULL OR has_schema_privilege(to_regrole($2), n.oid, 'USAGE'))
  FROM pg_namespace n
 WHERE n.nspname = 'analytics'
"""
HAS_ROLE = "SELECT to_regrole($1) IS NOT NULL"


async def drop(connection: Connection) -> None:
    """Removes the views, so that those below them can change. Needs the owner's connection.

    Waits for queries that run on them.
    """
    await connection.execute("DROP SCHEMA IF EXISTS analytics CASCADE")


async def create(connection: Connection) -> None:
    """Makes the views, once every projection set that they need is live. The role of analysts may read them."""
    if not await connection.fetchval(COMPLETE, list(NEEDED)):
        return
    await connection.execute("CREATE SCHEMA analytics")
    await connection.execute(VIEWS)
    await connection.execute(f"COMMENT ON SCHEMA analytics IS '{DIGEST}'")
    if await connection.fetchval(HAS_ROLE, ANALYST):
        await connection.execute(f"GRANT USAGE ON SCHEMA analytics TO {ANALYST}")
        await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO {ANALYST}")


async def up_to_date(connection: Connection) -> None:
    """Makes the views again if they are of another version, or if the role of analysts is new."""
    if not await connection.fetchval(CURRENT, DIGEST, ANALYST):
        async with connection.transaction():
            await drop(connection)
            await create(connection)
