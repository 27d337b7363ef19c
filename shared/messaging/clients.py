"""Kafka clients with the settings that were measured (architecture, section 11) and an end that cannot hang."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.messaging.access.account import KafkaAccount, KafkaAdmin

log = logging.getLogger(__name__)

SEND_SECONDS = 20.0
"""A batch that is not acknowledged by then is given up and sent again from the outbox: `send` alone waits for ever."""
STOP_SECONDS = 5.0
MOST_BYTES = 4 * 1024 * 1024
"""Of one message before it is compressed. What a broker takes is its own to say, of what is left then."""


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


def wait_for_what_was_brought(client: AIOKafkaConsumer, seconds: float) -> None:
    """How long a started consumer asks for nothing more while records that it has brought are not taken. aiokafka has no option for it."""
    fetcher = client._fetcher  # noqa: SLF001
    if fetcher is None or not hasattr(fetcher, "_prefetch_backoff"):
        raise RuntimeError("this aiokafka keeps its prefetch time elsewhere: see PREFETCH_SECONDS")
    fetcher._prefetch_backoff = seconds  # noqa: SLF001


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Stops a client; when every broker is down its own `stop` waits for ever, so its parts are then closed one by one."""
    if await _in_time(client.stop()):
        return
    sender = getattr(client, "_sender", None)
    parts = [sender.close()] if sender is not None else []
    ended = [await _in_time(part) for part in (*parts, _connections(client).close())]
    if not all(ended):
        log.error("a Kafka client does not end and is left behind")


async def _in_time(ending: Coroutine[object, object, object]) -> bool:
    """Whether it has ended within STOP_SECONDS. Never waits for its cancellation: aiokafka's closing swallows that and goes on."""
    task = asyncio.ensure_future(ending)
    done, _ = await asyncio.wait({task}, timeout=STOP_SECONDS)
    if not done:
        task.cancel()
    elif not task.cancelled() and (error := task.exception()) is not None:
        log.info("a Kafka client ends with %s: %s", type(error).__name__, error)
    return bool(done)


def _connections(client: AIOKafkaProducer | AIOKafkaConsumer):  # type: ignore[no-untyped-def]
    return client.client if isinstance(client, AIOKafkaProducer) else client._client  # noqa: SLF001
