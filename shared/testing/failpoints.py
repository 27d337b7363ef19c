"""Named points where a test makes a process die, fail or stop: `LEDGERDESK_FAILPOINTS="relay.after_ack=exit,x=raise"`.

An action may carry a count, `exit@3`: it happens at the third hit. Without the variable a hit costs one dictionary look-up.
"""

import os
import signal
from collections import Counter


class FailpointRaised(ConnectionError):
    """What the action `raise` raises: as if a server went away at this point."""


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
    """Does what the failpoint's action says, if it is armed: die as by SIGKILL, raise (every time from its count on), or stop the
    process as by SIGSTOP."""
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
    """How often an armed failpoint was hit since it was armed."""
    return _hits[name]
