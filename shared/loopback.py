"""Whether a server is on this machine, so that nobody can listen in on the connection."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether this name or address is certainly of this machine. No name is looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
