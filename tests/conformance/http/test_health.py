"""The responses of the probes."""

import asyncio
import time

import pytest
from aiokafka.errors import KafkaConnectionError
from starlette.testclient import TestClient

from shared.http.serving.health import Health
from shared.http.serving.metrics import metrics_application
from shared.runtime.heartbeat import SILENCE_SECONDS, Heartbeat
from shared.runtime.supervision import supervise


async def _well() -> None:
    return None


async def _broken() -> None:
    raise ConnectionRefusedError("postgres://user:hunter2@db")


async def _says_no() -> bool:
    return False


async def _silent() -> None:
    await asyncio.Event().wait()


def test_ready_when_every_check_is_well(client: TestClient, health: Health) -> None:
    health.check("database", _well)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (200, {"database": "ok"})


def test_each_failing_check_is_named_without_its_text(client: TestClient, health: Health) -> None:
    health.check("database", _broken)
    health.check("migrations", _says_no)
    health.check("blobs", _silent, timeout=0.01)
    health.check("well", _well)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {
        "database": "failed: ConnectionRefusedError",
        "migrations": "returned False",
        "blobs": "no result within 0.01 s",
        "well": "ok",
    }
    assert "hunter2" not in answer.text


async def test_simultaneous_probes_share_one_check() -> None:
    health, looks, release = Health("example", "api"), 0, asyncio.Event()

    async def slowly() -> None:
        nonlocal looks
        looks += 1
        await release.wait()

    health.check("database", slowly)
    asking = [asyncio.create_task(health.missing()) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    release.set()
    assert await asyncio.gather(*asking[1:]) == [{}] * 49 and looks == 1
    assert await health.missing() == {} and looks == 2


def test_not_ready_while_draining(client: TestClient, health: Health) -> None:
    health.draining = True
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200


def test_live_while_every_task_goes_on() -> None:
    async def run() -> tuple[dict[str, str], ...]:
        health = Health("example", "worker")
        working = asyncio.create_task(_silent())
        one, other, part = Heartbeat(), Heartbeat(), Heartbeat()
        health.watch("relay", working, one)
        health.watch("sender", working, other)
        well = health.dead()
        one.beat(rest=-SILENCE_SECONDS - 1)
        silent = health.dead()
        one.beat(rest=-SILENCE_SECONDS - 1)
        one.excuse()
        part.beat(rest=-SILENCE_SECONDS - 2)
        other.parts.append(part)
        partly = health.dead()
        other.excuse()
        excused = health.dead()
        working.cancel()
        return well, silent, partly, excused

    assert asyncio.run(run()) == (
        {},
        {"relay": "no heartbeat for 301 s"},
        {"sender": "no heartbeat for 302 s"},
        {},
    )


def test_an_announced_rest_is_not_silence() -> None:
    heartbeat = Heartbeat()
    heartbeat.beat(rest=3600)
    assert heartbeat.silent_for(time.monotonic() + 3600) <= 1
    assert heartbeat.silent_for(time.monotonic() + 3700) > 99


@pytest.mark.parametrize(
    ("error", "lives"),
    [(ConnectionRefusedError(), True), (KafkaConnectionError(), True), (TypeError(), False), (None, False)],
    ids=["database-away", "kafka-away", "our-own-fault", "ends"],
)
def test_only_errors_of_dependencies_excuse_a_task_without_progress(error: Exception | None, lives: bool) -> None:
    """A new process helps after a fault of our own, not while a database is down."""

    async def run() -> bool:
        heartbeat, tries = Heartbeat(), asyncio.Event()
        heartbeat.beat(rest=-SILENCE_SECONDS - 1)

        async def getting_nowhere() -> None:
            if tries.is_set():
                await _silent()
            tries.set()
            if error is not None:
                raise error

        task = asyncio.create_task(supervise("task", getting_nowhere, heartbeat))
        await tries.wait()
        await asyncio.sleep(0)  # lets `supervise` handle the error
        task.cancel()
        return heartbeat.silent_for(time.monotonic()) < SILENCE_SECONDS

    assert asyncio.run(run()) is lives


def test_a_task_that_has_ended_is_named() -> None:
    async def dead() -> dict[str, str]:
        health = Health("example", "worker")
        task: asyncio.Task[object] = asyncio.create_task(_broken())
        await asyncio.wait([task])
        task.exception()
        health.watch("relay", task, Heartbeat())
        return health.dead()

    assert asyncio.run(dead()) == {"relay": "has ended"}


def test_metrics_name_route_templates_not_paths(client: TestClient) -> None:
    client.get("/api/v1/tickets/0192d9a0-0000-7000-8000-00000000abcd")
    client.get("/no/such/path/1234")
    with TestClient(metrics_application()) as monitor:
        told = monitor.get("/metrics")
    assert client.get("/metrics").status_code == 404
    assert told.headers["content-type"].startswith("text/plain")
    assert 'route="/api/v1/tickets/{ticket}",status="200"' in told.text
    assert 'route="unmatched",status="404"' in told.text
    assert "00000000abcd" not in told.text
    assert "/no/such" not in told.text
