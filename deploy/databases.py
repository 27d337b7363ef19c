"""Makes a service's database with its two roles; what the embedded set-up and the containers have in common."""

import asyncpg


async def provide(superuser_url: str, database: str, owner: tuple[str, str], app: tuple[str, str]) -> None:
    """Makes a database with its owner and its application role (name, password), where they are missing.

    The owner runs migrations; the application role gets what these grant and nothing else. A role that is there gets this password.
    """
    connection = await asyncpg.connect(superuser_url, timeout=10)
    try:
        # A slow statement would stand in the log, and these hold passwords.
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
