"""Where connections that administrators configure may go: to the internet, and to what the installation lists (OWASP
API7:2023).

Names are resolved here and the connection uses an address that was checked. So it does not help an attacker to change
the name's address after the check.
"""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from services.intake.transports.mailboxes.errors import MailboxError, PermanentMailboxError

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The global unicast addresses that IANA has assigned in IPv6."""
RESERVED = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))
"""Special-purpose addresses (RFC 6890) that not every version of Python knows."""
NAT64 = IPv6Network("64:ff9b::/96")
NOT_ALLOWED = (
    "no connection to this host is allowed: its name is unknown, or it belongs to this machine or a private network and"
    " LEDGERDESK_MAILBOX_HOSTS does not list it"
)

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """One address to connect to, and its port."""

    family: socket.AddressFamily
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Destinations:
    """`names` are allowed whatever they resolve to; addresses of `networks` are allowed under any name."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parsed(cls, text: str) -> "Destinations":
        """Reads names, addresses and networks, separated by blanks or commas. Raises ValueError for a network that is
        not valid."""
        names, networks = set(), []
        for word in text.replace(",", " ").split():
            if "/" in word or ":" in word or word.replace(".", "").isdigit():
                networks.append(ip_network(word))
            else:
                names.add(_plain(word))
        return cls(frozenset(names), tuple(networks))

    def resolve(self, host: str, port: int) -> list[Target]:
        """The addresses of a host to which a connection is allowed; blocks. Raises PermanentMailboxError if there is
        none, MailboxError if names cannot be resolved now.

        Both have the same text: whoever configures mailboxes must not learn which names the network has.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise (MailboxError if error.errno == socket.EAI_AGAIN else PermanentMailboxError)(NOT_ALLOWED) from None
        except (UnicodeError, ValueError):  # not a valid host name
            raise PermanentMailboxError(NOT_ALLOWED) from None
        listed = _plain(host) in self.names
        targets = [
            Target(family, str(address), port)
            for family, _, _, _, (address, *_) in found
            if family in (socket.AF_INET, socket.AF_INET6) and (listed or self.permits(ip_address(address)))
        ]
        if not targets:
            raise PermanentMailboxError(NOT_ALLOWED)
        return targets

    def permits(self, address: Address) -> bool:
        """Whether a connection to this address is allowed: every address that it stands for is listed or public."""
        return all(self._is_listed(each) or _is_public(each) for each in _embedded(address))

    def _is_listed(self, address: Address) -> bool:
        return _in(address, self.networks)


def _embedded(address: Address) -> Iterator[Address]:
    """The addresses that an address stands for. For an IPv4 address written as IPv6 that is only the IPv4 address; for
    a tunnel it is both."""
    if not isinstance(address, IPv6Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo


def _is_public(address: Address) -> bool:
    """Whether an address is on the internet: not of this machine, this link or a private network, nor multicast,
    unspecified or reserved."""
    if isinstance(address, IPv6Address) and (address.scope_id is not None or address not in GLOBAL_UNICAST):
        return False
    if _in(address, RESERVED):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _in(address: Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
