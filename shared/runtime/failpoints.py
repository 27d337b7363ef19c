"""Named points at which a test makes a process die, fail or stop: `LEDGERDESK_FAILPOINTS="relay.after_ack=exit"`.

Several are separated by commas. An action with a count, `exit@3`, happens at the third hit. Without the variable a hit
costs one dictionary look-up.
"""

import os
import signal
from collections import Counter


class FailpointRaised(ConnectionError):
    """The error of the action `raise`: as if a server went down at this point."""


def _read(text: str) -> dict[str, tuple[str, int]]:
    points: dict[str, tuple[str, int]] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, action = part.partition("=")
        what, _, count = action.partition("@")
        if what not in ("exit", "raise", "pause") or (count and not count.isdigit()):
            raise ValueError(f"failpoint {part!r}: write name=exit, name=raise or name=pause, optionally with @count")
        points[name] = (what, int(count or 1))
    return points


_points = _read(os.environ.get("LEDGERDESK_FAILPOINTS", ""))
_hits: Counter[str] = Counter()


def arm(text: str) -> None:
    """Sets the failpoints of this process, as the variable does; empty disarms all."""
    _hits.clear()
    _points.clear()
    _points.update(_read(text))


def hit(name: str) -> None:
    """Carries out the action of an armed failpoint.

    `exit` kills the process with SIGKILL, `pause` stops it with SIGSTOP. `raise` raises FailpointRaised, at this hit
    and every later one.
    """
    if not _points or name not in _points:
        return
    action, count = _points[name]
    _hits[name] += 1
    if _hits[name] < count:
        return
    if action == "raise":
        raise FailpointRaised(name)
    if _hits[name] == count:
        os.kill(os.getpid(), signal.SIGKILL if action == "exit" else signal.SIGSTOP)


def hits(name: str) -> int:
    """How often an armed failpoint has been hit since then."""
    return _hits[name]
