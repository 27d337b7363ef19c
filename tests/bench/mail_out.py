"""`python -m tests.bench.mail_out`: mails a second from the queue to a local mail server, beside the floor.

Runs the real sender in a process of its own (as `python -m services.notify worker` does), the real store on a
PostgreSQL of its own, and an SMTP sink in a third process. A mail is a reply of 700 bytes, with salutation and
signature.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import cast
from uuid import uuid4

import psutil
import uvloop
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from uuid_utils.compat import uuid7

from deploy.databases import provide
from deploy.local.home import CHECKOUT
from deploy.local.ports import free_ports
from deploy.local.postgres import PostgresServer
from deploy.local.servers import postgres_server
from services.notify.schema import MIGRATIONS
from services.notify.sending import deliveries
from services.notify.sending.sender import Sender
from services.notify.sending.transports.smtp import Server, Smtp
from services.notify.writing.dkim import Key, Signer
from shared.contracts.envelope import Actor
from shared.contracts.notify import NotificationRequested, OutgoingMail
from shared.contracts.parts import Address
from shared.database import Pool, connect_pool
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Append, Context, NewEvent, Store
from tests.bench.__main__ import Result, cpu_of, floor_application, fresh_loop, write_results

BATCH = 200
TEXT = (
    "Dear Per,\n\n" + "Please send us the serial number of your computer. " * 8 + "\n\nKind regards\nKari\nIT support\n"
)


class Sink(asyncio.Protocol):
    """An SMTP server that accepts every mail and keeps none."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.rest, self.in_data = cast("asyncio.Transport", transport), b"", False
        self.transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self.rest += data
        while True:
            if self.in_data:
                if not self.rest.endswith(b"\r\n.\r\n"):
                    return
                self.rest, self.in_data = b"", False
                self.transport.write(b"250 taken\r\n")
            line, found, rest = self.rest.partition(b"\r\n")
            if not found:
                return
            self.rest = rest
            word = line[:4].upper()
            if word == b"DATA":
                self.in_data = True
                self.transport.write(b"354 go on\r\n")
            elif word == b"QUIT":
                self.transport.close()
                return
            else:
                self.transport.write(b"250 yes\r\n")


async def sink(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


async def send(url: str, port: int, keys: str) -> None:
    """Runs the sender after a line on standard input, until the process ends."""
    pool = await connect_pool(url)
    signer = Signer("help.example.org", _keys(keys)) if keys else None
    sender = Sender(Store(pool, "notify"), Smtp(Server.at(f"smtp://127.0.0.1:{port}")), None, signer)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await sender.run()


def _keys(names: str) -> tuple[Key, ...]:
    return tuple(Key.read(Path(each).stem, Path(each)) for each in names.split(","))


async def fill(pool: Pool, count: int, domains: int) -> None:
    """Requests `count` mails as the policy does, each of a ticket of its own."""
    store = Store(pool, "notify")
    for first in range(0, count, BATCH):
        appends = []
        for n in range(first, min(first + BATCH, count)):
            mail = OutgoingMail(
                message_id=f"<ld.{uuid4().hex}@help.example.org>",
                sender=Address(email="it@help.example.org", name="IT support"),
                to=(Address(email=f"per{n}@customer{n % domains}.example", name="Per Hansen"),),
                subject="Re: [Ticket#2026112310000018] My computer hums",
                text=TEXT,
                references=("<first@customer.example>",),
            )
            event = NotificationRequested(notification=uuid4(), kind="answer", article=uuid4(), mail=mail)
            appends.append(Append(uuid7(), "ticket", 0, (NewEvent(event),), Context(Actor("service", "notify"))))
        async with pool.acquire() as connection, connection.transaction():
            appended = await store.append(appends, connection=connection)
            await deliveries.schedule(connection, appended.events)


async def database(postgres: PostgresServer) -> str:
    owner, app = ("mailout_owner", "mailout"), ("mailout_app", "mailout")
    await provide(postgres.superuser_url, "mailout", owner, app)
    url = postgres.url(*app, "mailout")
    await migrate(postgres.url(*owner, "mailout"), url, *MIGRATIONS)
    return url


def cpu_of_postgres() -> float:
    """CPU seconds of the server that this process started, without backends that have ended."""
    return cpu_of([each for each in psutil.Process().children(recursive=True) if each.name() == "postgres"])


def floor_of(postgres: PostgresServer, seconds: float) -> float:
    """Requests a second of the two-insert application."""
    with floor_application(postgres) as (port, _):
        asyncio.run(fresh_loop(port, 2))
        done, took = asyncio.run(fresh_loop(port, seconds))
    return done / took


async def drained(url: str, sender: "subprocess.Popen[str]") -> float:
    """Tells the sender to begin. Returns the seconds until no mail waits."""
    pool = await connect_pool(url, smallest=1, largest=2)
    assert sender.stdin is not None
    sender.stdin.write("go\n")
    sender.stdin.flush()
    started = time.monotonic()
    while (await deliveries.waiting(pool))[0]:
        if sender.poll() is not None or time.monotonic() - started > 300:
            raise SystemExit("bench: the sender does not finish")
        await asyncio.sleep(0.05)
    took = time.monotonic() - started
    await pool.close()
    return took


def measure(url: str, count: int, domains: int, keys: str = "") -> tuple[float, dict[str, float]]:
    """Mails a second, and the milliseconds of CPU for each in the sender and in PostgreSQL."""

    async def filled() -> None:
        pool = await connect_pool(url)
        await fill(pool, count, domains)
        await pool.close()

    asyncio.run(filled())
    (port,) = free_ports(1)
    module = [sys.executable, "-m", "tests.bench.mail_out"]
    server = subprocess.Popen([*module, "--sink", str(port)], cwd=CHECKOUT)
    environment = os.environ | {"BENCH_DATABASE_URL": url}
    command = [*module, "--send", str(port), *(["--keys", keys] if keys else [])]
    sender = subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert sender.stdout is not None and sender.stdout.readline() == "ready\n"
        process = psutil.Process(sender.pid)
        before = {"sender": cpu_of([process]), "postgres": cpu_of_postgres()}
        took = asyncio.run(drained(url, sender))
        after = {"sender": cpu_of([process]), "postgres": cpu_of_postgres()}
    finally:
        for each in (sender, server):
            each.terminate()
            each.wait(30)
    return count / took, {name: (after[name] - before[name]) * 1000 / count for name in after}


def everything(count: int) -> None:
    """Measures and writes every row."""
    rows: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="ledgerdesk-bench-") as folder:
        Path(folder).chmod(0o711)
        with postgres_server(Path(folder)) as postgres:
            floor = floor_of(postgres, 10)
            print(f"floor: {floor:.0f} requests/s of two inserts", flush=True)
            url = asyncio.run(database(postgres))
            measure(url, count // 10, 20)
            names: list[str] = []
            for name, key in (
                ("rsa", rsa.generate_private_key(65537, 2048)),
                ("ed25519", ed25519.Ed25519PrivateKey.generate()),
            ):
                path = Path(folder) / f"{name}.pem"
                path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
                names.append(str(path))
            for what, domains, keys in (
                ("mails out to a local SMTP sink, 20 domains", 20, ""),
                ("the same, one domain", 1, ""),
                ("the same, 20 domains, signed with RSA of 2 048 bits", 20, names[0]),
                ("the same, 20 domains, signed with Ed25519", 20, names[1]),
            ):
                rate, cpu = measure(url, count, domains, keys)
                bar, met = (">= 500", rate >= 500) if not keys else ("-", None)
                row = {
                    "what": what,
                    "ours": rate,
                    "unit": "per s",
                    "floor": floor,
                    "ratio": rate / floor,
                    "bar": bar,
                    "met": met,
                }
                rows.append({**row, "cpu_ms": cpu})
                verdict = "" if met is None else "met" if met else "NOT MET"
                print(
                    f"{what:<52} {rate:7.0f} per s, {rate / floor:.2f} of the floor, bar {bar} {verdict}; CPU a mail: "
                    f"sender {cpu['sender']:.2f} ms, PostgreSQL {cpu['postgres']:.2f} ms",
                    flush=True,
                )
    write_results("mail_out.json", rows, mails=count)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mail_out", description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--sink", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--send", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--keys", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sink:
        uvloop.run(sink(arguments.sink))
    elif arguments.send:
        uvloop.run(send(os.environ["BENCH_DATABASE_URL"], arguments.send, arguments.keys))
    else:
        everything(arguments.mails)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
