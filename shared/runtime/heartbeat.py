"""How a background task shows that it makes progress (`/livez`)."""

import time
from typing import Protocol

SILENCE_SECONDS = 300.0
"""A task that has not shown progress for this long hangs: the process is not live. A failing one tries again within seconds."""


class Pulse:
    """Beats whenever a task has got something done, if only to look whether there is anything. `parts` are pulses of what the task runs
    beside itself: the slowest of all counts."""

    def __init__(self, *parts: "Pulse") -> None:
        self.parts = list(parts)
        self._due = time.monotonic()

    def beat(self, *, rest: float = 0.0) -> None:
        """The task goes on; it means to be silent for `rest` seconds."""
        self._due = time.monotonic() + rest

    def excuse(self) -> None:
        """What the task needs is away: no part of it can be blamed."""
        self.beat()
        for part in self.parts:
            part.excuse()

    def silent_for(self, now: float) -> float:
        """For how many seconds it has been silent, at a moment of `time.monotonic`."""
        return max(now - self._due, *(part.silent_for(now) for part in self.parts), 0.0)


class Background(Protocol):
    """What a process runs beside its HTTP server. `run` ends only when it is cancelled; `pulse` beats as long as it makes progress."""

    @property
    def pulse(self) -> Pulse: ...

    async def run(self) -> object: ...
