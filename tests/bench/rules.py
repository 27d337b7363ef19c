"""`python -m tests.bench.rules [--turns 12] [--profile]`: what 200 active triggers cost a ticket, beside none.

The desk works in this process, on a PostgreSQL of its own. A ticket is opened, noted on, answered, moved and closed.
CPU is that of this process and of PostgreSQL. Without triggers, with 200 that look at everything that happens, and with
200 on openings alone are measured in turns, so that a busy machine slows all of them. No trigger matches: what one does
is work that somebody wants. The median of the ratios of a turn has the bar.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from shared.contracts.directory import Trigger
from tests import servers
from tests.conftest import Databases
from tests.services.routing.triggers import has, opened, says, trigger
from tests.services.routing.workplace import OLA, Workplace, workplace

TICKETS = 25
"""In each turn."""
RULES = 200
MOST = 1.10
HAPPENINGS = (
    "opened", "customer-message", "answered", "note", "state-changed", "moved", "owner-changed", "priority-changed",
    "tagged", "opened",
)  # fmt: skip
THEN: tuple[dict[str, Any], ...] = ({"do": "set-priority", "priority": 5}, {"do": "tag", "tags": ["seen"]})


def condition(number: int) -> dict[str, Any]:
    """Conditions such as people write, in a few forms; none holds for the tickets of the bench."""
    match number % 4:
        case 0:
            return {"all": [has("queue", f"queue-{number}"), has("priority", 4, 5)]}
        case 1:
            return {"all": [says("text", f"word{number}", "crash"), has("channel", "email")]}
        case 2:
            return {"any": [has("tag", f"tag-{number}"), says("title", f"printer {number}")]}
        case _:
            return {
                "all": [
                    {"not": has("state_type", "closed")},
                    has("company", f"company-{number}"),
                    has("actor", "customer"),
                ]
            }


def rules(*happenings: str) -> Mapping[str, Trigger]:
    made = [
        trigger(f"rule-{n}", happenings[n % len(happenings)], *THEN, when=condition(n), order=n) for n in range(RULES)
    ]
    return {each.slug: each for each in made}


async def life(desk: Workplace) -> None:
    """What happens to a ticket."""
    number = await opened(desk, text="Since this morning it hums and prints nothing. " * 20)
    await desk.done(number, "note", {"text": "A new fuse?"})
    await desk.done(number, "tag", {"tags": ["hums"]}, who=OLA)
    await desk.done(number, "reply", {"text": "Please restart it."}, who=OLA)
    await desk.done(number, "move", {"queue": "hr"}, who=OLA)
    await desk.done(number, "close", {"text": "Done."}, who=OLA)


class Bench:
    def __init__(self, desk: Workplace, server: psutil.Process) -> None:
        self.desk, self.server = desk, server
        self.variants: dict[str, Mapping[str, Trigger]] = {
            "without triggers": {},
            f"{RULES} triggers on everything": rules(*HAPPENINGS),
            f"{RULES} triggers on openings": rules("opened"),
        }
        self.cpu: dict[str, list[float]] = {name: [] for name in self.variants}

    async def turn(self, name: str) -> float:
        """CPU of a ticket, in ms."""
        desk = self.desk
        desk.copy.configuration = replace(desk.copy.configuration, triggers=self.variants[name])
        await life(desk)  # compiles the triggers
        gc.collect()
        before = self._cpu()
        for _ in range(TICKETS):
            await life(desk)
        return (self._cpu() - before) * 1000 / TICKETS

    def _cpu(self) -> float:
        database = sum(sum(each.cpu_times()[:2]) for each in self.server.children(recursive=True))
        return time.process_time() + database

    async def run(self, turns: int) -> None:
        names = list(self.variants)
        for number in range(turns + 1):
            first = number % len(names)
            for name in (*names[first:], *names[:first]):  # no variant always follows the same one
                spent = await self.turn(name)
                if number:  # the first turn warms up
                    self.cpu[name].append(spent)


async def measure(url: str, server: psutil.Process, folder: Path, turns: int, profile: bool) -> int:
    async with workplace(Databases(url), folder) as desk:
        bench = Bench(desk, server)
        if profile:
            profiler = cProfile.Profile()
            await bench.turn(list(bench.variants)[1])
            profiler.enable()
            await bench.turn(list(bench.variants)[1])
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
            return 0
        await bench.run(turns)
    floor = bench.cpu["without triggers"]
    failed = False
    for name, spent in bench.cpu.items():
        ratio = statistics.median(one / beside for one, beside in zip(spent, floor, strict=True))
        failed = failed or ratio > MOST
        print(f"{name:32} {statistics.median(spent):7.2f} ms CPU a ticket   {ratio:5.3f} times   (at most {MOST})")
    return int(failed)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rules")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--profile", action="store_true", help="print where the time of 200 triggers goes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        with servers.postgres(folder) as url:
            started = psutil.Process().children(recursive=True)
            server = next(each for each in started if each.name().startswith("postgres"))
            return asyncio.run(measure(url, server, folder, arguments.turns, arguments.profile))


if __name__ == "__main__":
    sys.exit(main())
