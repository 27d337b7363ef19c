"""Where connections may go that administrators configure: out into the internet, and to what the installation lists (OWASP API7:2023).

Names are resolved here, and a connection goes to an address that was looked at: a name that means something else a moment later leads nowhere.
"""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from services.intake.transports.mailboxes.errors import Refused, Trouble

GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that IANA has given out of IPv6 to be reached from anywhere."""
SET_ASIDE = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))
"""Entries of IANA's registries of special addresses (RFC 6890) that not every version of Python knows."""
NAT64 = IPv6Network("64:ff9b::/96")
NOWHERE = (
    "there is no server at this host that may be asked: the name is unknown, or it is of this machine or a private network and"
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
    """`names` may lead anywhere, whatever they resolve to; addresses of `networks` may be asked under any name."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parsed(cls, text: str) -> "Destinations":
        """Names, addresses and networks between blanks or commas. Raises ValueError for a network that is none."""
        names, networks = set(), []
        for word in text.replace(",", " ").split():
            if "/" in word or ":" in word or word.replace(".", "").isdigit():
                networks.append(ip_network(word))
            else:
                names.add(_plain(word))
        return cls(frozenset(names), tuple(networks))

    def resolve(self, host: str, port: int) -> list[Target]:
        """Where to connect for a host; blocks. Raises Refused where there is nothing that may be asked, Trouble when names cannot be resolved now.

        Both say the same: what stands in the network's own names is not for who configures mailboxes.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise (Trouble if error.errno == socket.EAI_AGAIN else Refused)(NOWHERE) from None
        except (UnicodeError, ValueError):  # no name of a host
            raise Refused(NOWHERE) from None
        listed = _plain(host) in self.names
        targets = [
            Target(family, str(address), port)
            for family, _, _, _, (address, *_) in found
            if family in (socket.AF_INET, socket.AF_INET6) and (listed or self.permits(ip_address(address)))
        ]
        if not targets:
            raise Refused(NOWHERE)
        return targets

    def permits(self, address: Address) -> bool:
        """Whether this address may be asked whatever it is called: all that it stands for is listed or is out in the internet."""
        return all(self._is_listed(each) or _is_outside(each) for each in _meant(address))

    def _is_listed(self, address: Address) -> bool:
        return _in(address, self.networks)


def _meant(address: Address) -> Iterator[Address]:
    """The address, or the ones that it carries: of an IPv4 address in IPv6's clothes only that one counts; a tunnel's counts beside its own."""
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


def _is_outside(address: Address) -> bool:
    """Whether anybody can be meant: not this machine, this link, a private network, many at once, nobody, or what is set aside."""
    if isinstance(address, IPv6Address) and (address.scope_id is not None or address not in GLOBAL_UNICAST):
        return False
    if _in(address, SET_ASIDE):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _in(address: Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
