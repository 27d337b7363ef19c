"""Lost races for a mail, its ticket or its customer."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.eventstore.errors import Raced
from shared.eventstore.runner import until_recorded

Done = TypeVar("Done")

RETRIES = 20
"""More than for a request of a person, so that a flood of mails on one ticket gets through."""


class Contended(OSError):
    """Somebody else was always first: the sender tries again later."""


async def recorded(attempt: Callable[[], Awaitable[Done]]) -> Done:
    """Repeats an attempt that lost a race. Raises Contended when all are lost."""
    try:
        return await until_recorded(attempt, RETRIES)
    except Raced as error:
        raise Contended("a mail lost every race for its ticket") from error
