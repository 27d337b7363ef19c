"""The thread in which the blocking client of one mailbox runs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from services.intake.transports.mailboxes.clients.connection import ServerConnection
from services.intake.transports.mailboxes.errors import MailboxError, describe

T = TypeVar("T")


class ClientThread:
    """Runs one call at a time, in order. If a call takes too long or its caller is cancelled, the connection is
    aborted, so that no server can block a thread."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="mailbox")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def call(self, seconds: float, function: Callable[..., T], *arguments: object) -> T:
        """The result of a function. Raises MailboxError for everything that the function raises."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        running.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(running)
        except TimeoutError as error:
            self.connection.abort()
            raise MailboxError("the server does not answer") from error
        except asyncio.CancelledError:
            self.connection.abort()
            raise
        except Exception as error:
            # A server can make the client's parser fail in any way; each means that the server cannot be used now.
            self.connection.abort()
            if isinstance(error, MailboxError):
                raise
            raise MailboxError(describe(error)) from error
