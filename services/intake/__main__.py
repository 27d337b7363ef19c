"""`python -m services.intake api | worker | all | migrate | parked ...`; `deliver` hands in a mail."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.service.command_line import Service


def load() -> "Service":
    from services.intake.app import CONSUMER, handlers, process
    from shared.service.command_line import Service

    return Service(process, {CONSUMER: handlers}.get)


def run() -> int:
    if sys.argv[1:2] == ["deliver"]:
        # Started for every mail, so it must not import the service.
        from services.intake.transports.deliver import main as deliver

        return deliver(sys.argv[2:])
    from services.intake.schema import MIGRATIONS
    from shared.service.command_line import main

    return main("intake", MIGRATIONS, load)


if __name__ == "__main__":
    sys.exit(run())
