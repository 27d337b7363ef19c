"""`python -m services.intake api | worker | all | migrate | parked ...`; `deliver` hands in a mail."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["deliver"]:
        # Started for every mail: it needs neither the service nor what that imports.
        from services.intake.deliver import main as deliver

        sys.exit(deliver(sys.argv[2:]))

    from services.intake.app import CONSUMER, MIGRATIONS, SERVICE, handlers, process
    from shared.service import main

    sys.exit(main(SERVICE, process, MIGRATIONS, {CONSUMER: handlers}))
