"""The image's health check, `python -m deploy.docker.probe [PORT]`: asks this container's process whether it is ready.

Runs every few seconds in every container: it imports no more than it needs.
"""

import os
import socket
import sys

SECONDS = 20.0
MOST = 2_000


def main(port: int) -> int:
    """Returns 0 if the answer is 200. Prints the answer, which `docker inspect` shows."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as link:
            link.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while len(answer) < MOST and (more := link.recv(MOST)):
                answer += more
    except OSError as error:
        print(f"no answer: {error}")
        return 1
    head, _, body = answer.partition(b"\r\n\r\n")
    print(body.decode("utf-8", "replace"))
    return 0 if head.split()[1:2] == [b"200"] else 1


if __name__ == "__main__":
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LEDGERDESK_LISTEN", "").rpartition(":")[2]
    sys.exit(main(int(named)))
