"""A whole system of real processes for a test run: its own PostgreSQL and Kafka, every service, and no supervisor.

A test kills, stops and starts processes, with failpoints if it likes. `heal` makes everything run again. The system has
servers of its own, because those that other tests share must not be killed.
"""

import asyncio
import contextlib
import http.client
import os
import pwd
import signal
import smtplib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from deploy.databases import provide, provide_analyst
from deploy.local import kafka
from deploy.local.home import CHECKOUT, FREE_PORTS, SERVICES, Home, write_private
from deploy.local.ports import free_ports
from deploy.local.programs import Instance
from shared.messaging import topics

ADMIN_PASSWORD = "correct horse battery staple"  # pragma: allowlist secret
PROBE_SECONDS = 0.05


class DoesNotRun(AssertionError):
    """A process of the system does not do what a test needs. The message ends with its log."""


@dataclass
class Program:
    """One process with its log."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None
    special: bool = False
    """Whether it was started with more than its usual environment."""
    frozen: bool = False

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, failpoints: str = "", **more: str) -> None:
        """Starts it, with `failpoints` as in LEDGERDESK_FAILPOINTS and `more` environment variables."""
        if failpoints:
            more["LEDGERDESK_FAILPOINTS"] = failpoints
        self.special, self.frozen = bool(more), False
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd="/" if self.name == "postgres" else CHECKOUT,
                env={**self.environment, **more},
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self.user,
                group=None if self.user is None else pwd.getpwnam(self.user).pw_gid,
                extra_groups=None if self.user is None else [],
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends it and returns its exit status."""
        assert self.process is not None
        if self.frozen:
            self.thaw()
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise DoesNotRun(f"{self.name} does not end\n{self.tail()}") from None

    def kill(self) -> None:
        """Kills it with SIGKILL, whatever it is doing."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Stops it with SIGSTOP; its connections stay open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.frozen = False

    @property
    def was_killed(self) -> bool:
        """Whether it died by SIGKILL, as it does at a failpoint with `exit`.

        Waits for the end of the process, which is a little later than that of its connections.
        """
        assert self.process is not None
        return self.process.wait(30) == -signal.SIGKILL

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:]) if self.log.exists() else ""


@dataclass
class System:
    """The whole system; `running_system` makes it."""

    instance: Instance
    programs: dict[str, Program] = field(default_factory=dict)

    def __post_init__(self) -> None:
        home, made = self.instance.home, self.programs
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("LEDGERDESK_", "OTEL_"))}
        postgres, broker = self.instance.postgres, self.instance.kafka
        made["postgres"] = Program(
            "postgres", postgres.command(), usual, home.logs / "postgres.log", user=postgres.user
        )
        made["kafka"] = Program("kafka", broker.command(), usual, home.logs / "kafka.log")
        for name in SERVICES:
            environment = usual | self.instance.environment(name)
            command = [sys.executable, "-m", f"services.{name}", "all"]
            made[name] = Program(name, command, environment, home.logs / f"{name}.log")

    def __getitem__(self, name: str) -> Program:
        return self.programs[name]

    @property
    def url(self) -> str:
        return self.instance.gateway_url

    def create(self) -> None:
        """Starts the two servers and creates the databases and topics."""
        with ThreadPoolExecutor(2) as pool:
            for made in [pool.submit(self._create_postgres), pool.submit(self._create_kafka)]:
                made.result()
        asyncio.run(self._provide())

    def _create_postgres(self) -> None:
        self.instance.postgres.create()
        self._start_server("postgres")

    def _create_kafka(self) -> None:
        kafka.install()
        self.instance.kafka.create()
        self._start_server("kafka")

    async def _provide(self) -> None:
        postgres = self.instance.postgres
        await asyncio.gather(
            topics.ensure(self.instance.kafka.admin, self.instance.kafka_passwords),
            *(provide(postgres.superuser_url, service, *self.instance.roles(service)) for service in SERVICES),
        )
        await provide_analyst(postgres.superuser_url, *self.instance.analyst)
        migrations = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"services.{service}", "migrate"),
                cwd=CHECKOUT,
                env=dict(self[service].environment),
                stdout=self[service].log.open("ab"),
                stderr=subprocess.STDOUT,
            )
            for service in SERVICES
        ]
        for service, each in zip(SERVICES, migrations, strict=True):
            if await each.wait():
                raise DoesNotRun(f"{service} cannot migrate\n{self[service].tail()}")

    def start(self, *names: str, failpoints: str = "", **more: str) -> None:
        """Starts these programs (every service, if none is named) and waits until they are ready."""
        for name in names or SERVICES:
            if name in SERVICES:
                self[name].start(failpoints, **more)
            else:
                self._start_server(name)
        for name in names or SERVICES:
            if name in SERVICES:
                self.wait(partial(self._ready, name), f"{name} does not become ready", name)

    def restart(self, *names: str, failpoints: str = "", **more: str) -> None:
        """Kills these programs and starts them again."""
        for name in names or SERVICES:
            self[name].kill()
        self.start(*names, failpoints=failpoints, **more)

    def heal(self) -> None:
        """Continues stopped processes, and restarts those that died or were started with a special environment."""
        for each in self.programs.values():
            if each.frozen:
                each.thaw()
        for name in ("postgres", "kafka"):
            if not self[name].runs:
                self._start_server(name)
        broken = [name for name in SERVICES if self[name].special or not self[name].runs]
        if broken:
            self.restart(*broken)

    def revive(self) -> list[str]:
        """Starts services that have died, without failpoints, as a supervisor does. Returns their names."""
        dead = [name for name in SERVICES if not self[name].runs]
        for name in dead:
            self[name].start()
        return dead

    def _start_server(self, name: str) -> None:
        answers = self.instance.postgres.answers if name == "postgres" else self.instance.kafka.answers

        def ready() -> bool:
            if not self[name].runs:  # PostgreSQL gives up while children of its killed predecessor run
                self[name].start()
            return asyncio.run(answers())

        with ThreadPoolExecutor(1) as pool:  # the caller may be in a running event loop
            pool.submit(self.wait, ready, f"{name} does not answer", name).result()

    def _ready(self, service: str) -> bool:
        if not self[service].runs:
            raise DoesNotRun(f"{service} ended at once\n{self[service].tail()}")
        return ready(self.instance.url_of(service))

    def wait(self, probe: Callable[[], bool], otherwise: str, name: str = "", seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > end:
                raise DoesNotRun(f"{otherwise}\n{self[name].tail() if name else ''}")
            time.sleep(PROBE_SECONDS)

    def end(self) -> None:
        """Kills everything, because the data is thrown away. PostgreSQL shuts down, because it holds shared memory."""
        for name in (*SERVICES, "kafka"):
            if self[name].runs:
                self[name].kill()
        if self["postgres"].runs:
            self["postgres"].stop(signal.SIGQUIT)


def ready(url: str) -> bool:
    """Whether the process that listens at this URL is ready."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError, http.client.HTTPException):
        return False


def deliver(system: System, raw: bytes, sender: str, *recipients: str) -> None:
    """Delivers a mail as a mail server does. Raises the exceptions of smtplib if it is refused."""
    host, _, port = system.instance.lmtp.rpartition(":")
    with smtplib.LMTP(host, int(port)) as server:
        assert server.sock is not None
        server.sock.settimeout(40)
        server.sendmail(sender, list(recipients), raw)


@contextlib.contextmanager
def running_system(folder: Path) -> Iterator[System]:
    """A new system below `folder`, which every user must be able to enter."""
    home = Home(folder)
    home.make()
    names = ("gateway", "lmtp", *FREE_PORTS)
    write_private(home.admin_password, ADMIN_PASSWORD)
    system = System(Instance(home, dict(zip(names, free_ports(len(names)), strict=True))))
    try:
        system.create()
        system.start()
        yield system
    finally:
        system.end()
