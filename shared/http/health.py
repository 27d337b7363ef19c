"""`/livez` (the process makes progress), `/readyz` (it can serve), `/metrics`; for probes, without sign-in."""

from collections.abc import Awaitable, Callable


class Pulse:
    """One background task's sign of life."""

    def beat(self) -> None:
        """The task made progress, or had nothing to do and looked."""


class Health:
    """What the probes of one process look at. `run_process` makes it, a service adds its checks."""

    def __init__(self, service: str, role: str) -> None:
        self.service, self.role = service, role

    def check(self, name: str, probe: Callable[[], Awaitable[object]], *, timeout: float = 2.0) -> None:
        """Adds a readiness check: ready while `probe` returns in time without raising (and does not answer False)."""

    def pulse(self, name: str, *, silence: float | None = None) -> Pulse:
        """The pulse of a task. With `silence` the process is not live once the task has not beaten for as many seconds; without it
        only the end of the task counts (the supervisor of `run_process` tells)."""
        raise NotImplementedError
