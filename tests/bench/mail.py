"""`python -m tests.bench.mail [--seconds 30]`: mails through LMTP beside the floor, and what reading one costs.

Starts a system of its own and takes it down. The mails are those of the shared corpora (tests/bench/load/mails.py).
Prints a table and writes `bench/mail.json`.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

import psutil

from deploy.local import lifecycle
from deploy.local.home import CHECKOUT
from services.intake.mail.reading import read
from tests.bench.__main__ import CONNECTIONS, Bench, home_of_its_own, middle, write_results
from tests.bench.load.client import LmtpConnection, closed_loop
from tests.bench.load.mails import as_new, mix, stuffed

READINGS = 6
"""How often all mails are read to see whether memory grows."""


class MailBench(Bench):
    """The rows of mail."""

    def mix(self) -> None:
        """Mails a second until each has become a ticket or whatever else, and every consumer has reached the end."""
        kind, found = mix()
        print(f"{kind}, {sum(map(len, found)) / len(found) / 1024:.1f} kB on average")
        mails = itertools.cycle(found)
        asyncio.run(self._load(mails, 3))
        asyncio.run(self._drain())
        rounds = self.rounds(partial(self._load, mails), self.seconds)
        at = middle(rounds, key=lambda each: each.ratio)
        self.row(f"LMTP to a visible ticket, {kind}", at.rate, "mails/s", ">= 0.06", at.ratio >= 0.06, at.floor,
                 ratios=[each.ratio for each in rounds], drained=[each.drained for each in rounds],
                 outcomes=self._outcomes())  # fmt: skip
        at = middle(rounds, key=lambda each: each.cpu)
        self.row("CPU a mail, whole pipeline", at.cpu, "ms", "-", None, by_process=at.by_process)
        print(f"    {at.by_process}")

    async def _load(self, mails: Iterator[bytes], seconds: float) -> tuple[int, float]:
        connections = [LmtpConnection("127.0.0.1", self.instance.ports["lmtp"]) for _ in range(CONNECTIONS)]
        return await closed_loop([partial(_deliver, each, mails) for each in connections], seconds)

    def _outcomes(self) -> dict[str, int]:
        """Outcome -> how many of the newest mails had it."""
        found: dict[str, int] = {}
        for item in self.desk.call("GET", "/mails?limit=200")["items"]:
            found[item["outcome"]] = found.get(item["outcome"], 0) + 1
        return found

    def reading(self) -> None:
        """Parsing, sanitising and cutting of mails, in a process of its own as in production."""
        command = [sys.executable, "-m", "tests.bench.mail", "--read"]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        self.row("reading a mail, CPU, median", found["median"], "ms", "<= 4", found["median"] <= 4)
        self.row("reading a mail, CPU, p99", found["p99"], "ms", "<= 50", found["p99"] <= 50, worst=found["worst"])
        grown = found["grown"]
        what = f"memory of a reader after {READINGS} times all mails against once"
        self.row(what, grown, "times", "<= 1.1", grown <= 1.1, megabytes=found["megabytes"])


async def _deliver(connection: LmtpConnection, mails: Iterator[bytes]) -> None:
    await connection.deliver("bench@customer.example", "bench@help.example.org", stuffed(as_new(next(mails))))


def read_all() -> dict[str, float]:
    _, mails = mix()
    process = psutil.Process()
    times: list[float] = []
    memory: list[float] = []
    for _ in range(READINGS):
        for raw in mails:
            started = time.process_time()
            read(raw)
            times.append(1000 * (time.process_time() - started))
        memory.append(process.memory_info().rss / 2**20)
    times.sort()
    return {
        "median": statistics.median(times),
        "p99": times[int(len(times) * 0.99)],
        "worst": times[-1],
        "grown": memory[-1] / memory[0],
        "megabytes": memory[-1],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mail", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the load")
    parser.add_argument(
        "--read", action="store_true", help="only read all mails in this process and print what it cost"
    )
    arguments = parser.parse_args()
    if arguments.read:
        print(json.dumps(read_all()))
        return 0
    with home_of_its_own() as home:
        bench = MailBench(lifecycle.up(home, lambda _: None), arguments.seconds)
        bench.reading()
        bench.mix()
    write_results("mail.json", bench.rows, seconds=arguments.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
