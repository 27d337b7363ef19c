"""Reads Authentication-Results: what trusted mail servers found out about a mail's sender (RFC 8601, RFC 7489).

A mail server in front of the desk knows the client's address and the DNS at the time of arrival. Only fields of servers
that were named as trusted count; such a server removes fields that pretend to be its own (docs/mail/senders.md).
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shared.addresses import canonical_domain, domain_of

LONGEST_FIELD = 4_000
MOST_RESULTS = 40

_TOKEN = re.compile(r"[^\s;=()\"]+")
_METHODS = frozenset(("dkim", "spf", "dmarc", "arc"))


SenderProof = Literal["proven", "disproven", "ambiguous", "unknown"]


@dataclass(frozen=True, slots=True)
class Authentication:
    """`sender` is `proven` if DMARC passed for the domain in From, or a signature of exactly this domain did;
    `disproven` if DMARC failed; `ambiguous` if From names several addresses, because then nobody knows which of them a
    server checked (RFC 7489, 6.6.1). `results` is what people are shown, such as `dmarc=pass header.from=acme.example
    (mx.example.org)`."""

    sender: SenderProof = "unknown"
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Result:
    method: str
    value: str
    properties: dict[str, str] = field(default_factory=dict)


def authenticated(fields: Sequence[str], trusted: Collection[str], senders: Sequence[str]) -> Authentication:
    """`fields` are the values of all Authentication-Results, `senders` the addresses in From. Of contradicting results
    the worse counts."""
    found: list[str] = []
    passed = failed = False
    domain = domain_of(senders[0]) if len(senders) == 1 else ""
    for server, results in filter(None, map(_read, fields)):
        if server not in trusted:
            continue
        for each in results:
            found.append(_shown(each, server))
            about = canonical_domain(each.properties.get("header.from", domain)) or ""
            if each.method == "dmarc" and about == domain:
                passed = passed or each.value == "pass"
                failed = failed or each.value == "fail"
            if each.method == "dkim" and each.value == "pass":
                signer = each.properties.get("header.d") or each.properties.get("header.i", "").rpartition("@")[2]
                passed = passed or (bool(domain) and canonical_domain(signer) == domain)
    sender: SenderProof = "unknown"
    if len(senders) > 1:
        sender = "ambiguous"
    elif failed:
        sender = "disproven"
    elif passed and domain:
        sender = "proven"
    return Authentication(sender, tuple(found[:MOST_RESULTS]))


def server_of(value: str) -> str | None:
    """The name of the server that wrote a field; None if the field does not follow the grammar."""
    found = _read(value)
    return found[0] if found is not None else None


def _shown(result: _Result, server: str) -> str:
    properties = "".join(f" {name}={value}" for name, value in result.properties.items())
    return f"{result.method}={result.value}{properties} ({server})"[:300]


def _read(value: str) -> tuple[str, list[_Result]] | None:
    """The server's name and its results; None if the field does not follow the grammar."""
    statements = list(_statements(value[:LONGEST_FIELD]))
    if not statements or not statements[0]:
        return None
    server = statements[0][0].lower()
    results = [found for statement in statements[1:] if (found := _result(statement)) is not None]
    return server, results


def _result(words: list[str]) -> _Result | None:
    """`method[/version] = value (property = value)*`. A reason is left out, because anybody may have written it."""
    if len(words) < 3 or words[1] != "=":
        return None
    method = words[0].partition("/")[0].lower()
    if method not in _METHODS:
        return None
    properties = {
        words[n].lower(): words[n + 2] for n in range(3, len(words) - 2) if words[n + 1] == "=" and "." in words[n]
    }
    return _Result(method, words[2].lower(), properties)


def _statements(value: str) -> Iterator[list[str]]:
    """The words between semicolons, without comments; `=` is a word of its own, a quoted string is one word."""
    words: list[str] = []
    place = depth = 0
    while place < len(value):
        character = value[place]
        if depth or character == "(":
            depth += (character == "(") - (character == ")")
            place += 2 if character == "\\" else 1
        elif character == ";":
            yield words
            words, place = [], place + 1
        elif character == "=":
            words.append("=")
            place += 1
        elif character == '"':
            end = place + 1
            while end < len(value) and value[end] != '"':
                end += 2 if value[end] == "\\" else 1
            words.append(value[place + 1 : end])
            place = end + 1
        elif (found := _TOKEN.match(value, place)) is not None:
            words.append(found.group())
            place = found.end()
        else:
            place += 1
    if not depth:
        yield words  # a comment without an end hides the statement in which it began
