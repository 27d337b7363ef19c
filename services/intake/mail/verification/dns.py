"""DNS queries about one mail, limited in time and number, because anybody may have chosen the names in the mail."""

import time
from collections.abc import Sequence

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

SECONDS = 4.0
"""For all queries about one mail."""
SECONDS_EACH = 2.0
MOST = 60
MOST_RECORDS = 20
LONGEST_TEXT = 4_096
CACHED = 10_000


class Unanswered(Exception):
    """The DNS gave no answer in time, so the result is unknown. `silent`: there was no response at all."""

    def __init__(self, why: str, *, silent: bool = False) -> None:
        super().__init__(why)
        self.silent = silent


def resolver(nameservers: Sequence[str]) -> dns.resolver.Resolver:
    """Queries these name servers (`address` or `address:port`, IPv6 in brackets), or those of this machine if there are
    none. Answers are cached for their time to live."""
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
    """The queries about one mail. A name that does not exist has no records; any other failure raises Unanswered."""

    def __init__(self, asked: dns.resolver.Resolver, *, seconds: float = SECONDS, most: int = MOST) -> None:
        self._asked, self._left = asked, most
        self._end = time.monotonic() + seconds
        self.silent = False

    def txt(self, name: str) -> list[str]:
        """The text records of a name, each joined; characters beyond ASCII become replacement characters."""
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
            raise Unanswered("it takes too many DNS queries" if self._left < 0 else "the DNS takes too long")
        try:
            wanted = dns.name.from_text(name)
            found = self._asked.resolve(
                wanted, kind, lifetime=min(left, SECONDS_EACH), raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return []
        except dns.exception.Timeout as error:
            self.silent = self.silent or not self._responds()
            raise Unanswered(f"the DNS did not answer for {name[:100]}") from error
        except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, dns.name.BadEscape, UnicodeError):
            return []  # not a valid name
        except dns.exception.DNSException as error:
            raise Unanswered(f"the DNS failed for {name[:100]}: {type(error).__name__}") from error
        return list(found.rrset or ())[:MOST_RECORDS]

    def _responds(self) -> bool:
        """Whether the server responds at all: it always knows the root, and only the servers of the queried name may be
        slow."""
        try:
            self._asked.resolve(dns.name.root, dns.rdatatype.NS, lifetime=SECONDS_EACH / 2, raise_on_no_answer=False)
        except dns.exception.Timeout:
            return False
        except dns.exception.DNSException:
            pass
        return True
