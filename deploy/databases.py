"""Creates a service's database with its two roles, for the embedded set-up and the containers."""

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
