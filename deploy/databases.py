"""Creates the services' databases and roles, and the role of analysts, for the embedded set-up and the containers."""

import asyncpg


async def provide(superuser_url: str, database: str, owner: tuple[str, str], app: tuple[str, str]) -> None:
    """Creates a database with its owner and its application role (name, password), as far as they are missing.

    The owner runs migrations. The application role gets what these grant and nothing else. Existing roles get the given
    passwords.
    """
    connection = await asyncpg.connect(superuser_url, timeout=10)
    try:
        # Slow statements are logged, and these hold passwords.
        await connection.execute("SET log_min_duration_statement = -1")
        for name, password in (owner, app):
            verb = "ALTER" if await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name) else "CREATE"
            literal = "'" + password.replace("'", "''") + "'"
            await connection.execute(f'{verb} ROLE "{name}" LOGIN PASSWORD {literal}')
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(f'CREATE DATABASE "{database}" OWNER "{owner[0]}"')
        await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
        await connection.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO "{app[0]}"')
    finally:
        await connection.close()


ANALYST = "analyst"
CONNECTIONS = 8
"""Of all analysts together."""
DEFAULTS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "5s",
    "search_path": "analytics",
    "max_parallel_workers_per_gather": "0",
    "work_mem": "32MB",
    "temp_file_limit": "2GB",
}
"""A session can change them, except the last one. What must hold is not given in the first place; queries that have
lifted the time-out are ended by reporting."""
FUNCTIONS = """
SELECT p.oid::regprocedure::text
  FROM pg_proc p
 WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
   AND (p.proname ~ '^(lo_|pg_(try_)?advisory_)' OR p.proname IN ('lowrite', 'loread', 'pg_notify', 'pg_logical_emit_message'))
"""
"""With these everybody could fill the disk with large objects and log records, keep locks that services wait for, and
wake them."""


async def provide_analyst(superuser_url: str, database: str, owner: str, app: str, password: str) -> None:
    """Creates the role of analysts, which may connect to this database and do nothing there but read what its owner
    grants.

    `owner` and `app` are the database's other roles; the latter may end the sessions of analysts. An existing role gets
    the password and the defaults again.
    """
    connection = await asyncpg.connect(superuser_url, timeout=10)
    try:
        await connection.execute("SET log_min_duration_statement = -1")
        known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", ANALYST)
        literal = "'" + password.replace("'", "''") + "'"
        await connection.execute(
            f"{'ALTER' if known else 'CREATE'} ROLE {ANALYST} LOGIN PASSWORD {literal} CONNECTION LIMIT {CONNECTIONS}"
            " NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"
        )
        await connection.execute(f"ALTER ROLE {ANALYST} RESET ALL")
        for name, value in DEFAULTS.items():
            await connection.execute(f"ALTER ROLE {ANALYST} SET {name} = '{value}'")
        await connection.execute(f'GRANT {ANALYST} TO "{app}" WITH INHERIT TRUE, SET FALSE')
        for name in ("postgres", "template1"):
            await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC, {ANALYST}')
        await connection.execute(f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO "{app}"')
        await connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO {ANALYST}')
    finally:
        await connection.close()
    connection = await asyncpg.connect(superuser_url, database=database, timeout=10)
    try:
        functions = ", ".join(row[0] for row in await connection.fetch(FUNCTIONS))
        await connection.execute(f"REVOKE EXECUTE ON FUNCTION {functions} FROM PUBLIC")
        await connection.execute(f'GRANT EXECUTE ON FUNCTION {functions} TO "{owner}", "{app}"')
        await connection.execute("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC")
        await connection.execute(f'GRANT USAGE ON LANGUAGE plpgsql TO "{owner}", "{app}"')
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await connection.execute(f'GRANT USAGE ON SCHEMA public TO "{app}"')
        await connection.execute(f'GRANT ALL ON SCHEMA public TO "{owner}"')
    finally:
        await connection.close()
