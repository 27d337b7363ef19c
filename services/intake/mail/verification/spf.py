"""SPF: whether a client may send mails of a domain (RFC 7208).

Written here because the only library had no release for years, and the language is small and has strict limits.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from services.intake.mail.verification.dns import DnsQueries, Unanswered

Result = Literal["none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"]
Client = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_TERMS = 10
"""Terms with DNS queries, in all records of one check (section 4.6.4)."""
MOST_VOID = 2
MOST_SERVERS = 10
LONGEST_NAME = 253

_QUALIFIERS: dict[str, Result] = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_TERM = re.compile(r"([+~?-]?)(all|include|a|mx|ptr|ip4|ip6|exists)((?:[:/].*)?)\Z", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)\Z", re.IGNORECASE)
_LENGTHS = re.compile(r"(.*?)(?:/(\d{1,3}))?(?://(\d{1,3}))?\Z")
_MACRO = re.compile(r"%(?:\{([slodiphcrtv])(\d{0,3})(r?)([.\-+,/_=]*)\}|([%_-]))", re.IGNORECASE)


class _Permanent(Exception):
    """The domain's record is not valid, or needs too many queries."""


def check(queries: DnsQueries, client: Client, sender: str, helo: str) -> tuple[Result, str]:
    """The result for the envelope's sender, or for the client's name if that is empty; and the domain that was
    checked."""
    domain = (sender.rpartition("@")[2] or helo).lower().rstrip(".")
    who = sender if "@" in sender.strip("@") else f"postmaster@{domain}"
    if "." not in domain or len(domain) > LONGEST_NAME:
        return "none", domain
    try:
        return _Check(queries, client, who, helo).host(domain), domain
    except Unanswered:
        return "temperror", domain
    except _Permanent:
        return "permerror", domain


@dataclass(slots=True)
class _Check:
    queries: DnsQueries
    client: Client
    sender: str
    helo: str
    terms: int = 0
    void: int = 0

    def host(self, domain: str) -> Result:
        records = [each for each in self.queries.txt(domain) if each.lower().split(" ", 1)[0] == "v=spf1"]
        if not records:
            return "none"
        if len(records) > 1:
            raise _Permanent
        redirect = ""
        mechanisms: list[tuple[Result, str, str]] = []
        for term in records[0].split(" ")[1:]:
            if not term:
                continue
            found = _TERM.match(term)
            if found is not None:
                mechanisms.append((_QUALIFIERS[found.group(1) or "+"], found.group(2).lower(), found.group(3)))
                continue
            modifier = _MODIFIER.match(term)
            if modifier is None:
                raise _Permanent
            if modifier.group(1).lower() == "redirect":
                redirect = modifier.group(2)
        for result, name, rest in mechanisms:
            if self._matches(name, rest, domain):
                return result
        if not redirect or any(name == "all" for _, name, _ in mechanisms):
            return "neutral"
        self._count()
        followed = self.host(self._expanded(redirect, domain))
        if followed == "none":
            raise _Permanent
        return followed

    def _matches(self, name: str, rest: str, domain: str) -> bool:
        match name:
            case "all":
                return True
            case "ip4" | "ip6":
                try:
                    network = ipaddress.ip_network(rest.removeprefix(":"), strict=False)
                except ValueError:
                    raise _Permanent from None
                return network.version == self.client.version and self.client in network
            case "include":
                self._count()
                found = self.host(self._expanded(rest.removeprefix(":"), domain))
                if found == "none":
                    raise _Permanent
                return found == "pass"
            case "exists":
                self._count()
                return bool(self._told(self.queries.addresses(self._expanded(rest.removeprefix(":"), domain), 4)))
            case "ptr":
                self._count()
                return False  # deprecated and slow (section 5.5)
            case _:
                return self._host_matches(name, rest, domain)

    def _host_matches(self, name: str, rest: str, domain: str) -> bool:
        """The mechanisms `a` and `mx`."""
        self._count()
        found = _LENGTHS.match(rest)
        assert found is not None
        target = self._expanded(found.group(1).removeprefix(":"), domain) if found.group(1) else domain
        length = found.group(2 if self.client.version == 4 else 3)
        hosts = [target]
        if name == "mx":
            hosts = self._told(self.queries.exchanges(target))
            if len(hosts) > MOST_SERVERS:
                raise _Permanent
        for host in hosts:
            for address in self._told(self.queries.addresses(host, self.client.version)):
                try:
                    network = ipaddress.ip_network(f"{address}/{length or self.client.max_prefixlen}", strict=False)
                except ValueError:
                    raise _Permanent from None
                if self.client in network:
                    return True
        return False

    def _count(self) -> None:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise _Permanent

    def _told(self, records: list[str]) -> list[str]:
        if not records:
            self.void += 1
            if self.void > MOST_VOID:
                raise _Permanent
        return records

    def _expanded(self, spec: str, domain: str) -> str:
        """A domain with its macros expanded (section 7)."""
        if not spec or len(spec) > 1_000:
            raise _Permanent
        left = _MACRO.sub("", spec)
        if "%" in left:
            raise _Permanent
        made = _MACRO.sub(lambda found: self._macro(found, domain), spec).rstrip(".")
        while len(made) > LONGEST_NAME and "." in made:
            made = made.partition(".")[2]
        return made

    def _macro(self, found: re.Match[str], domain: str) -> str:
        if found.group(5):
            return {"%": "%", "_": " ", "-": "%20"}[found.group(5)]
        letter = found.group(1)
        local, _, of = self.sender.rpartition("@")
        value = {
            "s": self.sender,
            "l": local,
            "o": of,
            "d": domain,
            "i": self._dotted(),
            "p": "unknown",
            "v": "in-addr" if self.client.version == 4 else "ip6",
            "h": self.helo,
            "c": str(self.client),
            "r": "unknown",
            "t": "0",
        }[letter.lower()]
        parts = re.split(f"[{re.escape(found.group(4) or '.')}]", value)
        if found.group(3):
            parts.reverse()
        if found.group(2):
            parts = parts[-int(found.group(2)) :] if int(found.group(2)) else []
            if not parts:
                raise _Permanent
        joined = ".".join(parts)
        return quote(joined, safe="") if letter.isupper() else joined

    def _dotted(self) -> str:
        return str(self.client) if self.client.version == 4 else ".".join(self.client.exploded.replace(":", ""))
