"""The network of an address, which counts as one caller."""

from ipaddress import IPv6Address, ip_address, ip_network


def network(address: str) -> str:
    """The IPv4 address, or the /64 network of an IPv6 address. Any other text is returned as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return "::1" if parsed.is_loopback else str(ip_network((parsed, 64), strict=False))
    return address
