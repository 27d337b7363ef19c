"""`python -m services.intake api | worker | all | migrate | parked ...`"""

import sys

from services.intake.app import CONSUMER, MIGRATIONS, SERVICE, handlers, process
from shared.service import main

if __name__ == "__main__":
    sys.exit(main(SERVICE, process, MIGRATIONS, {CONSUMER: handlers}))
