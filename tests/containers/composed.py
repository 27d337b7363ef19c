"""One composed system, driven by `docker compose` as a person would: up, scale, kill, look, down."""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.home import CHECKOUT

FILES = ("docker-compose.yml", "tests/containers/compose.yml")


class Failed(Exception):
    """A command did not do what it should; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A project of its own: name, published ports and volumes are nobody else's."""

    project: str
    port: int
    lmtp_port: int
    more: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        usual = {name: value for name, value in os.environ.items() if not name.startswith(("LEDGERDESK_", "OTEL_"))}
        ports = {"LEDGERDESK_PORT": str(self.port), "LEDGERDESK_LMTP_PORT": str(self.lmtp_port)}
        return usual | ports | {"COMPOSE_PROJECT_NAME": self.project} | dict(self.more)

    def compose(self, *arguments: str, given: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """`docker compose ARGUMENTS`. Raises Failed when it fails and `check` is set."""
        files = [word for name in FILES for word in ("-f", str(CHECKOUT / name))]
        command = ["docker", "compose", "--project-directory", str(CHECKOUT), "--progress", "plain", *files, *arguments]
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, cwd=CHECKOUT, env=self.environment(), check=False
        )
        if check and done.returncode:
            raise Failed(
                f"docker compose {' '.join(arguments[:6])} ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}"
            )
        return done

    def up(self, *arguments: str) -> float:
        """Brings it up, waits until it is healthy, answers the seconds that it took."""
        began = time.monotonic()
        try:
            self.compose("up", "-d", "--wait", "--pull", "never", "--no-build", *arguments)
        except Failed as error:
            ill = sorted({each["Service"] for each in self.containers() if each["Health"] != "healthy"})
            told = self.compose("logs", "--no-color", "--tail", "12", *ill, check=False).stdout
            raise Failed(f"{error}\n{told[-6000:]}") from error
        return time.monotonic() - began

    def down(self) -> float:
        """Takes it down with its volumes; answers the seconds that it took."""
        began = time.monotonic()
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans")
        return time.monotonic() - began

    def stop(self) -> float:
        """Takes it down and keeps its volumes."""
        began = time.monotonic()
        self.compose("down")
        return time.monotonic() - began

    def job(
        self, service: str, *arguments: str, given: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Runs a one-shot container beside what runs."""
        return self.compose("run", "--rm", "--no-deps", "-T", service, *arguments, given=given, check=check)

    def admin_password(self) -> str:
        return self.job("databases", "admin-password").stdout.strip()

    def containers(self) -> list[dict[str, Any]]:
        """Every container with its Service, Name, State and Health, as `docker compose ps` tells it."""
        told = self.compose("ps", "--all", "--format", "json").stdout
        return [json.loads(line) for line in told.splitlines() if line.startswith("{")]

    def running(self) -> list[dict[str, Any]]:
        return [each for each in self.containers() if each["State"] in ("running", "restarting", "paused")]

    def unhealthy(self) -> list[str]:
        """Names of the containers that should run and are not healthy."""
        return [
            each["Name"]
            for each in self.containers()
            if not (each["State"] == "exited" and each["ExitCode"] == 0) and each["Health"] != "healthy"
        ]

    def wait_until_healthy(self, seconds: float = 180.0) -> None:
        """Waits until everything is healthy, without doing anything for it."""
        end = time.monotonic() + seconds
        while ill := self.unhealthy():
            if time.monotonic() > end:
                raise Failed(f"does not heal by itself: {', '.join(ill)}\n{self.compose('ps', '--all').stdout}")
            time.sleep(1)

    def metrics(self, service: str, replica: int) -> str:
        """What a process tells monitors."""
        program = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9464/metrics').read().decode())"
        return self.compose("exec", "-T", "--index", str(replica), service, "python", "-c", program).stdout


def crash(container: Mapping[str, Any]) -> None:
    """Ends every process in a container as the kernel does when memory is short; `docker kill` would count as an order to stay down."""
    user = {"postgres": ["--user", "postgres"]}.get(container["Service"], [])
    subprocess.run(
        ["docker", "exec", *user, container["Name"], "bash", "-c", "kill -9 -1"], capture_output=True, check=False
    )


def freeze(container: Mapping[str, Any], seconds: float) -> None:
    """Stops a container in the middle of everything for a while, with its connections open."""
    if subprocess.run(["docker", "pause", container["Name"]], capture_output=True, check=False).returncode == 0:
        time.sleep(seconds)
        subprocess.run(["docker", "unpause", container["Name"]], capture_output=True, check=False)


def engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def acceptance() -> Path:
    return Path(os.environ.get("ACCEPTANCE") or CHECKOUT.parent / "shared" / "acceptance")
