"""The LMTP listener with slow, silent or many connections: clients that bring mail get through."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from deploy.local.ports import free_ports
from services.intake.mailroom.envelope import Envelope
from services.intake.transports.lmtp.connections import MOST_BYTES_AT_ONCE
from services.intake.transports.lmtp.limits import Timeouts
from services.intake.transports.lmtp.server import LmtpServer
from shared.runtime.supervision import supervise
from shared.testing.progress import until
from tests.services.intake.reception import mail

ID = "01a208e3-a7cd-7053-aaf7-008519e0878d"
SHORT = 0.2


@dataclass
class Listener:
    """A listener with few places; `deliver` takes every mail at once unless it is replaced."""

    port: int
    taken: list[bytes] = field(default_factory=list)
    deliver: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, raw: bytes, envelope: Envelope) -> str:
        if self.deliver is not None:
            await self.deliver()
        self.taken.append(raw)
        return ID

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def greeted(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.connect()
        assert (await reader.readline()).startswith(b"220")
        return reader, writer

    async def hand_in(self, code: str = "250 2.0.0 taken") -> str:
        """The reply to a mail that begins with this, else the last reply."""
        reader, writer = await self.connect()
        writer.write(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\nDATA\r\n" + mail() + b".\r\nQUIT\r\n")
        answers = (await answered_until_closed(reader)).splitlines()
        writer.close()
        return next((each for each in answers if each.startswith(code)), answers[-1])


@asynccontextmanager
async def listening(
    timeouts: Timeouts = Timeouts(), most: int = 3, most_of_a_peer: int = 3, most_bytes: int = MOST_BYTES_AT_ONCE
) -> AsyncIterator[tuple[Listener, LmtpServer]]:
    (port,) = free_ports(1)
    made = Listener(port)
    server = LmtpServer(
        f"127.0.0.1:{port}", made, timeouts=timeouts, most=most, most_of_a_peer=most_of_a_peer, most_bytes=most_bytes
    )
    running = asyncio.create_task(server.run())

    await until(lambda: _listens(port))
    yield made, server
    running.cancel()
    await asyncio.wait([running])


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


async def answered_until_closed(reader: asyncio.StreamReader) -> str:
    """Everything until the end. A connection that is closed while data is on its way is reset."""
    answers = b""
    with contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            answers += line
    return answers.decode()


async def test_connections_that_say_nothing_make_room_for_mail() -> None:
    async with listening() as (desk, _):
        silent = [await desk.greeted() for _ in range(3)]
        assert ID in await desk.hand_in()
        assert (await answered_until_closed(silent[0][0])).startswith("421 4.3.2")
        assert ID in await desk.hand_in(), "there is room now"
        for _, writer in silent:
            writer.close()


async def test_a_slow_mail_is_ended_when_another_needs_its_memory() -> None:
    async with listening() as (desk, _):
        slow = [await desk.greeted() for _ in range(3)]
        for reader, writer in slow:
            writer.write(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\nDATA\r\nS")
            while not (await reader.readline()).startswith(b"354"):
                pass
        assert ID in await desk.hand_in()
        assert (await answered_until_closed(slow[0][0])).startswith("421 4.3.2")
        assert len(desk.taken) == 1
        for _, writer in slow:
            writer.close()


async def test_a_complete_mail_is_never_ended_for_another() -> None:
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slowly() -> None:
        arrived.release()
        await go_on.wait()

    async with listening() as (desk, _):
        desk.deliver = slowly
        mails = [asyncio.create_task(desk.hand_in()) for _ in range(3)]
        for _ in mails:
            await arrived.acquire()
        assert (await desk.hand_in()).startswith("421 4.3.2")
        go_on.set()
        assert all(ID in answer for answer in await asyncio.gather(*mails))


async def test_one_peer_never_has_all_places() -> None:
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slowly() -> None:
        arrived.release()
        await go_on.wait()

    async with listening(most=3, most_of_a_peer=2) as (desk, server):
        desk.deliver = slowly
        mails = [asyncio.create_task(desk.hand_in()) for _ in range(2)]
        for _ in mails:
            await arrived.acquire()
        assert (await desk.hand_in()).startswith("421 4.3.2")
        assert server.connections.admission.admit(asyncio.create_task(asyncio.sleep(0)), "192.0.2.1"), (
            "there is room for others"
        )
        go_on.set()
        await asyncio.gather(*mails)


@pytest.mark.parametrize(
    ("timeouts", "said"),
    [
        (Timeouts(greeting=SHORT), b""),
        (Timeouts(greeting=SHORT), b"NOOP\r\n"),
        (Timeouts(idle=SHORT), b"LHLO x\r\n"),
        (Timeouts(command=SHORT), b"LHLO x\r\nMAIL FR"),
        (Timeouts(command=SHORT), b"LH"),
        (Timeouts(mail=SHORT), b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\nDATA\r\nSubject: x\r\n"),
        (Timeouts(idle=SHORT), b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\n"),
    ],
    ids=["greeting", "no-greeting-but-words", "idle", "command", "first-command", "content", "envelope"],
)
async def test_every_step_has_a_timeout(timeouts: Timeouts, said: bytes) -> None:
    async with listening(timeouts) as (desk, _):
        reader, writer = await desk.greeted()
        writer.write(said)
        assert (await answered_until_closed(reader)).splitlines()[-1] == "421 4.4.2 timeout"
        writer.close()


@pytest.mark.parametrize(
    ("timeouts", "before", "drop"),
    [
        (Timeouts(greeting=SHORT), b"", b"NOOP\r\n"),
        (Timeouts(command=SHORT), b"LHLO x\r\n", b"x"),
        (Timeouts(mail=SHORT), b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\nDATA\r\n", b"x"),
        (Timeouts(idle=SHORT), b"LHLO x\r\nMAIL FROM:<>\r\n", b"RCPT TO:<it@help.example>\r\n"),
    ],
    ids=["greeting", "command", "content", "envelope"],
)
async def test_sending_byte_by_byte_does_not_extend_a_timeout(timeouts: Timeouts, before: bytes, drop: bytes) -> None:
    async with listening(timeouts) as (desk, _):
        reader, writer = await desk.greeted()
        writer.write(before)
        told = asyncio.create_task(answered_until_closed(reader))
        while not told.done():
            writer.write(drop)
            await asyncio.wait([told], timeout=SHORT / 10)
        await told
        writer.close()


async def test_a_client_that_does_not_read_replies_is_disconnected() -> None:
    async with listening(Timeouts(answer=SHORT)) as (desk, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.port, limit=1024)
        assert (await reader.readline()).startswith(b"220")

        async def ended() -> bool:
            if not writer.transport.is_closing():
                writer.write(b"NOOP\r\n" * 10_000)
            return not server.connections.all

        await until(ended)
        writer.transport.abort()


async def test_the_timeout_of_a_mail_restarts_for_each_part_of_it() -> None:
    """At a rate that is allowed it takes several times as long as the shortest mail may; what came before gives no
    credit."""
    async with listening(Timeouts(mail=SHORT, mail_bytes=1024)) as (desk, _):
        reader, writer = await desk.greeted()
        writer.write(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\nDATA\r\n")
        while not (await reader.readline()).startswith(b"354"):
            pass
        loop = asyncio.get_running_loop()
        end, told = loop.time() + 3 * SHORT, asyncio.create_task(answered_until_closed(reader))
        while loop.time() < end:
            writer.write(b"x" * 2046 + b"\r\n")
            await asyncio.wait([told], timeout=SHORT / 10)
            assert not told.done()
        assert (await told).splitlines()[-1] == "421 4.4.2 timeout"
        writer.close()


async def test_every_mail_is_read_in_bounded_time() -> None:
    async with listening(Timeouts(longest=SHORT)) as (desk, _):
        reader, writer = await desk.greeted()
        writer.write(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\nDATA\r\n")
        told = asyncio.create_task(answered_until_closed(reader))
        while not told.done():
            writer.write(b"x" * 2046 + b"\r\n")
            await asyncio.wait([told], timeout=SHORT / 10)
        writer.close()


@pytest.mark.parametrize(("slow", "answer"), [(0.0, "250 2.0.0 taken"), (60.0, "452 4.3.1")])
async def test_mails_that_come_slowly_take_no_memory_from_others(
    slow: float, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer that has just begun is not slow: the next mail waits at its sender."""
    monkeypatch.setattr("services.intake.transports.lmtp.connections.SWIFT", float("inf"))
    async with listening(Timeouts(slow=slow), most_bytes=100_000) as (desk, server):
        reader, writer = await desk.greeted()
        writer.write(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<it@help.example>\r\nDATA\r\n" + b"x" * 99_998 + b"\r\n")

        async def here() -> bool:
            return sum(each.size for each in server.connections.transfers.values()) > 99_000

        await until(here)
        assert (await desk.hand_in(answer)).startswith(answer)
        told = asyncio.create_task(answered_until_closed(reader))
        if slow:
            writer.write(b".\r\nQUIT\r\n")
        assert ("421 4.3.2" in await told) is (not slow)
        assert not server.connections.transfers
        writer.close()


async def test_a_listener_that_cannot_listen_does_not_count_as_alive() -> None:
    (port,) = free_ports(1)
    tried = asyncio.Semaphore(0)
    server = LmtpServer(f"127.0.0.1:{port}", Listener(port))

    async def run() -> None:
        tried.release()
        await server.run()

    with socket.create_server(("127.0.0.1", port)):
        server.heartbeat.beat(rest=-1000)
        running = asyncio.create_task(supervise("lmtp", run, server.heartbeat))
        for _ in range(2):
            await tried.acquire()
        assert server.heartbeat.silent_for(time.monotonic()) > 900
    await until(lambda: _listens(port))
    running.cancel()
    await asyncio.wait([running])


async def test_its_pulse_beats_while_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.intake.transports.lmtp.server.CHECK_SECONDS", 0.01)
    async with listening() as (_, server):
        server.heartbeat.beat(rest=-1000)

        async def fresh() -> bool:
            return server.heartbeat.silent_for(time.monotonic()) < 100

        await until(fresh)
