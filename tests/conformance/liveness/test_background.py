"""Every background task of every service has a heartbeat, so that `/livez` reports one without progress."""

import asyncio
import importlib
import time
from pathlib import Path
from typing import Any

import pytest

from services.intake.transports.lmtp import server as lmtp
from services.notify.sending import queue_monitor, sender
from shared.eventstore.migrations import migrate
from shared.http.serving.health import Health
from shared.messaging import announcing
from shared.runtime.heartbeat import SILENCE_SECONDS, Heartbeat
from shared.runtime.periodic import Periodic
from shared.testing.keys import ENVIRONMENT
from shared.testing.progress import until
from tests.servers import NO_KAFKA

NEEDS_KAFKA = {"relay", "consumer", "documents"}
"""Tested in tests/conformance/messaging: here no broker answers, which excuses them."""
TASKS = {
    ("gateway", "all"): {
        "relay",
        "consumer",
        "retention",
        "purge",
        "drafts",
        "account mails",
        "report schedules",
        "streams",
        "stream sign-ins",
    },
    ("gateway", "api"): {"announcer", "streams", "stream sign-ins"},
    ("intake", "all"): {"directory", "lmtp", "relay", "consumer", "retention", "uploads", "mailboxes", "identifying"},
    ("intake", "api"): {"directory", "lmtp", "announcer"},
    ("routing", "worker"): {"directory", "relay", "consumer", "retention", "timers", "triggers", "recounts", "leaving"},
    ("notify", "worker"): {
        "directory",
        "relay",
        "consumer",
        "retention",
        "sender",
        "closings",
        "held notices",
        "account mails",
    },
    ("reporting", "worker"): {"directory", "documents", "desk", "stats", "reports", "analysts"},
}
"""The background tasks of each role."""


@pytest.fixture
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "MAIL_KEY": "mail key",
        "BLOB_URL": (tmp_path / "blobs").as_uri(),
        "MAILDIR": str(tmp_path / "sent"),
        "LMTP_LISTEN": "127.0.0.1:0",
    }.items():
        monkeypatch.setenv(f"LEDGERDESK_{name}", value)
    monkeypatch.setattr(lmtp, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(queue_monitor, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(sender, "RECORD_PULSE_SECONDS", 0.05)
    monkeypatch.setattr(sender, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(announcing, "LOOK_SECONDS", 0.05)


def age(heartbeat: Heartbeat) -> None:
    """Makes a task look silent for a long time."""
    heartbeat.beat(rest=-2 * SILENCE_SECONDS)
    for part in heartbeat.parts:
        age(part)


@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize(("service", "role"), TASKS)
async def test_every_task_shows_progress(
    postgres: Any, monkeypatch: pytest.MonkeyPatch, service: str, role: Any
) -> None:
    app = importlib.import_module(f"services.{service}.app")
    owner_url, url = postgres.database(service)
    await migrate(owner_url, url, *importlib.import_module(f"services.{service}.schema").MIGRATIONS)
    for name, value in (NO_KAFKA.environment(service) | ENVIRONMENT).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LEDGERDESK_DATABASE_URL", url)
    async with app.process(role, Health(service, role)) as process:
        assert set(process.background) == TASKS[service, role]
        watched = {name: task for name, task in process.background.items() if name not in NEEDS_KAFKA}
        for task in watched.values():
            age(task.heartbeat)
        running = [asyncio.create_task(task.run()) for task in watched.values()]

        async def all_fresh() -> bool:
            return not [
                n for n, task in watched.items() if task.heartbeat.silent_for(time.monotonic()) > SILENCE_SECONDS
            ]

        await until(all_fresh)
        for each in running:
            each.cancel()
        await asyncio.wait(running)


async def test_periodic_work_that_fails_by_our_own_fault_is_no_progress() -> None:
    tried = asyncio.Semaphore(0)

    async def broken() -> None:
        tried.release()
        raise ValueError

    work = Periodic("work", 3600, broken)
    age(work.heartbeat)
    running = asyncio.create_task(work.run())
    for _ in range(2):
        await tried.acquire()
    assert work.heartbeat.silent_for(time.monotonic()) > SILENCE_SECONDS
    running.cancel()
    await asyncio.wait([running])
