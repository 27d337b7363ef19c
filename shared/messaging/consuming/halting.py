"""A halted consumer: it waits until an operator resumes it (docs/decisions/0004)."""

import asyncio
import logging

from prometheus_client import Gauge

from shared.database import Pool
from shared.runtime.heartbeat import Heartbeat

log = logging.getLogger(__name__)

HALTED = Gauge("ledgerdesk_consumer_halted", "1 while the consumer waits for an operator", ["consumer"])
POLL_SECONDS = 5.0

HALT = "INSERT INTO messaging.halted (consumer, reason) VALUES ($1, $2) ON CONFLICT (consumer) DO NOTHING"
REASON = "SELECT reason FROM messaging.halted WHERE consumer = $1"
RESUME = "DELETE FROM messaging.halted WHERE consumer = $1"


class Halt(Exception):
    """The consumer must not continue until an operator resumes it."""


async def halt(pool: Pool, consumer: str, reason: str) -> None:
    log.critical("consumer %s halts until an operator resumes it: %s", consumer, reason)
    await pool.execute(HALT, consumer, reason)


async def wait_while_halted(pool: Pool, consumer: str, heartbeat: Heartbeat) -> None:
    while (reason := await pool.fetchval(REASON, consumer)) is not None:
        HALTED.labels(consumer).set(1)
        log.error("consumer %s is halted: %s", consumer, reason)
        heartbeat.beat()
        await asyncio.sleep(POLL_SECONDS)
    HALTED.labels(consumer).set(0)


async def resume(pool: Pool, consumer: str) -> bool:
    """Lets a halted consumer continue; False if it was not halted."""
    return (await pool.execute(RESUME, consumer)).endswith(" 1")
