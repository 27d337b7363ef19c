"""Kafka clients with measured settings, which stop within a bounded time."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.messaging.access.account import KafkaAccount, KafkaAdmin

log = logging.getLogger(__name__)

SEND_SECONDS = 20.0
"""After that, a batch that is not acknowledged is sent again from the outbox: `send` alone would wait for ever."""
STOP_SECONDS = 5.0
MOST_BYTES = 4 * 1024 * 1024
"""Of one message before compression. The broker has a limit of its own for what is left afterwards."""


@contextlib.asynccontextmanager
async def producer(kafka: KafkaAccount | KafkaAdmin, client_id: str) -> AsyncIterator[AIOKafkaProducer]:
    """An idempotent producer: the order within a partition survives its own retries."""
    client = AIOKafkaProducer(
        **kafka.options,
        client_id=client_id,
        enable_idempotence=True,
        acks="all",
        compression_type="zstd",
        linger_ms=5,
        max_batch_size=128 * 1024,
        max_request_size=MOST_BYTES,
        request_timeout_ms=10_000,
        retry_backoff_ms=100,
    )
    try:
        await asyncio.wait_for(client.start(), SEND_SECONDS)
        yield client
    finally:
        await _stop(client)


@contextlib.asynccontextmanager
async def consumer(client: AIOKafkaConsumer) -> AsyncIterator[AIOKafkaConsumer]:
    """Starts a consumer and leaves its group at the end."""
    try:
        await asyncio.wait_for(client.start(), SEND_SECONDS)
        yield client
    finally:
        await _stop(client)


def limit_prefetch(client: AIOKafkaConsumer, seconds: float) -> None:
    """For so long a started consumer requests no more records while fetched ones stay unread.

    aiokafka has no public option for it (docs/decisions/0098).
    """
    fetcher = client._fetcher  # noqa: SLF001
    if fetcher is None or not hasattr(fetcher, "_prefetch_backoff"):
        raise RuntimeError("this version of aiokafka keeps its prefetch limit elsewhere: see PREFETCH_SECONDS")
    fetcher._prefetch_backoff = seconds  # noqa: SLF001


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Stops a client within a bounded time.

    While no broker answers, aiokafka's own `stop` may wait for ever. Then the producer's sender and the connections are
    closed one by one (docs/decisions/0098).
    """
    if await _ends(client.stop()):
        return
    parts: list[Coroutine[object, object, object]]
    if isinstance(client, AIOKafkaProducer):
        parts = [client._sender.close(), client.client.close()]  # noqa: SLF001
    else:
        parts = [client._client.close()]  # noqa: SLF001
    if not all([await _ends(part) for part in parts]):
        log.error("a Kafka client does not stop and is left behind")


async def _ends(closing: Coroutine[object, object, object]) -> bool:
    """Whether it ends within STOP_SECONDS; otherwise it is cancelled.

    Does not wait for the cancellation: aiokafka swallows it in places and goes on closing.
    """
    task = asyncio.ensure_future(closing)
    done, _ = await asyncio.wait({task}, timeout=STOP_SECONDS)
    if not done:
        task.cancel()
    elif not task.cancelled() and (error := task.exception()) is not None:
        log.info("a Kafka client stops with %s: %s", type(error).__name__, error)
    return bool(done)
