"""`python -m services.routing api | worker | all | migrate | parked ...`"""

import sys

from services.routing.schema import MIGRATIONS
from shared.service import Service, main


def load() -> Service:
    from services.routing.app import CONSUMER, SERVICE, handlers, process

    return Service(SERVICE, process, {CONSUMER: handlers})


if __name__ == "__main__":
    sys.exit(main("routing", MIGRATIONS, load))
