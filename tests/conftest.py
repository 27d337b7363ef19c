"""The servers that tests run on: real PostgreSQL and Kafka, started once for a run, or those that the environment names.

`LEDGERDESK_TEST_POSTGRES` is a superuser's URL, `LEDGERDESK_TEST_KAFKA` the password of Kafka's user `admin`, @, a bootstrap address; `LEDGERDESK_TEST_BACKEND=containers` takes
official images on the Docker engine that answers.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
import pytest
from hypothesis import settings

from shared.messaging import topics
from shared.messaging.access.account import KafkaAdmin
from tests import scheduling, servers
from tests.servers import Kafka

settings.register_profile(
    "ledgerdesk", deadline=None
)  # how long an example takes says more of the machine than of the code
settings.load_profile("ledgerdesk")

T = TypeVar("T")
ROOM = 10 * 2**30
"""Bytes; the processes of a whole run fill some four GB."""


@dataclass(frozen=True, slots=True)
class Databases:
    """Makes databases on the run's server, each with an owner and an application role. `strategy` is how they are copied: `file_copy` is the
    quickest where nothing is synced to a disk."""

    superuser_url: str
    strategy: str = "wal_log"

    def database(self, name: str | None = None) -> tuple[str, str]:
        """A fresh database; answers the owner's and the application's URL. `name` only helps to recognise it."""
        return blocking(self._make(f"{name or 'test'}_{secrets.token_hex(4)}"))

    async def _make(self, name: str) -> tuple[str, str]:
        connection = await asyncpg.connect(self.superuser_url)
        try:
            for role in (f"{name}_owner", name):
                await connection.execute(f"""CREATE ROLE "{role}" LOGIN PASSWORD 'test'""")
            await connection.execute(f'CREATE DATABASE "{name}" OWNER "{name}_owner" STRATEGY {self.strategy}')
        finally:
            await connection.close()
        return self._url(f"{name}_owner", name), self._url(name, name)

    def _url(self, role: str, database: str) -> str:
        parts = urlsplit(self.superuser_url)
        return urlunsplit(parts._replace(netloc=f"{role}:test@{parts.hostname}:{parts.port}", path=f"/{database}"))


def blocking(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end from a fixture that may stand inside a running loop."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory of the run's own: pytest closes its temporary folders to other users, and PostgreSQL is one."""
    with tempfile.TemporaryDirectory(prefix="ledgerdesk-tests-", dir=_roomy_memory()) as path:
        Path(path).chmod(0o711)
        yield Path(path)


def _roomy_memory() -> Path | None:
    """The file system in memory, where it has room for everything: a database is three hundred files, and tests make hundreds of databases,
    each in 15 ms there instead of 300."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM and psutil.virtual_memory().available > ROOM
    return memory if roomy else None


@pytest.fixture(scope="session")
def postgres(scratch: Path) -> Iterator[Databases]:
    named = os.environ.get("LEDGERDESK_TEST_POSTGRES")
    if named:
        yield Databases(named)
        return
    with servers.postgres(scratch) as url:
        yield Databases(url, strategy="file_copy")


@pytest.fixture(scope="session")
def kafka(scratch: Path) -> Iterator[Kafka]:
    named = os.environ.get("LEDGERDESK_TEST_KAFKA")
    with contextlib.ExitStack() as stack:
        if named:
            password, _, bootstrap = named.rpartition("@")
            broker = Kafka(KafkaAdmin(bootstrap, password))
        else:
            broker = stack.enter_context(servers.kafka(scratch))
        blocking(topics.ensure(broker.admin, broker.passwords))
        yield broker


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """`tmp_path` stands in memory too, and goes with the run: on a disk, removing what earlier runs left takes half a minute."""
    memory = _roomy_memory()
    if memory is not None and config.option.basetemp is None:  # the processes of a run are told theirs
        folder = tempfile.TemporaryDirectory(prefix="ledgerdesk-tests-", dir=memory, ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        config.option.basetemp = Path(folder.name) / "tmp"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    scheduling.longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.ByModule:
    """A scheduler of ours: xdist's own by groups writes them where pytest 9.2 does not look any more, so that nothing stays together."""
    return scheduling.ByModule(config, log)
