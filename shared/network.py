"""Which addresses count as one caller."""

from ipaddress import IPv6Address, ip_address, ip_network


def network(address: str) -> str:
    """What one caller can be expected to hold: an IPv4 address, or the /64 of an IPv6 address. What is no address stays as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return "::1" if parsed.is_loopback else str(ip_network((parsed, 64), strict=False))
    return address
