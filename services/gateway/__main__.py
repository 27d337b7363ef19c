"""`python -m services.gateway api | worker | all | migrate | ...`"""

import asyncio
import sys

from services.gateway.app import MIGRATIONS, SERVICE, process
from services.gateway.first_start import first_documents
from shared.service import main
from shared.settings import env


def run() -> int:
    status = main(SERVICE, process, MIGRATIONS, {})
    if status == 0 and sys.argv[1:] == ["migrate"]:
        asyncio.run(first_documents(env("LEDGERDESK_DATABASE_URL")))
    return status


if __name__ == "__main__":
    sys.exit(run())
