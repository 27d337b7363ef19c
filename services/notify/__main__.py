"""`python -m services.notify api | worker | all | migrate | parked ...`"""

import sys

from services.notify.schema import MIGRATIONS
from shared.service.command_line import Service, main


def load() -> Service:
    from services.notify.app import CONSUMER, handlers_for_replay, process

    return Service(process, {CONSUMER: handlers_for_replay}.get)


if __name__ == "__main__":
    sys.exit(main("notify", MIGRATIONS, load))
