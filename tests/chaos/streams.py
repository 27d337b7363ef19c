"""Live streams that stay open through a chaos run. Each reconnects as a browser does, and must be told every change
once."""

import http.client
import json
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

Told = Counter[tuple[str, str]]
"""How often each type of event was told of each ticket: (ticket, type)."""
SILENCE_SECONDS = 40
"""A stream without even a comment for so long is dead."""


class Stream(threading.Thread):
    def __init__(self, url: str, token: str) -> None:
        super().__init__(daemon=True)
        where = urllib.parse.urlsplit(url)
        self.host, self.port, self.token = where.hostname or "", where.port or 80, token
        self.told: Told = Counter()
        self.resets = self.connections = 0
        self.begun, self.stop = threading.Event(), threading.Event()
        self._last = ""

    def run(self) -> None:
        while not self.stop.is_set():
            link = http.client.HTTPConnection(self.host, self.port, timeout=SILENCE_SECONDS)
            with suppress(OSError, http.client.HTTPException):
                self._listen(link)
            link.close()
            self.stop.wait(0.3)

    def _listen(self, link: http.client.HTTPConnection) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Last-Event-ID": self._last} if self._last else {})
        link.request("GET", "/api/v1/stream", headers=headers)
        answer = link.getresponse()
        if answer.status != 200:
            return
        self.connections += 1
        lines: dict[str, str] = {}
        while not self.stop.is_set() and (raw := answer.readline()):
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(":")
                lines[name] = value.removeprefix(" ")
                continue
            self._last = lines.get("id", self._last)
            if "retry" in lines:
                self.begun.set()
            if lines.get("event") == "ticket":
                data = json.loads(lines["data"])
                self.told.update((data["id"], name) for name in data.get("types", ()))
            self.resets += lines.get("event") == "reset"
            lines = {}

    def differences(self, expected: Told, seconds: float = 60.0) -> list[str]:
        """What was told more or less often than it happened. Waits for what may still come."""
        end = time.monotonic() + seconds
        while any(self.told[each] < count for each, count in expected.items()) and time.monotonic() < end:
            time.sleep(0.2)
        found = [
            f"{ticket} {name}: told {self.told[ticket, name]} times of {expected[ticket, name]}"
            for ticket, name in sorted(expected.keys() | self.told.keys())
            if self.told[ticket, name] != expected[ticket, name]
        ]
        return found + ["a stream was reset"] * self.resets


@contextmanager
def open_streams(url: str, token: str, count: int) -> Iterator[list[Stream]]:
    """Streams of one person. The body begins when all are open."""
    streams = [Stream(url, token) for _ in range(count)]
    for each in streams:
        each.start()
    for each in streams:
        if not each.begun.wait(30):
            raise AssertionError("a stream does not open")
    try:
        yield streams
    finally:
        for each in streams:
            each.stop.set()
