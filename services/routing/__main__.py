"""`python -m services.routing api | worker | all | migrate | parked ...`"""

import sys

from services.routing.schema import MIGRATIONS
from shared.service.command_line import Service, main


def load() -> Service:
    from services.routing import timers
    from services.routing.acting import waiting
    from services.routing.app import CONSUMER, handlers, process

    return Service(process, {CONSUMER: handlers}.get, {"timers": timers.Parked(), "triggers": waiting.Parked()})


if __name__ == "__main__":
    sys.exit(main("routing", MIGRATIONS, load))
