"""The image's health check: asks the process of this container whether it is ready. `python -m deploy.docker.probe [PORT]`"""

import http.client
import os
import sys

SECONDS = 4


def main(port: int) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        link.request("GET", "/readyz")
        answer = link.getresponse()
        told = answer.read(2_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {type(error).__name__}: {error}")
        return 1
    print(told)  # `docker inspect` shows it: which check fails, and why
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LEDGERDESK_LISTEN", "").rpartition(":")[2]
    sys.exit(main(int(named)))
