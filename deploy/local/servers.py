"""PostgreSQL and Kafka as child processes while a block runs, for tests and benches."""

import asyncio
import contextlib
import os
import pwd
import secrets
import signal
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from deploy.local import kafka
from deploy.local.kafka import KafkaServer
from deploy.local.ports import free_ports
from deploy.local.postgres import PostgresServer
from deploy.local.supervision import wait


@contextlib.contextmanager
def postgres_server(directory: Path, **settings: str) -> Iterator[PostgresServer]:
    """A new server with its data below `directory`. `settings` are added to those of an installation."""
    server = PostgresServer(directory / "postgres", free_ports(1)[0], "for this run only")
    server.create()
    command = [*server.command(), *(f"-c{name}={value}" for name, value in settings.items())]
    # SIGQUIT: its data is thrown away, and a last checkpoint takes half a minute after some hundred databases.
    with _child(command, directory / "postgres.log", signal.SIGQUIT, server.answers, server.user):
        yield server


@contextlib.contextmanager
def kafka_server(directory: Path) -> Iterator[KafkaServer]:
    """A new broker with its data below `directory`."""
    kafka.install()
    port, controller_port = free_ports(2)
    server = KafkaServer(directory / "kafka", port, controller_port, secrets.token_urlsafe(12))
    server.create()
    # SIGKILL: its data is thrown away, and an orderly end takes half a minute.
    with _child(server.command(), directory / "kafka.log", signal.SIGKILL, server.answers, None):
        yield server


@contextlib.contextmanager
def _child(
    command: list[str],
    log: Path,
    end: signal.Signals,
    answers: Callable[[], Coroutine[Any, Any, bool]],
    user: str | None,
) -> Iterator[None]:
    as_user = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd="/", env=dict(os.environ), **as_user
        )  # type: ignore[call-overload]
    try:
        wait(
            lambda: process.poll() is not None or asyncio.run(answers()), 60, f"{command[0]} does not answer; see {log}"
        )
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended at once: {log.read_text(errors='replace')[-500:]}")
        yield
    finally:
        process.send_signal(end)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
