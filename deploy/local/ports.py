"""Ports of 127.0.0.1 for servers."""

import itertools
import secrets
import socket
from pathlib import Path

GIVEN_TO_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")
DYNAMIC = 49152
"""The first port for outgoing connections by RFC 6335, section 6. Linux has a range of its own."""
WIDTH = 12_000


def _range() -> range:
    """Ports below those of outgoing connections, which could take a server's port while the server restarts.

    If nearly all ports are for connections, the range overlaps theirs.
    """
    end = int(GIVEN_TO_CONNECTIONS.read_text().split()[0]) if GIVEN_TO_CONNECTIONS.exists() else DYNAMIC
    below = range(max(end - WIDTH, 10_000), end)
    return below if len(below) >= WIDTH // 4 else range(DYNAMIC - WIDTH, DYNAMIC)


PORTS = _range()
_turn = itertools.count(secrets.randbelow(len(PORTS)))
"""Counts from a random port: a process gives no port twice, and two processes at the same time hardly ever the same."""


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
    """Ports that nothing listens on and that were not given before. Raises OSError if there are too few."""
    ports = (PORTS[next(_turn) % len(PORTS)] for _ in PORTS)
    found = list(itertools.islice(filter(is_free, ports), count))
    if len(found) < count:
        raise OSError(f"fewer than {count} ports of {PORTS.start} to {PORTS.stop - 1} are free")
    return found
