"""Waiting for an event with a bound, in a way that a cancellation always gets through."""

import asyncio


async def woken(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event was set within the time. `asyncio.wait_for` of Python 3.11 swallows a cancellation that arrives together
    with the event, and a loop around it then never ends."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
