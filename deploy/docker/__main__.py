"""The image's one command: `gateway api`, `intake worker`, `routing migrate`, ... or one of the jobs of a start."""

import runpy
import sys
from collections.abc import Callable, Sequence

from deploy.docker import volumes
from deploy.docker.trouble import Trouble
from deploy.docker.volumes import SERVICES
from shared.settings import SettingMissing, env


def main(arguments: Sequence[str]) -> int:
    """Runs one command. Returns the exit status."""
    name, rest = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    if name in SERVICES:
        return _module(f"services.{name}", rest)
    if name == "topics":
        return _module("shared.messaging.topics", rest)
    if name in JOBS:
        try:
            return JOBS[name](rest) or 0
        except (Trouble, SettingMissing) as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    print(
        f"what to run: one of {', '.join(SERVICES)} with a role (api, worker, all, migrate, parked, ...), or one of"
        f" {', '.join(('topics', *JOBS))}",
        file=sys.stderr,
    )
    return 2


def _module(name: str, arguments: list[str]) -> int:
    """Runs a module as `python -m` does."""
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
    return 0


def _prepare(_: list[str]) -> None:
    from deploy.docker.prepare import main as prepare

    given = env("LEDGERDESK_ADMIN_PASSWORD", "")
    prepare(volumes.ALL_SECRETS, volumes.HANDED_OUT, volumes.POSTGRES, given)


def _databases(_: list[str]) -> None:
    from deploy.docker.provision import main as provision

    provision(volumes.JOBS)


def _relay_check(_: list[str]) -> None:
    from deploy.docker.relay_check import main as check

    check()


def _republish(_: list[str]) -> int:
    from deploy.docker.provision import read

    return _module("shared.messaging.republish", [f"{each}={read(volumes.JOBS, f'{each}-url')}" for each in SERVICES])


def _admin_password(_: list[str]) -> None:
    from deploy.docker.provision import read

    print(read(volumes.JOBS, "admin-password"))


def _analyst(_: list[str]) -> None:
    from deploy.analyst import how_to_connect
    from deploy.docker.provision import read

    where = "It can be reached from containers in the network `inside` only (docs/analysts.md)."
    print(how_to_connect(read(volumes.JOBS, "analyst-url"), where), end="")


JOBS: dict[str, Callable[[list[str]], int | None]] = {
    "prepare": _prepare,
    "databases": _databases,
    "relay-check": _relay_check,
    "republish": _republish,
    "admin-password": _admin_password,
    "analyst": _analyst,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
