"""Keeps a background task alive: an error ends a run, a pause follows, a new run starts."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Never

log = logging.getLogger(__name__)

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 5.0
QUIET_SECONDS = 30.0
SILENCE_SECONDS = 300.0
"""A consumer or relay that has not gone round for this long hangs: the process is not live. A failing one tries again within seconds."""


async def restarting(name: str, run: Callable[[], Awaitable[None]]) -> Never:
    """Runs `run` for ever. The pause doubles from 0.2 to 5 s, with jitter, and is short again after a run of half a minute."""
    pause = FIRST_SECONDS
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await run()
        except Exception as error:
            log.warning(
                "%s failed and starts again: %s: %s", name, type(error).__name__, error, extra={"restarting": name}
            )
        if loop.time() - started > QUIET_SECONDS:
            pause = FIRST_SECONDS
        await asyncio.sleep(pause * random.uniform(0.7, 1.3))
        pause = min(pause * 2, LONGEST_SECONDS)
