"""A real process that is killed between the server's reply and the record, and its successor."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator

from shared.contracts.notify import NotificationSent
from shared.testing.keys import ENVIRONMENT
from shared.testing.progress import until
from tests.servers import NO_KAFKA
from tests.services.notify.desk import MailServer, Notify


@contextlib.asynccontextmanager
async def process(desk: Notify, server: MailServer, failpoints: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker of notify without Kafka: waiting mails are sent all the same."""
    environment = {
        **os.environ,
        "LEDGERDESK_LISTEN": "127.0.0.1:0",
        "LEDGERDESK_DATABASE_URL": desk.url,
        **NO_KAFKA.environment("notify"),
        **ENVIRONMENT,
        "LEDGERDESK_MAIL_KEY": "mail key",
        "LEDGERDESK_SMTP_URL": f"smtp://127.0.0.1:{server.port}",
        "LEDGERDESK_LOG_LEVEL": "CRITICAL",
        "LEDGERDESK_FAILPOINTS": failpoints,
    }
    started = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.notify", "worker", env=environment)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
            await asyncio.wait_for(started.wait(), 25)


async def test_the_repeat_after_a_crash_is_the_same_mail(desk: Notify, server: MailServer) -> None:
    ticket, notification = await desk.request()
    async with process(desk, server, "notify.after_send=exit") as first:
        assert await asyncio.wait_for(first.wait(), 30) == -signal.SIGKILL
    assert len(server.received) == 1
    assert await desk.outcome(ticket) is None
    (row,) = await desk.waiting()
    assert 0 < row["pause"].total_seconds() <= 60
    await desk.hurry()
    async with process(desk, server):
        told = await until(lambda: desk.outcome(ticket))
    assert told is not None
    assert told.payload == NotificationSent(notification=notification, transport="smtp", attempts=2)
    one, two = server.received
    assert one.content == two.content


async def test_a_terminated_process_finishes_the_mail_that_is_being_sent(desk: Notify, server: MailServer) -> None:
    server.held = asyncio.Event()
    ticket, _ = await desk.request()
    async with process(desk, server) as one:

        async def asked() -> bool:
            return server.asked > 0

        await until(asked)
        one.terminate()
        server.held.set()
        assert await asyncio.wait_for(one.wait(), 25) == 0
    assert await desk.outcome(ticket) is not None
    assert len(server.received) == 1
