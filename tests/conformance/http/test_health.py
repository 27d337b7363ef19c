"""What the probes say."""

import asyncio
import time

from starlette.testclient import TestClient

from shared.http.health import Health


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
        "migrations": "says no",
        "blobs": "no answer within 0.01 s",
        "well": "ok",
    }
    assert "hunter2" not in answer.text


def test_not_ready_while_draining(client: TestClient, health: Health) -> None:
    health.draining = True
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200


def test_live_while_watched_loops_go_round(client: TestClient, health: Health) -> None:
    health.watch("relay", time.monotonic, silence=60)
    assert client.get("/livez").status_code == 200
    health.watch("consumer", lambda: time.monotonic() - 61, silence=60)
    answer = client.get("/livez")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"relay": "ok", "consumer": "no sign of life for 61 s"}


def test_a_task_that_has_ended_is_named() -> None:
    async def dead() -> dict[str, str]:
        health = Health("example", "worker")
        task: asyncio.Task[object] = asyncio.create_task(_broken())
        await asyncio.wait([task])
        task.exception()
        health.task("relay", task)
        return health.dead()

    assert asyncio.run(dead()) == {"relay": "has ended"}


def test_metrics_name_route_templates_not_paths(client: TestClient) -> None:
    client.get("/api/v1/tickets/0192d9a0-0000-7000-8000-00000000abcd")
    client.get("/no/such/path/1234")
    told = client.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain")
    assert 'route="/api/v1/tickets/{ticket}",status="200"' in told.text
    assert 'route="unmatched",status="404"' in told.text
    assert "00000000abcd" not in told.text
    assert "/no/such" not in told.text
