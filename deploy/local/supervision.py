"""Starting, querying and stopping the supervisor of one instance."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from deploy.local.home import CHECKOUT, SERVICES, Home, Trouble, write_private
from deploy.local.programs import MARK

RUNNING = "RUNNING"


class Supervisor:
    """The supervisor of a home, by its control socket."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def _call(self, method: str, *arguments: Any) -> Any:
        proxy = xmlrpc.client.ServerProxy(
            "http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{self.home.socket}")
        )
        return getattr(proxy.supervisor, method)(*arguments)

    def alive(self) -> bool:
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error, http.client.HTTPException):
            return False
        return True

    def processes(self) -> list[dict[str, Any]]:
        """The programs as the supervisor knows them; empty if it does not run."""
        try:
            found: list[dict[str, Any]] = self._call("getAllProcessInfo")
        except (OSError, xmlrpc.client.Error, http.client.HTTPException):
            return []
        return found

    def launch(self, configuration: str) -> None:
        """Starts the supervisor as a daemon; it starts PostgreSQL and Kafka by itself."""
        path = self.home.run / "supervisord.conf"
        write_private(path, configuration)
        self.home.socket.unlink(missing_ok=True)
        # Programs get their environment from the configuration alone, not from the shell that starts the supervisor.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LEDGERDESK_", "OTEL_")) and name != "PYTHONDONTWRITEBYTECODE"
        } | {MARK: str(self.home.path)}
        started = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(path)],
            capture_output=True,
            text=True,
            cwd=CHECKOUT,
            env=environment,
            check=False,
        )
        if started.returncode:
            raise Trouble(f"the supervisor does not start: {(started.stderr or started.stdout).strip()[-300:]}")
        wait(self.alive, 10, "the supervisor does not answer; see logs/supervisord.log")

    def start(self, name: str) -> None:
        """Starts a program if it does not run. A readiness check must tell whether it stays up."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise

    def stop(self) -> None:
        """Stops everything in order and ends the supervisor. Then ends the processes that a killed one has left."""
        if self.alive():
            pid = int(self._call("getPID"))
            for service in SERVICES:  # all at once; PostgreSQL and Kafka after they have ended
                with contextlib.suppress(xmlrpc.client.Fault):
                    self._call("stopProcess", service, False)
            self._call("shutdown")
            wait(lambda: not _exists(pid), 60, "the supervisor does not end; see logs/supervisord.log")
        self.end_leftovers()
        self.home.socket.unlink(missing_ok=True)

    def end_leftovers(self) -> None:
        """Ends processes of this home that have no supervisor, with SIGTERM and then SIGKILL."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            left = list(leftovers(self.home))
            if not left:
                return
            for pid in left:
                try:
                    os.kill(pid, sign)
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    continue
            end = time.monotonic() + 20
            while any(map(_exists, left)) and time.monotonic() < end:
                time.sleep(0.1)


def leftovers(home: Home) -> Iterator[int]:
    """The processes that carry this home's mark."""
    mark = f"{MARK}={home.path}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark in environment.split(b"\0"):
                yield int(entry.name)


def wait(probe: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Waits until `probe` is true. Raises Trouble with the message `otherwise` if it is not in time."""
    end = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > end:
            raise Trouble(otherwise)
        time.sleep(0.05)


def _exists(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
