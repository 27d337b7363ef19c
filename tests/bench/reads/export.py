"""`python -m tests.bench.reads.export [--rows 100000]`: rows a second of an export in each format, through the gateway.

Also the memory of the process that serves it, before and at most meanwhile: it must not depend on the number of rows.
The bars were set on a floor of 1 000 requests a second and scale with the floor of the run.
"""

import argparse
import asyncio
import http.client
import sys
import threading
import time
from uuid import UUID

from deploy.local import lifecycle
from tests.bench.__main__ import Bench, all_processes, home_of_its_own, write_results
from tests.bench.load.many_tickets import fill_list

QUEUE = "exported"
FORMATS = {"csv": 20_000, "xlsx": 5_000, "parquet": 50_000, "json": None}
"""Format -> rows a second on a floor of 1 000 requests a second."""
FLAT = 64 * 1024 * 1024
"""Bytes that the service may grow by during an export: buffers, not rows."""


def measure(bench: Bench, rows: int) -> None:
    """Adds rows to the table: the rate in each format, and the memory that the service needed."""
    document = {"slug": QUEUE, "name": "Exported", "address": "exported@help.example.org", "members": []}
    bench.desk.call("PUT", f"/queues/{QUEUE}", document)
    queue = bench.desk.call("GET", f"/queues/{QUEUE}")["id"]
    asyncio.run(fill_list(bench.instance, UUID(queue), QUEUE, rows))
    for name, bar in FORMATS.items():
        floor = bench.floor()
        _download(
            bench, name, empty=True
        )  # its modules are in the file cache, as they are on a desk that exports now and then
        peak = Peak(bench)
        size, took, first = _download(bench, name)
        grown = peak.end()
        needed = bar * floor / 1000 if bar is not None else None
        shown = f">= {needed:.0f}" if needed is not None else ""
        met = rows / took >= needed if needed is not None else None
        bench.row(
            f"export of {rows} tickets as {name}, first byte after {first:.2f} s, {size / 1e6:.0f} MB",
            rows / took, "rows/s", shown, met, floor,
        )  # fmt: skip
        bench.row(f"the service grows meanwhile ({name})", grown / 1e6, "MB", f"<= {FLAT / 1e6:.0f}", grown <= FLAT)


def _download(bench: Bench, name: str, *, empty: bool = False) -> tuple[int, float, float]:
    """Reads an export and discards it. Returns its bytes, the seconds that it took, and those to the first byte."""
    connection = http.client.HTTPConnection("127.0.0.1", bench.instance.ports["gateway"], timeout=900)
    began = time.monotonic()
    small = "&created_from=2100-01-01T00:00:00Z" if empty else ""
    path = f"/api/v1/tickets/export?format={name}&queue={QUEUE}{small}"
    connection.request("GET", path, headers={"Authorization": f"Bearer {bench.desk.token}"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"bench: {path} answered {answer.status}: {answer.read()[:300]!r}")
    first, size = 0.0, 0
    while piece := answer.read1(1 << 18):
        first = first or time.monotonic() - began
        size += len(piece)
    connection.close()
    return size, time.monotonic() - began, first


class Peak:
    """The most memory of reporting's API processes since it was made, beyond what they had then."""

    def __init__(self, bench: Bench) -> None:
        self._group = [
            process for name, group in all_processes(bench.instance).items() if name.startswith("reporting")
            for process in group
        ]  # fmt: skip
        self._before = self._most = self._now()
        self._stop = threading.Event()
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()

    def end(self) -> int:
        self._stop.set()
        self._watching.join()
        return self._most - self._before

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self._most = max(self._most, self._now())

    def _now(self) -> int:
        return sum(process.memory_info().rss for process in self._group)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads.export", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    arguments = parser.parse_args()
    with home_of_its_own() as home:
        bench = Bench(lifecycle.up(home, lambda _: None), 0)
        measure(bench, arguments.rows)
    write_results("export.json", bench.rows, tickets=arguments.rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
