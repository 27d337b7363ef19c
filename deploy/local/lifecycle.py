"""Starting and stopping one instance, with a message about each step."""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiokafka.errors import KafkaError

from deploy.databases import provide, provide_analyst
from deploy.local import kafka
from deploy.local.home import CHECKOUT, METRICS, SERVICES, Home, Trouble, write_private
from deploy.local.ports import is_free
from deploy.local.postgres import psql
from deploy.local.programs import Instance, configuration
from deploy.local.supervision import RUNNING, Supervisor, leftovers, wait
from shared.messaging import topics

DISK_GB = 2
MEMORY_MB = 1200
Say = Callable[[str], None]


def up(home: Home, say: Say) -> Instance:
    """Starts what does not run, and returns when all is healthy. Raises Trouble, which says what to do."""
    with home.changing(say):
        return _up(home, say)


def down(home: Home, say: Say) -> None:
    """Stops the instance, and processes that a killed supervisor has left."""
    with home.changing(say):
        _down(home, say)


def clean(home: Home, say: Say) -> None:
    """Stops the instance and removes its data for good."""
    with home.changing(say):
        _down(home, say)
        if home.path.exists():
            shutil.rmtree(home.path)
            say(f"Removed {home.path}.")


def _up(home: Home, say: Say) -> Instance:
    started = time.monotonic()
    supervisor = Supervisor(home)
    if supervisor.alive():
        instance = Instance(home, home.ports(running=True))
        if _healthy(instance, supervisor):
            say(f"Ledgerdesk runs already at {instance.gateway_url}; nothing to do.")
            return instance
        say("Ledgerdesk runs, but not all of it is healthy; starting what is missing.")
    else:
        if any(leftovers(home)):
            say("Ending what an earlier run has left ...")
            supervisor.end_leftovers()
        _must_fit(home)
        ports = home.ports()
        for name, variable in (("gateway", "LEDGERDESK_PORT"), ("lmtp", "LEDGERDESK_LMTP_PORT")):
            if not is_free(ports[name]):
                raise Trouble(
                    f"port {ports[name]} is taken by another program: stop that one, or set {variable} to another port"
                )
        taken = [name for name, port in ports.items() if not is_free(port)]
        if taken:  # it was free when it was chosen
            home.remember({name: port for name, port in ports.items() if name not in taken})
            ports = home.ports()
        home.make()
        home.remember(ports)
        instance = Instance(home, ports)
        fresh = _admin_password(home)
        say(
            "Installing Apache Kafka (first time only) ..."
            if not kafka.archives().is_dir()
            else "Checking Apache Kafka ..."
        )
        kafka.install()
        say("Starting PostgreSQL and Kafka ...")
        with ThreadPoolExecutor(2) as pool:
            for made in (pool.submit(instance.postgres.create), pool.submit(instance.kafka.create)):
                made.result()
        supervisor.launch(configuration(instance))
        if fresh:
            say(f"The administrator is `admin`, the password is {fresh} (kept in {home.admin_password}).")
    asyncio.run(_servers(instance, say))
    say("Starting the services ...")
    for service in SERVICES:
        supervisor.start(service)
    _wait_until_ready(instance, supervisor)
    say(f"Ledgerdesk is up after {time.monotonic() - started:.1f} s.")
    say(f"  desk   {instance.gateway_url}   (API documentation at {instance.gateway_url}/api/docs)")
    say(f"  mail   LMTP on {instance.lmtp}; outgoing mail {_where_mail_goes(home)}")
    say(f"  logs   {home.logs}")
    say(f"  data   {home.path}   (the administrator's password is in {home.admin_password.name})")
    return instance


def _down(home: Home, say: Say) -> None:
    supervisor = Supervisor(home)
    if not supervisor.alive() and not any(leftovers(home)):
        say("Ledgerdesk does not run.")
        return
    say("Stopping ...")
    supervisor.stop()
    say("Ledgerdesk is down. The data stays.")


def status(home: Home) -> dict[str, Any]:
    """Every process of the instance; one that does not run is `stopped`. `recount`: the tickets whose clocks are
    counted anew because an SLA or calendar was changed, and how many are left; null if routing does not answer."""
    alive = Supervisor(home).alive()
    instance = Instance(home, home.ports(running=alive))
    stopped: list[dict[str, Any]] = [
        {"name": name, "pid": 0, "statename": "STOPPED"} for name in ("postgres", "kafka", *SERVICES)
    ]
    return {
        "gateway": instance.gateway_url,
        "lmtp": instance.lmtp,
        "processes": [
            {
                "name": each["name"],
                "service": each["name"],
                "role": "all" if each["name"] in SERVICES else "server",
                "pid": each["pid"] or None,
                "state": each["statename"].lower(),
                "metrics": _metrics_url(instance, each["name"]) if alive and each["name"] in SERVICES else None,
            }
            for each in Supervisor(home).processes() or stopped
        ],
        "recount": _recount(instance) if alive else None,
    }


def _metrics_url(instance: Instance, service: str) -> str:
    return f"http://127.0.0.1:{instance.ports[METRICS[service]]}/metrics"


def _recount(instance: Instance) -> dict[str, int] | None:
    try:
        with urllib.request.urlopen(_metrics_url(instance, "routing"), timeout=5) as answer:
            return recount_in(answer.read().decode())
    except OSError:
        return None


def recount_in(metrics: str) -> dict[str, int]:
    """The progress of recounts in the metrics of routing."""
    values = {name: value for name, _, value in (line.partition(" ") for line in metrics.splitlines())}
    names = {"tickets": "ledgerdesk_recount_tickets", "left": "ledgerdesk_recount_tickets_left"}
    return {key: round(float(values.get(name, "0"))) for key, name in names.items()}


async def _servers(instance: Instance, say: Say) -> None:
    await asyncio.gather(
        _answering("PostgreSQL", instance.postgres.answers), _answering("Kafka", instance.kafka.answers)
    )
    await asyncio.gather(
        *(provide(instance.postgres.superuser_url, service, *instance.roles(service)) for service in SERVICES),
        _topics(instance),
    )
    await provide_analyst(instance.postgres.superuser_url, *instance.analyst)
    say("Bringing the databases up to date ...")
    await asyncio.gather(*(_migrate(instance, service) for service in SERVICES))


async def _topics(instance: Instance) -> None:
    try:
        await topics.ensure(instance.kafka.admin, instance.kafka_passwords)
    except (KafkaError, topics.WrongTopic) as error:
        raise Trouble(f"the topics cannot be made: {error}; see kafka.log in the logs") from error


async def _answering(name: str, probe: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not await probe():
        if time.monotonic() > end:
            raise Trouble(f"{name} does not answer; see {name.lower()}.log in the logs")
        await asyncio.sleep(0.1)


async def _migrate(instance: Instance, service: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", "migrate",
        cwd=CHECKOUT, env=_inherited() | instance.environment(service),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    if process.returncode:
        raise Trouble(f"{service} cannot migrate its database: {out.decode(errors='replace').strip()[-600:]}")


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run_service_command(home: Home, service: str, arguments: list[str]) -> int:
    """`python -m services.<service> ...` with the environment that this instance gives the service."""
    instance = Instance(home, home.ports(running=Supervisor(home).alive()))
    command = [sys.executable, "-m", f"services.{service}", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, env=_inherited() | instance.environment(service), check=False
    ).returncode


def open_database(home: Home, service: str) -> int:
    """psql in the database of a service, as the role that the service has. Raises Trouble."""
    if not Supervisor(home).alive():
        raise Trouble("Ledgerdesk does not run: run `make up` first")
    instance = Instance(home, home.ports(running=True))
    _, role = instance.roles(service)
    return subprocess.run([psql(), instance.postgres.url(*role, service)], check=False).returncode


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def _healthy(instance: Instance, supervisor: Supervisor) -> bool:
    running = all(each["statename"] == RUNNING for each in supervisor.processes())
    return running and all(_ready(instance.url_of(service)) for service in SERVICES)


def _wait_until_ready(instance: Instance, supervisor: Supervisor) -> None:
    with ThreadPoolExecutor(len(SERVICES)) as pool:
        waits = {
            service: pool.submit(
                wait,
                lambda service=service: _ready(instance.url_of(service)),  # type: ignore[misc]
                60,
                f"{service} does not become ready; see {instance.home.logs / (service + '.log')}",
            )
            for service in SERVICES
        }
        for done in waits.values():
            done.result()
    wait(
        lambda: all(each["statename"] == RUNNING for each in supervisor.processes()),
        10,
        "not every process stays up; see the logs",
    )


def _admin_password(home: Home) -> str | None:
    """Writes the administrator's password to its file. Returns it if it was generated now, so that it is shown once."""
    given = os.environ.get("LEDGERDESK_ADMIN_PASSWORD")
    if given:
        write_private(home.admin_password, given)
        return None
    if home.admin_password.exists():
        return None
    made = secrets.token_urlsafe(15)
    write_private(home.admin_password, made)
    return made


def _must_fit(home: Home) -> None:
    existing = next(parent for parent in (home.path, *home.path.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 2**30
    if free < DISK_GB:
        raise Trouble(
            f"only {free:.1f} GB are free at {existing}, {DISK_GB} are needed: make room,"
            " or set LEDGERDESK_HOME to another disk"
        )
    with open("/proc/meminfo", encoding="ascii") as file:
        facts = dict(line.split(":", 1) for line in file)
    available = int(facts["MemAvailable"].split()[0]) // 1024
    if available < MEMORY_MB:
        raise Trouble(f"only {available} MB of memory are free, {MEMORY_MB} are needed: end other programs")


def _where_mail_goes(home: Home) -> str:
    return (
        "goes to LEDGERDESK_SMTP_URL" if os.environ.get("LEDGERDESK_SMTP_URL") else f"stays in the Maildir {home.sent}"
    )
