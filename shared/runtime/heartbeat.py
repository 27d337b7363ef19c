"""Liveness of background tasks: how a task shows that it makes progress (`/livez`, docs/decisions/0071)."""

import time
from typing import Protocol

SILENCE_SECONDS = 300.0
"""A task without a heartbeat for this long hangs: the process is not live. A failing task retries within seconds."""


class Heartbeat:
    """Beats whenever a task has done something, if only to find that there is nothing to do.

    `parts` are the heartbeats of tasks that this one runs; the slowest of all counts.
    """

    def __init__(self, *parts: "Heartbeat") -> None:
        self.parts = list(parts)
        self._due = time.monotonic()

    def beat(self, *, rest: float = 0.0) -> None:
        """The task makes progress. It will be silent for `rest` seconds."""
        self._due = time.monotonic() + rest

    def excuse(self) -> None:
        """Something that the task depends on is down: the task and its parts are not to blame."""
        self.beat()
        for part in self.parts:
            part.excuse()

    def silent_for(self, now: float) -> float:
        """Seconds since the last sign of progress; `now` is a time of `time.monotonic`."""
        return max(now - self._due, *(part.silent_for(now) for part in self.parts), 0.0)


class Background(Protocol):
    """A background task of a process.

    `run` ends only when it is cancelled; `heartbeat` beats while it makes progress.
    """

    @property
    def heartbeat(self) -> Heartbeat: ...

    async def run(self) -> object: ...
