"""`python -m tests.chaos [--kills 60] [--seed N]`: kills processes of a whole system under load; nothing must be lost.

Kills a random process with SIGKILL (any service, Kafka, PostgreSQL), or stops one for a while with SIGSTOP. Prints what
was counted. The exit status is 0 only if every check holds.
"""

import argparse
import asyncio
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from deploy.local import lifecycle
from deploy.local.home import Home, Trouble
from deploy.local.ports import free_ports
from deploy.local.supervision import RUNNING, Supervisor, wait
from tests.chaos.checks import Checks
from tests.chaos.load import under_load
from tests.chaos.preparation import prepare
from tests.chaos.scenes import of_instance
from tests.chaos.streams import open_streams

QUEUE = "chaos"
AGENTS = 3
MAIL_SERVERS = 3
STREAMS = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--keep", action="store_true", help="leave the instance's folder in place")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ledgerdesk-chaos-"))
    folder.chmod(0o711)
    os.environ["LEDGERDESK_PORT"], os.environ["LEDGERDESK_LMTP_PORT"] = map(str, free_ports(2))
    home = Home(folder / "home")
    failed = True
    try:
        failed = run(home, arguments.kills, arguments.seed)
    except Trouble as trouble:
        print(f"chaos: {trouble}", file=sys.stderr)
    finally:
        lifecycle.down(home, print)
        if not arguments.keep and not failed:
            shutil.rmtree(folder, ignore_errors=True)
        elif failed:
            print(f"logs and data are in {home.path}")
    return 1 if failed else 0


def run(home: Home, kills: int, seed: int) -> bool:
    """One run. Returns whether anything was wrong."""
    print(f"chaos: {kills} kills, seed {seed}")
    instance = lifecycle.up(home, print)
    password = instance.home.admin_password.read_text("utf-8").strip()
    tokens = prepare(instance.gateway_url, password, QUEUE)
    host, _, port = instance.lmtp.rpartition(":")
    lmtp = host, int(port)
    with open_streams(instance.gateway_url, tokens.agent, STREAMS) as streams:
        with under_load(
            instance.gateway_url, tokens, QUEUE, lmtp, agents=AGENTS, mail_servers=MAIL_SERVERS, pace=0.1
        ) as seen:
            done = kill_about(home, kills, random.Random(seed))
        counted = ", ".join(f"{name} {count}" for name, count in sorted(done.items()))
        print(f"killed or stopped: {counted}; waiting until all is quiet ...")
        lifecycle.up(home, lambda _: None)
        return not asyncio.run(Checks(of_instance(instance), seen, streams).verdict())


def kill_about(home: Home, kills: int, chance: random.Random) -> Counter[str]:
    """Kills processes at random, one every few seconds. Returns how often each was killed or stopped."""
    done: Counter[str] = Counter()
    supervisor = Supervisor(home)
    for n in range(kills):
        time.sleep(chance.uniform(0.3, 2.5))
        running = [each for each in supervisor.processes() if each["statename"] == RUNNING and each["pid"]]
        if not running:
            continue
        victim = chance.choice(running)
        if chance.random() < 0.25:
            _send(victim["pid"], signal.SIGSTOP)
            time.sleep(chance.uniform(0.5, 12.0 if n % 10 == 0 else 2.0))
            _send(victim["pid"], signal.SIGCONT)
            done[f"{victim['name']} (stopped)"] += 1
        else:
            _send(victim["pid"], signal.SIGKILL)
            done[victim["name"]] += 1
    wait(
        lambda: all(each["statename"] == RUNNING for each in supervisor.processes()),
        120,
        "not every process runs again; see the logs",
    )
    return done


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main())
