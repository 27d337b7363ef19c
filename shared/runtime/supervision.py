"""Keeps a background task alive: an error ends a run, a pause follows, a new run starts."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Never

from aiokafka.errors import KafkaError

from shared.database import TRANSIENT
from shared.runtime.pulse import Pulse

log = logging.getLogger(__name__)

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0
QUIET_SECONDS = 30.0
ELSEWHERE = (*TRANSIENT, KafkaError)
"""What a database or broker that is away raises: trying again is all that the task can do, and a new process could do no more."""


async def restarting(name: str, run: Callable[[], Awaitable[object]], pulse: Pulse) -> Never:
    """Runs `run` for ever. The pause doubles from 0.2 to 5 s, with jitter, and is short again after a run of half a minute.

    A failure that lies elsewhere is a sign of life. One of our own is none, nor is an end: a task that never gets anywhere makes the
    process one that is not live.
    """
    pause = FIRST_SECONDS
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await run()
        except Exception as error:
            if isinstance(error, ELSEWHERE):
                pulse.excuse()
            log.warning(
                "%s failed and starts again: %s: %s", name, type(error).__name__, error, extra={"restarting": name}
            )
        if loop.time() - started > QUIET_SECONDS:
            pause = FIRST_SECONDS
        await asyncio.sleep(pause * random.uniform(0.7, 1.3))
        pause = min(pause * 2, LONGEST_SECONDS)
