"""`python -m deploy.local up | down | status [--json] | logs | run SERVICE ... | sql SERVICE | demo | analyst | backup DIR |
clean`"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from deploy.local import lifecycle
from deploy.local.commands.analyst import analyst
from deploy.local.commands.backup import backup
from deploy.local.commands.demo import play
from deploy.local.home import SERVICES, Home, Trouble


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description="Ledgerdesk on this machine, without containers."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start everything and wait until it is healthy")
    commands.add_parser("down", help="stop everything; the data stays")
    shown = commands.add_parser("status", help="what runs")
    shown.add_argument("--json", action="store_true")
    commands.add_parser("logs", help="follow every log")
    run = commands.add_parser("run", help="a service's own command, such as: run routing parked")
    run.add_argument("service", choices=SERVICES)
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    database = commands.add_parser("sql", help="psql in the database of a service, such as: sql routing")
    database.add_argument("service", choices=SERVICES)
    commands.add_parser("demo", help="play the main job with sample mails")
    commands.add_parser("analyst", help="how analysts connect to the database")
    saved = commands.add_parser("backup", help="save everything into a new directory, for deploy/docker/restore")
    saved.add_argument("directory", type=Path)
    commands.add_parser("clean", help="stop, and remove all data for good")
    arguments = parser.parse_args()
    home = Home.of_environment()
    try:
        match arguments.command:
            case "up":
                lifecycle.up(home, _say)
            case "down":
                lifecycle.down(home, _say)
            case "status":
                return _status(home, as_json=arguments.json)
            case "logs":
                return _logs(home)
            case "run":
                return lifecycle.run_service_command(home, arguments.service, arguments.arguments)
            case "sql":
                return lifecycle.open_database(home, arguments.service)
            case "backup":
                backup(home, arguments.directory, _say)
            case "analyst":
                print(analyst(home), end="")
            case "demo":
                return play(home, _say)
            case _:
                lifecycle.clean(home, _say)
    except Trouble as trouble:
        print(f"ledgerdesk: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _status(home: Home, *, as_json: bool) -> int:
    found = lifecycle.status(home)
    runs = any(each["pid"] for each in found["processes"])
    if as_json:
        print(json.dumps(found))
    else:
        for each in found["processes"]:
            print(
                f"{each['name']:<10} {each['role']:<7} {each['state']:<10} pid {each['pid'] or '-':<8} {each['metrics'] or ''}".rstrip()
            )
        print(
            f"gateway {found['gateway']}, LMTP {found['lmtp']}"
            if runs
            else "Ledgerdesk does not run: `make up` starts it."
        )
        recount = found["recount"]
        if recount and recount["left"]:
            print(f"clocks are counted anew: {recount['left']} of {recount['tickets']} tickets are left")
    return 0 if runs else 1


def _logs(home: Home) -> int:
    files = sorted(str(path) for path in home.logs.glob("*.log"))
    if not files:
        raise Trouble(f"there are no logs in {home.logs}: run `make up` first")
    return subprocess.run(["tail", "-n", "20", "-F", *files], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
