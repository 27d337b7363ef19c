"""Questions to the DNS about one mail: bounded in time and number, because the names in it are anybody's."""

import time
from collections.abc import Sequence

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

SECONDS = 4.0
"""For all questions about one mail."""
SECONDS_EACH = 2.0
MOST = 60
MOST_RECORDS = 20
LONGEST_TEXT = 4_096
CACHED = 10_000


class Unanswered(Exception):
    """The DNS did not tell (in time): what was asked is not known. `silent`: nothing came back at all."""

    def __init__(self, why: str, *, silent: bool = False) -> None:
        super().__init__(why)
        self.silent = silent


def resolver(nameservers: Sequence[str]) -> dns.resolver.Resolver:
    """Asks these (`address` or `address:port`, IPv6 in brackets), or none given those of this machine; remembers answers as long as they say."""
    found = dns.resolver.Resolver(configure=not nameservers)
    if nameservers:
        found.nameservers = []
        for each in nameservers:
            host, _, port = each.rpartition(":") if "]:" in each or each.count(":") == 1 else (each, "", "")
            host = host.strip("[]")
            found.nameservers = [*found.nameservers, host]
            if port:
                found.nameserver_ports[host] = int(port)
    found.cache = dns.resolver.LRUCache(CACHED)
    found.timeout = SECONDS_EACH / 2
    return found


class DnsQueries:
    """The questions about one mail. A name that does not exist has no records; whatever else goes wrong raises Unanswered."""

    def __init__(self, asked: dns.resolver.Resolver, *, seconds: float = SECONDS, most: int = MOST) -> None:
        self._asked, self._left = asked, most
        self._end = time.monotonic() + seconds
        self.silent = False

    def txt(self, name: str) -> list[str]:
        """The text records of a name, each joined; what is no ASCII becomes question marks."""
        records = self._records(name, "TXT")
        joined = (b"".join(each.strings) for each in records)
        return [text.decode("ascii", "replace") for text in joined if len(text) <= LONGEST_TEXT]

    def addresses(self, name: str, version: int) -> list[str]:
        """IPv4 or IPv6 addresses."""
        return [each.address for each in self._records(name, "A" if version == 4 else "AAAA")]

    def exchanges(self, name: str) -> list[str]:
        """The mail servers of a domain."""
        return [each.exchange.to_text(omit_final_dot=True) for each in self._records(name, "MX")]

    def _records(self, name: str, kind: str) -> list:  # type: ignore[type-arg]
        self._left -= 1
        left = self._end - time.monotonic()
        if self._left < 0 or left <= 0:
            raise Unanswered("it takes too many questions to the DNS" if self._left < 0 else "the DNS takes too long")
        try:
            wanted = dns.name.from_text(name)
            found = self._asked.resolve(
                wanted, kind, lifetime=min(left, SECONDS_EACH), raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return []
        except dns.exception.Timeout as error:
            self.silent = self.silent or not self._anybody_there()
            raise Unanswered(f"the DNS did not answer for {name[:100]}") from error
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.BadEscape, UnicodeError):
            return []  # no name at all
        except dns.exception.DNSException as error:
            raise Unanswered(f"the DNS failed for {name[:100]}: {type(error).__name__}") from error
        return list(found.rrset or ())[:MOST_RECORDS]

    def _anybody_there(self) -> bool:
        """Whether the server answers at all: it always knows the root, and only the asked name's own servers may be slow."""
        try:
            self._asked.resolve(dns.name.root, dns.rdatatype.NS, lifetime=SECONDS_EACH / 2, raise_on_no_answer=False)
        except dns.exception.Timeout:
            return False
        except dns.exception.DNSException:
            pass
        return True
