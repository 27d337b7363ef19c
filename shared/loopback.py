"""Whether a server is on this machine, so that nobody listens in between."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether this name or address can only be of this machine; no name is looked up."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
