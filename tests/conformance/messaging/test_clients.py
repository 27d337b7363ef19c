"""A Kafka client ends although its broker is gone (docs/decisions/0098)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.contracts.topics import TICKETS
from shared.messaging import clients, topics
from shared.testing.progress import until
from tests import servers
from tests.servers import Kafka


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Kafka]:
    """A broker of the test's own, which is gone after the block."""
    server = servers.kafka(directory)
    broker = await asyncio.to_thread(server.__enter__)
    try:
        yield broker
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def test_a_producer_with_an_unconfirmed_record_ends_after_its_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`AIOKafkaProducer.stop` alone waits for ever here, and its sender goes on trying."""
    monkeypatch.setattr(clients, "STOP_SECONDS", 0.5)
    async with running(tmp_path) as broker:
        await topics.ensure(broker.admin, {})
        producer = clients.producer(broker.admin, "test")
        client = await producer.__aenter__()
        await client.send_and_wait(TICKETS, b"confirmed", key=b"k")
    await client.send(TICKETS, b"never confirmed", key=b"k")
    await producer.__aexit__(None, None, None)

    async def ended() -> bool:
        running = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
        return running.isdisjoint(("Sender._sender_routine", "AIOKafkaClient._md_synchronizer"))

    await until(ended)
