"""The PostgreSQL and the Kafka of a test run: child processes of this machine, or containers (`LEDGERDESK_TEST_BACKEND=containers`)."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from deploy.local import servers
from deploy.local.ports import free_ports
from deploy.local.postgres import SETTINGS

POSTGRES_IMAGE = "postgres:18"
KAFKA_IMAGE = "apache/kafka:4.3.1"
KAFKA_STARTED = "Kafka Server started"
"""What the image's broker logs last."""
LOOPBACK = "127.0.0.1"
THROWN_AWAY = {"fsync": "off", "full_page_writes": "off"}
"""What these servers keep need not survive a machine that loses its power; processes that die lose nothing by it."""


class UnknownBackend(Exception):
    """LEDGERDESK_TEST_BACKEND is none of those that there are."""


def in_containers() -> bool:
    """Whether the run wants containers. Raises UnknownBackend."""
    wanted = os.environ.get("LEDGERDESK_TEST_BACKEND", "")
    if wanted not in ("", "local", "containers"):
        raise UnknownBackend(f"LEDGERDESK_TEST_BACKEND is {wanted!r}: write local or containers")
    return wanted == "containers"


@contextlib.contextmanager
def postgres(directory: Path) -> Iterator[str]:
    """A fresh server's superuser URL. What a child process keeps is below `directory`."""
    if not in_containers():
        with servers.postgres_server(directory, **THROWN_AWAY) as server:
            yield server.superuser_url
        return
    from testcontainers.community.postgres import PostgresContainer

    wanted = {name: value for name, value in SETTINGS.items() if name != "listen_addresses"} | THROWN_AWAY
    settings = [f"-c{name}={value}" for name, value in wanted.items()]
    container = PostgresContainer(POSTGRES_IMAGE, username="postgres", password=secrets.token_urlsafe(12), driver=None)
    container.with_command(["postgres", *settings])
    container.ports["5432"] = (LOOPBACK, None)  # type: ignore[assignment]  # a free one; not on every address
    with container:
        yield container.get_connection_url()


@contextlib.contextmanager
def kafka(directory: Path) -> Iterator[str]:
    """A fresh broker's bootstrap address. What a child process keeps is below `directory`."""
    if not in_containers():
        with servers.kafka_server(directory) as server:
            yield server.bootstrap
        return
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    # The port is chosen beforehand: the broker tells its clients the address that they are to come back to.
    port = free_ports(1)[0]
    container = DockerContainer(KAFKA_IMAGE).waiting_for(LogMessageWaitStrategy(KAFKA_STARTED))
    container.ports["9092"] = (LOOPBACK, port)  # type: ignore[assignment]
    container.with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_LISTENERS="PLAINTEXT://:9092,CONTROLLER://127.0.0.1:9093",
        KAFKA_ADVERTISED_LISTENERS=f"PLAINTEXT://{LOOPBACK}:{port}",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_CONTROLLER_QUORUM_VOTERS="1@127.0.0.1:9093",
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="8",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
    )
    with container:
        yield f"{LOOPBACK}:{port}"
