"""Numbered SQL migrations, applied in order, each in its own transaction. One that has landed is never edited."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import asyncpg

from shared.database import Connection, OwnConnection

_NAME = re.compile(r"^\d{4}_[a-z0-9_]+\.sql$")
_LOCK = 0x1ED6E8  # one migration run at a time in a database


class MigrationError(Exception):
    """This version cannot migrate the database; the message says why and what to do."""


def role_of(url: str) -> str:
    """The role that a database URL signs in as."""
    name = urlsplit(url).username
    if not name:
        raise MigrationError("the database URL names no role: write postgresql://role:password@host:port/database")
    return unquote(name)


def folders(*packages: ModuleType) -> list[Path]:
    """The folder with the migrations of each package, in this order."""
    return [Path(package.__path__[0]) / "migrations" for package in packages]


def files(directories: Sequence[Path]) -> list[tuple[str, str]]:
    """Every migration as (name, SQL text), in the order of the directories. A name is `package/NNNN_title.sql`."""
    found: list[tuple[str, str]] = []
    for directory in directories:
        for path in sorted(directory.glob("*.sql")):
            if not _NAME.match(path.name):
                raise MigrationError(f"{path.name} is not named NNNN_title.sql")
            found.append((f"{directory.parent.name}/{path.name}", path.read_text("utf-8")))
    return found


async def migrate(owner_url: str, app_url: str, *directories: Path) -> list[str]:
    """Applies the missing migrations and returns their names. `{{app}}` in a file stands for the role of `app_url`.

    Raises MigrationError if an applied file has changed, or the database is from a newer version.
    """
    wanted = files(directories)
    connection: OwnConnection = await asyncpg.connect(owner_url, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS public.migrations"
            " (name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        app = '"' + role_of(app_url).replace('"', '""') + '"'
        await connection.execute(f"GRANT SELECT ON public.migrations TO {app}")
        applied = {row["name"]: row["digest"] for row in await connection.fetch("SELECT * FROM public.migrations")}
        unknown = sorted(applied.keys() - {name for name, _ in wanted})
        if unknown:
            raise MigrationError(
                f"the database is from a newer version (it has {unknown[-1]}): start that version or restore a backup"
            )
        done: list[str] = []
        for name, text in wanted:
            digest = hashlib.sha256(text.encode()).hexdigest()
            if name in applied:
                if applied[name] != digest:
                    raise MigrationError(f"{name} was changed after it had been applied: add a new migration instead")
                continue
            async with connection.transaction():
                await connection.execute(text.replace("{{app}}", app))
                await connection.execute("INSERT INTO public.migrations (name, digest) VALUES ($1, $2)", name, digest)
            done.append(name)
        return done
    finally:
        await connection.close()


async def pending(connection: Connection, *directories: Path) -> list[str]:
    """The migrations that the database lacks, for readiness checks."""
    if await connection.fetchval("SELECT to_regclass('public.migrations')") is None:
        return [name for name, _ in files(directories)]
    applied = {row["name"] for row in await connection.fetch("SELECT name FROM public.migrations")}
    return [name for name, _ in files(directories) if name not in applied]
