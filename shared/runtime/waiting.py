"""Waiting for an event with a timeout, without losing a cancellation."""

import asyncio


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event was set within the time.

    `asyncio.wait_for` of Python 3.11 swallows a cancellation that arrives together with the event; a loop around it
    would then never end.
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
