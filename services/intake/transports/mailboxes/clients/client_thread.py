"""The thread in which the blocking client of one mailbox works."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from services.intake.transports.mailboxes.clients.connection import Wire
from services.intake.transports.mailboxes.errors import Trouble, words

T = TypeVar("T")


class Thread:
    """One call at a time, in the order in which they were asked for. A call that takes too long, or whose caller goes, costs the
    connection: so no server can hold a thread."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="mailbox")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wire.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def do(self, seconds: float, call: Callable[..., T], *arguments: object) -> T:
        """What the call answers. Raises Trouble, with words, for whatever it raises."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(running)
        except TimeoutError as error:
            self.wire.cut()
            raise Trouble("the server does not answer") from error
        except asyncio.CancelledError:
            self.wire.cut()
            raise
        except Exception as error:
            # A server can make a client's parser fail in any way: all of them mean that this server cannot be used now.
            self.wire.cut()
            if isinstance(error, Trouble):
                raise
            raise Trouble(words(error)) from error
