"""`python -m services.reporting api | worker | all | migrate | parked ... | projections ...`"""

import sys

from services.reporting.schema import MIGRATIONS
from shared.service.command_line import Service, main


def load() -> Service:
    from services.reporting.app import process, replayed

    return Service(process, replayed)


def run() -> int:
    if sys.argv[1:2] == ["projections"]:
        from services.reporting.generations import rebuilding

        return rebuilding.main(sys.argv[2:])
    status = main("reporting", MIGRATIONS, load, "`projections` rebuilds read models: see `projections --help`.")
    if status == 0 and sys.argv[1:] == ["migrate"]:
        from services.reporting.generations import rebuilding

        return rebuilding.migrate()
    return status


if __name__ == "__main__":
    sys.exit(run())
