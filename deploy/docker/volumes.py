"""Where the volumes of docker-compose.yml are mounted in our containers."""

from pathlib import Path

OWN = Path("/run/ledgerdesk")
"""In a service: its own secrets."""
JOBS = Path("/run/ledgerdesk-jobs")
"""In the one-shot jobs: the database URLs and the administrator's password."""
ALL_SECRETS = Path("/volumes/secrets")
"""In `prepare`: every secret. The files of the other containers are copied from here at each start."""
HANDED_OUT = Path("/volumes/handed-out")
"""In `prepare`: one directory for each container that gets secrets."""
POSTGRES = Path("/volumes/postgres")
"""In `prepare`, read-only: PostgreSQL's volume."""

SERVICES = ("gateway", "intake", "routing", "notify", "reporting")
