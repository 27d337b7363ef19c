"""`python -m services.notify api | worker | all | migrate | parked ...`"""

import sys

from services.notify.app import CONSUMER, MIGRATIONS, SERVICE, handlers_for_replay, process
from shared.service import main

if __name__ == "__main__":
    sys.exit(main(SERVICE, process, MIGRATIONS, {CONSUMER: handlers_for_replay}))
