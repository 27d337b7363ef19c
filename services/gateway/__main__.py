"""`python -m services.gateway api | worker | all | migrate | ...`"""

import asyncio
import sys

from services.gateway.schema import MIGRATIONS
from shared.service.command_line import Service, main
from shared.settings import env


def load() -> Service:
    from services.gateway.app import process
    from services.gateway.documents.suspended_rules import CONSUMER, handlers

    return Service(process, {CONSUMER: handlers}.get)


def run() -> int:
    status = main("gateway", MIGRATIONS, load)
    if status == 0 and sys.argv[1:] == ["migrate"]:
        from services.gateway.documents.first_start import first_documents

        asyncio.run(first_documents(env("LEDGERDESK_DATABASE_URL")))
    return status


if __name__ == "__main__":
    sys.exit(run())
