"""`python -m services.reporting api | worker | all | migrate | parked ... | projections ...`"""

import sys
from zoneinfo import ZoneInfo

from services.reporting import rebuilding
from services.reporting.app import DIRECTORY_CONSUMER, MIGRATIONS, SERVICE, process
from services.reporting.sets import projection_sets
from shared.contracts.topics import DIRECTORY
from shared.directory.projection import DirectoryProjection
from shared.messaging.handlers import ProjectionHandler
from shared.service import MakeHandlers, main
from shared.settings import env


def consumers() -> dict[str, MakeHandlers]:
    """The consumers whose parked tickets can be replayed: those of the sets' first generations, and the documents'."""
    made: dict[str, MakeHandlers] = {
        DIRECTORY_CONSUMER: lambda _: {DIRECTORY: ProjectionHandler(DirectoryProjection())}
    }
    for which in projection_sets(ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC"))).values():
        for generation in range(1, 10):
            made[which.consumer(generation)] = lambda _, which=which, generation=generation: which.handlers(generation)  # type: ignore[misc]
    return made


def run() -> int:
    if sys.argv[1:2] == ["projections"]:
        return rebuilding.main(sys.argv[2:])
    status = main(SERVICE, process, MIGRATIONS, consumers())
    if status == 0 and sys.argv[1:] == ["migrate"]:
        return rebuilding.migrate()
    return status


if __name__ == "__main__":
    sys.exit(run())
