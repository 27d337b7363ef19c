"""Supervision of background tasks: a run that fails is started again, with backoff."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Never

from aiokafka.errors import KafkaError

from shared.database import TRANSIENT
from shared.runtime.heartbeat import Heartbeat

log = logging.getLogger(__name__)

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0
QUIET_SECONDS = 30.0
ELSEWHERE = (*TRANSIENT, KafkaError)
"""Errors of a database or broker that is down. The task can only retry, and a new process could do no more."""


async def supervise(name: str, run: Callable[[], Awaitable[object]], heartbeat: Heartbeat) -> Never:
    """Calls `run` again and again. The pause doubles from 0.2 to 5 s, with jitter; a run of 30 s resets it.

    An error of a dependency counts as progress. Any other error does not, and neither does the end of `run`: a task
    that never gets anywhere makes the process not live.
    """
    pause = FIRST_SECONDS
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await run()
        except Exception as error:
            if isinstance(error, ELSEWHERE):
                heartbeat.excuse()
            log.warning(
                "%s failed and starts again: %s: %s", name, type(error).__name__, error, extra={"restarting": name}
            )
        if loop.time() - started > QUIET_SECONDS:
            pause = FIRST_SECONDS
        await asyncio.sleep(pause * random.uniform(0.7, 1.3))
        pause = min(pause * 2, LONGEST_SECONDS)
