"""The job that creates every service's database and roles in PostgreSQL, with the passwords from `prepare`."""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from deploy.databases import provide, provide_analyst
from deploy.docker.trouble import Trouble
from deploy.docker.volumes import SERVICES


def main(urls: Path) -> None:
    """Raises Trouble. Running it again changes nothing."""
    try:
        asyncio.run(_provide(urls))
    except asyncpg.InvalidAuthorizationSpecificationError:
        raise Trouble(
            "PostgreSQL refuses the password of the volume `secrets`: the volume `postgres` was made with another one;"
            " restore the two volumes that belong together (see docs/deploy/compose.md)"
        ) from None
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise Trouble(f"the databases cannot be made: {type(error).__name__}: {error}") from error


async def _provide(urls: Path) -> None:
    superuser = read(urls, "postgres-url")
    for service in SERVICES:
        await provide(
            superuser, service, _role(read(urls, f"{service}-owner-url")), _role(read(urls, f"{service}-url"))
        )
    _, password = _role(read(urls, "analyst-url"))
    await provide_analyst(superuser, "reporting", "reporting_owner", "reporting", password)


def read(urls: Path, name: str) -> str:
    """A URL that `prepare` has given to the jobs."""
    try:
        return (urls / name).read_text("utf-8")
    except OSError as error:
        raise Trouble(f"{name} is not in {urls}: {error.strerror}; run the job `prepare` first") from error


def _role(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")
