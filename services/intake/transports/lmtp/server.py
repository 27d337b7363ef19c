"""An LMTP server (RFC 2033): a mail server hands in mails and keeps each until the reply is 250.

Written on asyncio's streams and not on aiosmtpd (decision record 0022). In aiosmtpd, DATA keeps an endless line in
memory, an error after DATA gets one reply instead of one per recipient, an exception becomes a permanent 500, and
people's words are logged.
"""

import asyncio
import contextlib
import logging
from typing import Never

from prometheus_client import Gauge

from services.intake.mail.errors import raised_at
from services.intake.transports.lmtp.connections import MOST_BYTES_AT_ONCE, Connections
from services.intake.transports.lmtp.limits import MOST_CONNECTIONS, MOST_CONNECTIONS_OF_A_PEER, Timeouts
from services.intake.transports.lmtp.session import ENDING, Deliver, Session
from services.intake.transports.lmtp.streams import CHUNK, Closed, Input, Output
from shared.network import network
from shared.runtime.heartbeat import Heartbeat

log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
CHECK_SECONDS = 5.0
BUSY = "421 4.3.2 too many connections, try again later"

OPEN = Gauge("ledgerdesk_lmtp_connections", "Open LMTP connections")


class CannotListen(Exception):
    """The listener's address is not available, or the listener was closed."""


class LmtpServer:
    """Listens on `host:port`; `deliver` gets every mail with its envelope."""

    def __init__(
        self,
        listen: str,
        deliver: Deliver,
        *,
        name: str = "ledgerdesk",
        timeouts: Timeouts = Timeouts(),
        most: int = MOST_CONNECTIONS,
        most_of_a_peer: int = MOST_CONNECTIONS_OF_A_PEER,
        most_bytes: int = MOST_BYTES_AT_ONCE,
    ) -> None:
        self._host, _, port = listen.rpartition(":")
        self._port = int(port)
        self._deliver, self._name, self._timeouts = deliver, name, timeouts
        self.connections = Connections(most, most_of_a_peer, most_bytes, timeouts.slow)
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Serves until it is cancelled. Mails that are being taken then still get a reply."""
        try:
            server = await asyncio.start_server(self._connected, self._host.strip("[]"), self._port, limit=CHUNK)
        except OSError as error:  # an OSError would be taken for a fault of the database or the network
            raise CannotListen(f"the LMTP listener cannot start: {error}") from error
        log.info("LMTP listens on %s:%d", self._host, self._port)
        self.connections.is_draining = False
        try:
            while server.is_serving():
                self.heartbeat.beat()
                await asyncio.sleep(CHECK_SECONDS)
            raise CannotListen("the LMTP listener is closed")
        finally:
            self.connections.is_draining = True
            server.close()
            await asyncio.shield(self._drain())

    async def _drain(self) -> None:
        for session in list(self.connections.idle):
            session.cancel()
        if self.connections.all:
            _, late = await asyncio.wait(self.connections.all, timeout=DRAIN_SECONDS)
            for session in late:
                session.cancel()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self.connections.all.add(task)
        OPEN.set(len(self.connections.all))
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.connections.ended(task)
        OPEN.set(len(self.connections.all))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        outgoing = Output(writer, self._timeouts.answer)
        peer = network(str((writer.get_extra_info("peername") or [""])[0]))
        try:
            if not self.connections.admission.admit(task, peer):
                await outgoing.reply(BUSY)
                return
            session = Session(
                self._name, Input(reader), outgoing, self._deliver, self._timeouts, self.connections, task
            )
            await session.serve()
        except TimeoutError:
            with contextlib.suppress(OSError, Closed):
                await outgoing.reply("421 4.4.2 timeout")
        except asyncio.CancelledError:
            with contextlib.suppress(OSError, Closed):
                await outgoing.reply(BUSY if task in self.connections.sent_away else ENDING)
        except (Closed, OSError):
            pass
        except Exception as error:
            log.error("an LMTP session ended: %s in %s", type(error).__name__, raised_at(error))
        finally:
            self.connections.idle.discard(task)
            writer.close()
