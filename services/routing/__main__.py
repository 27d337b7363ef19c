"""`python -m services.routing api | worker | all | migrate | parked ...`"""

import sys

from services.routing.schema import MIGRATIONS
from shared.service.command_line import Service, main


def load() -> Service:
    from services.routing import timers
    from services.routing.app import CONSUMER, handlers, process
    from services.routing.matches import waiting

    return Service(process, {CONSUMER: handlers}.get, {"timers": timers.Parked(), "triggers": waiting.Parked()})


if __name__ == "__main__":
    sys.exit(main("routing", MIGRATIONS, load))
