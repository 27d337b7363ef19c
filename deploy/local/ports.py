"""Ports of 127.0.0.1 for servers."""

import itertools
import secrets
import socket
from pathlib import Path

GIVEN_TO_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")
DYNAMIC = 49152
"""Where the ports for outgoing connections begin by RFC 6335, section 6; Linux has a range of its own."""
WIDTH = 12_000


def _range() -> range:
    """Below what the system gives to outgoing connections: one of those may hold a server's port just when the server starts again.
    Where nearly all are given to connections, any will do."""
    end = int(GIVEN_TO_CONNECTIONS.read_text().split()[0]) if GIVEN_TO_CONNECTIONS.exists() else DYNAMIC
    below = range(max(end - WIDTH, 10_000), end)
    return below if len(below) >= WIDTH // 4 else range(DYNAMIC - WIDTH, DYNAMIC)


PORTS = _range()
_turn = itertools.count(secrets.randbelow(len(PORTS)))
"""One after the other from anywhere: nothing is given twice by one process, and two that choose at the same time hardly ever meet."""


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, and that were not given before. Raises OSError where there are too few."""
    ports = (PORTS[next(_turn) % len(PORTS)] for _ in PORTS)
    found = list(itertools.islice(filter(is_free, ports), count))
    if len(found) < count:
        raise OSError(f"fewer than {count} ports of {PORTS.start} to {PORTS.stop - 1} are free")
    return found
