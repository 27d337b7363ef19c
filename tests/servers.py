"""The PostgreSQL and the Kafka of a test run: child processes of this machine, or containers (`LEDGERDESK_TEST_BACKEND=containers`)."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.kafka_access import access, as_environment
from deploy.local import servers
from deploy.local.home import SERVICES
from deploy.local.ports import free_ports
from deploy.local.postgres import SETTINGS
from shared.contracts.envelope import Recorded, encode
from shared.messaging.access.account import KafkaAccount, KafkaAdmin
from shared.messaging.access.authenticity import HEADER, EventKeys

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


@dataclass(frozen=True, slots=True)
class Kafka:
    """A broker for tests: who sets it up, and who each service is there."""

    admin: KafkaAdmin
    secret: str = "of this run"

    @property
    def passwords(self) -> dict[str, str]:
        return {service: f"{service} of this run" for service in SERVICES}

    def account(self, service: str) -> KafkaAccount:
        return KafkaAccount(
            self.admin.bootstrap, service, self.passwords[service], EventKeys.derived(self.secret, service)
        )

    def record(self, topic: str, event: Recorded) -> dict[str, Any]:
        """What the relay of an event's producer gives to `send`."""
        return self.signed(event.producer, topic, str(event.stream).encode(), encode(event))

    def signed(self, author: str, topic: str, key: bytes, value: bytes) -> dict[str, Any]:
        """The same for any record of a service."""
        header = EventKeys.derived(self.secret, author).sign(topic, key, value)
        return {"topic": topic, "key": key, "value": value, "headers": [(HEADER, header)]}

    def environment(self, service: str) -> dict[str, str]:
        """What a process of this service is told of it."""
        account = self.account(service)
        return {
            "LEDGERDESK_KAFKA_BOOTSTRAP": account.bootstrap,
            "LEDGERDESK_KAFKA_PASSWORD": account.password,
            "LEDGERDESK_EVENT_KEYS": account.keys.text,
        }


NO_KAFKA = Kafka(KafkaAdmin("127.0.0.1:1", ""))
"""Nobody listens there."""


@contextlib.contextmanager
def kafka(directory: Path) -> Iterator[Kafka]:
    """A fresh broker without topics. What a child process keeps is below `directory`."""
    if not in_containers():
        with servers.kafka_server(directory) as server:
            yield Kafka(server.admin)
        return
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    # The port is chosen beforehand: the broker tells its clients the address that they are to come back to.
    port = free_ports(1)[0]
    password = secrets.token_urlsafe(12)
    container = DockerContainer(KAFKA_IMAGE).waiting_for(LogMessageWaitStrategy(KAFKA_STARTED))
    container.ports["9092"] = (LOOPBACK, port)  # type: ignore[assignment]
    container.with_envs(
        KAFKA_NODE_ID="1",
        KAFKA_PROCESS_ROLES="broker,controller",
        KAFKA_LISTENERS="INSIDE://:9092,CONTROLLER://127.0.0.1:9093",
        KAFKA_ADVERTISED_LISTENERS=f"INSIDE://{LOOPBACK}:{port}",
        KAFKA_INTER_BROKER_LISTENER_NAME="INSIDE",
        KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
        KAFKA_CONTROLLER_QUORUM_VOTERS="1@127.0.0.1:9093",
        KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
        KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="8",
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
        **as_environment(access(password)),
    )
    with container:
        yield Kafka(KafkaAdmin(f"{LOOPBACK}:{port}", password))
