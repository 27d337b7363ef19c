"""`python -m tests.containers [--kills 20] [--seed N]`: the composed system, proved on the engine that answers.

Brings it up, plays the main job, scales every worker and both open APIs to three and back while mails and people come in and containers are
killed, then counts that nothing was lost or doubled; backs it up, restores the backup into empty volumes, takes it down.
"""

import argparse
import dataclasses
import json
import random
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from deploy.local.home import CHECKOUT, SERVICES, Trouble
from deploy.local.ports import free_ports
from tests.chaos.load import Acknowledged, under_load
from tests.chaos.preparation import prepare
from tests.containers.composed import Composed, Failed, acceptance, crash, engine_answers, freeze

QUEUE = "load"
AGENTS = 2
MAIL_SERVERS = 3
SCALED = ["gateway-api", "intake-api", *(f"{service}-worker" for service in SERVICES)]
"""Every worker, and the two APIs that the front passes connections to; the others are reached by the gateway in the same way."""
ALWAYS = ("postgres", "kafka")
"""What all others lean on is hit in every run; the rest is chance."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.containers", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--keep", action="store_true", help="leave the system running when something failed")
    arguments = parser.parse_args()
    if not engine_answers():
        print("no Docker engine answers: start one (docs/deploy/compose.md, Tests)", file=sys.stderr)
        return 1
    port, lmtp_port = free_ports(2)
    system = Composed(f"ledgerdesk-test-{secrets.token_hex(3)}", port, lmtp_port, {"ACCEPTANCE": str(acceptance())})
    failed = True
    try:
        run(system, arguments.kills, random.Random(arguments.seed))
        failed = False
    except (Failed, Trouble) as error:
        print(f"containers: {error}", file=sys.stderr)
    finally:
        if failed and arguments.keep:
            print(f"left running as the project {system.project}")
        else:
            print(f"down, volumes removed: {system.down():.1f} s")
    print("containers: everything holds" if not failed else "containers: FAILED")
    return 1 if failed else 0


def run(system: Composed, kills: int, chance: random.Random) -> None:
    """The whole proof. Raises Failed at the first thing that does not hold."""
    print(f"project {system.project}, gateway {system.url}, {kills} kills")
    print(f"up on empty volumes and healthy: {system.up():.1f} s")
    _main_job(system)
    password = system.admin_password()
    seen = _under_load(system, password, kills, chance)
    _verdict(system, seen)
    _backup_and_restore(system, seen)
    print(f"down, volumes kept: {system.stop():.1f} s; up again: {system.up():.1f} s")
    _verdict(system, seen)


def _main_job(system: Composed) -> None:
    if not (acceptance() / "main_job.py").is_file():
        print("no acceptance script beside this checkout; it was not run")
        return
    own = dataclasses.replace(system, more={**system.more, "ACCEPTANCE_ADMIN_PASSWORD": system.admin_password()})
    print(f"main job: {own.job('acceptance').stdout.strip().splitlines()[-1]}")


def _under_load(system: Composed, password: str, kills: int, chance: random.Random) -> Acknowledged:
    tokens = prepare(system.url, password, QUEUE)
    lmtp = "127.0.0.1", system.lmtp_port
    with under_load(system.url, tokens, QUEUE, lmtp, agents=AGENTS, mail_servers=MAIL_SERVERS, pace=0.2) as seen:
        print(f"workers, gateway and intake scaled to three under load: {_scale(system, 3):.1f} s")
        before = len(seen.mails) + len(seen.tickets)
        done = _kill_about(system, kills // 2, chance)
        system.wait_until_healthy()
        _shared(system)
        print(f"workers, gateway and intake scaled down to one under load: {_scale(system, 1):.1f} s")
        done += _kill_about(system, kills - kills // 2, chance, ALWAYS)
        system.wait_until_healthy()
        _moves_on(seen, before)
    print(
        f"killed or frozen: {', '.join(f'{name} {count}' for name, count in sorted(done.items()))}; all healed by themselves"
    )
    return seen


def _scale(system: Composed, replicas: int) -> float:
    counts = (word for each in SCALED for word in ("--scale", f"{each}={replicas}"))
    return system.up("--no-deps", "--no-recreate", *counts, *SCALED)


def _kill_about(system: Composed, kills: int, chance: random.Random, first: Sequence[str] = ()) -> Counter[str]:
    done: Counter[str] = Counter()
    for n in range(kills):
        time.sleep(chance.uniform(0.3, 2.0))
        running = [each for each in system.running() if each["State"] == "running"]
        victim = chance.choice([each for each in running if each["Service"] in first[n : n + 1]] or running)
        if victim["Service"] not in first[n : n + 1] and chance.random() < 0.25:
            freeze(victim, chance.uniform(0.5, 6.0))
            done[f"{victim['Service']} (frozen)"] += 1
        else:
            crash(victim)
            done[victim["Service"]] += 1
    return done


def _shared(system: Composed) -> None:
    """Raises Failed unless every replica of what is asked by others or has partitions has done a part of the work."""
    idle = []
    for service, pattern in (
        ("gateway-api", r"ledgerdesk_http_request_seconds_count\S* ([0-9.e+]+)"),
        ("routing-worker", r"ledgerdesk_consumer_events_total\S* ([0-9.e+]+)"),
        ("reporting-worker", r"ledgerdesk_consumer_events_total\S* ([0-9.e+]+)"),
        ("intake-api", r"ledgerdesk_lmtp_mails_total\S* ([0-9.e+]+)"),
    ):
        worked = []
        for replica in (1, 2, 3):
            end = time.monotonic() + 60
            while not (count := sum(map(float, re.findall(pattern, system.metrics(service, replica))))):
                if time.monotonic() > end:
                    idle.append(f"{service} {replica}")
                    break
                time.sleep(1)
            worked.append(count)
        print(f"  {service}: {', '.join(f'{count:.0f}' for count in worked)} of the work since each replica's start")
    if idle:
        raise Failed(f"these replicas have nothing to do: {', '.join(idle)}")


def _moves_on(seen: Acknowledged, before: int) -> None:
    """Waits until something was acknowledged after all the kills."""
    end = time.monotonic() + 120
    while len(seen.mails) + len(seen.tickets) <= before:
        if time.monotonic() > end:
            raise Failed("nothing is accepted any more")
        time.sleep(0.5)


def _verdict(system: Composed, seen: Acknowledged) -> None:
    told = system.job("verdict", given=json.dumps(dataclasses.asdict(seen)), check=False)
    print(told.stdout.rstrip())
    if told.returncode:
        raise Failed(f"the verdict is bad: {told.stderr[-3000:]}")


def _backup_and_restore(system: Composed, seen: Acknowledged) -> None:
    """Saves the system, loses every volume, restores it and looks for everything again; projections are rebuilt on the way."""
    with tempfile.TemporaryDirectory(prefix="ledgerdesk-backup-") as folder:
        _script(system, "backup", Path(folder))
        system.down()
        _script(system, "restore", Path(folder))
    system.up()
    print("restored into empty volumes:")
    _verdict(system, seen)


def _script(system: Composed, name: str, folder: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [str(CHECKOUT / "deploy" / "docker" / name), str(folder)], env=system.environment(), capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode:
        raise Failed(f"{name} ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")
    print(f"{name}: {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
