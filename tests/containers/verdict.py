"""Runs inside the composed system's network: the checks of `tests.chaos` on what the system has acknowledged, read as JSON from stdin."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from deploy.docker import volumes
from shared.messaging.access.account import KafkaAdmin
from tests.chaos.checks import Checks, Scene
from tests.chaos.load import Acknowledged

SENT = Path("/var/lib/ledgerdesk/sent")


def main() -> int:
    seen = Acknowledged(**json.load(sys.stdin))
    superuser = (volumes.JOBS / "postgres-url").read_text("utf-8").rpartition("/")[0]
    scene = Scene(lambda name: f"{superuser}/{name}", KafkaAdmin.read(), SENT, _verify)
    return 0 if asyncio.run(Checks(scene, seen).verdict()) else 1


def _verify(name: str) -> bool:
    command = [sys.executable, "-m", "services.reporting", "projections", "verify", name]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
