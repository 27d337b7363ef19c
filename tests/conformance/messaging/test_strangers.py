"""Authentication and authorization at a real Kafka."""

import socket
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    AuthenticationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    TopicAuthorizationFailedError,
    for_code,
)

from deploy.local.servers import kafka_server
from shared.contracts.topics import DIRECTORY, REPORTS, RULES, TICKETS
from shared.messaging import topics
from shared.messaging.clients import consumer, producer
from tests.servers import Kafka

METADATA, API_VERSIONS = 3, 18


def asked(port: int, request: int, body: bytes) -> bytes:
    """The response to one request of an unauthenticated client; empty if the server closes the connection."""
    message = struct.pack("!hhih", request, 0, 1, -1) + body
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(struct.pack("!i", len(message)) + message)
        with suppress(ConnectionResetError):
            return connection.recv(4096)
    return b""


def port_of(kafka: Kafka) -> int:
    return int(kafka.admin.bootstrap.rpartition(":")[2])


def test_unauthenticated_clients_learn_nothing(kafka: Kafka) -> None:
    assert asked(port_of(kafka), METADATA, struct.pack("!i", 0)) == b""


def test_a_health_check_needs_no_sign_in(kafka: Kafka) -> None:
    """`deploy/docker/kafka-answers.sh` sends this."""
    assert asked(port_of(kafka), API_VERSIONS, b"")[4:10] == struct.pack("!ih", 1, 0)


def test_the_controller_refuses_unauthenticated_clients_too(tmp_path: Path) -> None:
    with kafka_server(tmp_path) as server:
        assert asked(server.controller_port, METADATA, struct.pack("!i", 0)) == b""
        assert asked(server.controller_port, API_VERSIONS, b"")[4:10] == struct.pack("!ih", 1, 0)  # it is there
        assert server.data.stat().st_mode & 0o077 == 0
        assert (server.data / "server.properties").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "changed",
    [{"password": "x"}, {"user": "admin"}, {"user": "nobody"}, {"user": "intake"}],  # pragma: allowlist secret
    ids=str,
)
async def test_a_wrong_name_or_password_does_not_open(kafka: Kafka, changed: dict[str, str]) -> None:
    stranger = replace(kafka.account("routing"), **changed)  # type: ignore[arg-type]
    with pytest.raises((AuthenticationFailedError, KafkaConnectionError)):
        async with producer(stranger, "test"):
            pass


@pytest.mark.parametrize(
    ("service", "topic"),
    [
        ("gateway", TICKETS),
        ("routing", DIRECTORY),
        ("notify", DIRECTORY),
        ("reporting", TICKETS),
        ("reporting", DIRECTORY),
        ("intake", REPORTS),
        ("routing", REPORTS),
        ("reporting", REPORTS),
        ("gateway", RULES),
        ("notify", RULES),
    ],
)
async def test_a_service_writes_no_topic_of_others(kafka: Kafka, service: str, topic: str) -> None:
    # Not idempotent: without a permission to write there is no producer id, and aiokafka would ask for one for ever.
    client = AIOKafkaProducer(**kafka.account(service).options)
    await client.start()
    try:
        with pytest.raises(TopicAuthorizationFailedError):
            await client.send_and_wait(topic, b"{}", key=b"x")
    finally:
        await client.stop()


async def test_the_gateway_is_told_nothing_of_tickets(kafka: Kafka) -> None:
    client = AIOKafkaAdminClient(**kafka.account("gateway").options)
    await client.start()
    try:
        assert sorted(await client.list_topics()) == [DIRECTORY, REPORTS, RULES]
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("service", "known"),
    [
        ("intake", [DIRECTORY, TICKETS]),
        ("routing", [DIRECTORY, RULES, TICKETS]),
        ("reporting", [DIRECTORY, TICKETS]),
    ],
)
async def test_only_notify_reads_the_reports(kafka: Kafka, service: str, known: list[str]) -> None:
    client = AIOKafkaAdminClient(**kafka.account(service).options)
    await client.start()
    try:
        assert sorted(await client.list_topics()) == known
    finally:
        await client.close()


async def test_a_service_joins_no_group_of_another(kafka: Kafka) -> None:
    """It would take partitions away, and the other consumer would stop."""
    client = AIOKafkaConsumer(TICKETS, **kafka.account("notify").options, group_id="ledgerdesk.routing")
    with pytest.raises(GroupAuthorizationFailedError):
        async with consumer(client):
            await client.getone()


@pytest.mark.parametrize("service", ["intake", "reporting"])
async def test_a_service_makes_and_removes_no_topics(kafka: Kafka, service: str) -> None:
    admin = AIOKafkaAdminClient(**kafka.account(service).options)
    await admin.start()
    try:
        made = await admin.create_topics([NewTopic("of-its-own", num_partitions=1, replication_factor=1)])
        removed = await admin.delete_topics([TICKETS])
    finally:
        await admin.close()
    answers: list[Any] = [error for _, error, *_ in (*made.topic_errors, *removed.topic_error_codes)]
    assert {for_code(code) for code in answers} == {TopicAuthorizationFailedError}
    async with topics.administering(kafka.admin) as ours:
        present = await ours.list_topics()
    assert TICKETS in present and "of-its-own" not in present
