"""`/livez` (the process makes progress) and `/readyz` (it can serve), for probes, without sign-in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.runtime.heartbeat import SILENCE_SECONDS, Heartbeat

Probe = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Check:
    probe: Probe
    timeout: float


class Health:
    """The checks of one process. `run_process` creates it, a service adds its checks."""

    def __init__(self, service: str, role: str) -> None:
        self.service, self.role = service, role
        self.draining = False
        """Set when the process was told to end: it is not ready any more."""
        self._checks: dict[str, _Check] = {}
        self._heartbeats: dict[str, Heartbeat] = {}
        self._when_draining: list[Callable[[], None]] = []
        self._checking: asyncio.Task[dict[str, str]] | None = None
        self._tasks: dict[str, asyncio.Task[object]] = {}

    def check(self, name: str, probe: Probe, *, timeout: float = 2.0) -> None:
        """Adds a readiness check. It passes if `probe` returns within `timeout` seconds, and not False."""
        self._checks[name] = _Check(probe, timeout)

    def when_draining(self, call: Callable[[], None]) -> None:
        """Calls this once when the process is told to end, so that responses without an end get one."""
        self._when_draining.append(call)

    def drain(self) -> None:
        """The process was told to end."""
        self.draining = True
        for call in self._when_draining:
            call()

    def watch(self, name: str, task: asyncio.Task[object], heartbeat: Heartbeat) -> None:
        """Adds a liveness check of a task, which must make progress and never end."""
        self._tasks[name], self._heartbeats[name] = task, heartbeat

    def dead(self) -> dict[str, str]:
        """The tasks that do not make progress, and why."""
        now = time.monotonic()
        silent = {
            name: seconds
            for name, heartbeat in self._heartbeats.items()
            if (seconds := heartbeat.silent_for(now)) > SILENCE_SECONDS
        }
        found = {name: f"no heartbeat for {seconds:.0f} s" for name, seconds in silent.items()}
        return found | {name: "has ended" for name, task in self._tasks.items() if task.done() and not self.draining}

    async def missing(self) -> dict[str, str]:
        """The readiness checks that fail, and why: exception types only, their texts may have addresses and passwords.

        Probes at the same time share one run of the checks, because anybody may probe and each run takes a database
        connection.
        """
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._run_checks())
        return await asyncio.shield(self._checking)

    async def _run_checks(self) -> dict[str, str]:
        results = await asyncio.gather(*(_failure(check) for check in self._checks.values()))
        found = {name: failure for name, failure in zip(self._checks, results, strict=True) if failure is not None}
        if self.draining:
            found["process"] = "is ending"
        return found

    def routes(self) -> list[Route]:
        """The probe routes."""

        async def livez(_: Request) -> Response:
            return self._response(dict.fromkeys(self._tasks, "ok"), self.dead())

        async def readyz(_: Request) -> Response:
            return self._response(dict.fromkeys(self._checks, "ok"), await self.missing())

        return [
            Route("/livez", livez, include_in_schema=False),
            Route("/readyz", readyz, include_in_schema=False),
        ]

    def _response(self, good: dict[str, str], bad: dict[str, str]) -> Response:
        body = {
            "status": "failing" if bad else "ok",
            "service": self.service,
            "role": self.role,
            "checks": {**good, **bad},
        }
        return Response(orjson.dumps(body), 503 if bad else 200, media_type="application/json")


async def _failure(check: _Check) -> str | None:
    try:
        async with asyncio.timeout(check.timeout):
            result = await check.probe()
    except TimeoutError:
        return f"no result within {check.timeout:g} s"
    except Exception as error:
        return f"failed: {type(error).__name__}"
    return "returned False" if result is False else None
