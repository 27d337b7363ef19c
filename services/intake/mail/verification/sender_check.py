"""Verifies the sender of one mail with SPF, DKIM, DMARC and ARC, as one result."""

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from services.intake.mail.verification import dmarc, spf
from services.intake.mail.verification.authentication_results import (
    Authentication,
    SenderProof,
    authenticated,
    server_of,
)
from services.intake.mail.verification.dkim_signatures import ArcChain, DkimSignature, arc_chain, dkim_signatures
from services.intake.mail.verification.dns import DnsQueries, Unanswered
from shared.addresses import domain_of

HERE = "verified here"

_OURS = [
    ipaddress.ip_network(each)
    for each in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7", "fe80::/10")
]  # fmt: skip
"""Private addresses, about which no SPF record says anything."""


@dataclass(frozen=True, slots=True)
class SenderEvidence:
    """The addresses in From; the envelope's sender; address and name of the client that brought the mail to the mail
    system, empty if not known."""

    senders: tuple[str, ...]
    envelope_from: str = ""
    client: str = ""
    helo: str = ""


def check_sender(raw: bytes, evidence: SenderEvidence, queries: DnsQueries, sealers: Collection[str]) -> Authentication:
    """The result. If the DNS gives no answer, nothing is proven or disproven."""
    about = domain_of(evidence.senders[0]) if len(evidence.senders) == 1 else ""
    found = dkim_signatures(raw, queries, about)
    envelope, envelope_domain = _envelope(evidence, queries)
    sealed = arc_chain(raw, queries)
    results = [_of_signature(each) for each in found]
    if envelope is not None:
        results.append(f"spf={envelope} smtp.mailfrom={envelope_domain} ({HERE})")
    trusted = sealed.result == "pass" and sealed.sealer in sealers
    if sealed.result != "none":
        who = f" header.d={sealed.sealer}" if sealed.sealer else ""
        whom = "" if sealed.result != "pass" or trusted else ", by an untrusted sealer"
        results.append(f"arc={sealed.result}{who} ({HERE}{whom})")
    if not about:
        return Authentication("ambiguous" if len(evidence.senders) > 1 else "unknown", tuple(results))
    result = _dmarc(queries, about, found, envelope, envelope_domain)
    results.append(f"dmarc={result} header.from={about} ({HERE})")
    sender: SenderProof = "unknown"
    signed = any(each.result == "pass" and each.domain == about for each in found)
    if result == "pass" or signed or (trusted and _passed_on(sealed, evidence.senders)):
        sender = "proven"
    elif result == "fail":
        sender = "disproven"
    return Authentication(sender, tuple(results))


def _envelope(evidence: SenderEvidence, queries: DnsQueries) -> tuple[spf.Result | None, str]:
    """SPF, if the client is known and not one of our own machines."""
    try:
        client = ipaddress.ip_address(evidence.client)
    except ValueError:
        return None, ""
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    if any(client in each for each in _OURS):
        return None, ""
    local = evidence.envelope_from.rpartition("@")[0]
    domain = domain_of(evidence.envelope_from) if local else ""
    return spf.check(queries, client, f"{local}@{domain}" if domain else "", evidence.helo)


def _dmarc(
    queries: DnsQueries, about: str, found: list[DkimSignature], envelope: spf.Result | None, envelope_domain: str
) -> Literal["pass", "fail", "none", "temperror"]:
    """A mail fails only if every query was answered: an unknown client may have been an allowed one."""
    try:
        policy = dmarc.policy(queries, about)
        if policy is None:
            return "none"
        for each in found:
            if each.result == "pass" and dmarc.aligned(queries, about, each.domain, strict=policy.strict_dkim):
                return "pass"
        if envelope == "pass" and dmarc.aligned(queries, about, envelope_domain, strict=policy.strict_spf):
            return "pass"
    except Unanswered:
        return "temperror"
    if any(each.result == "temperror" for each in found) or envelope == "temperror":
        return "temperror"
    return "none" if envelope is None else "fail"


def _passed_on(sealed: ArcChain, senders: tuple[str, ...]) -> bool:
    """Whether the last sealer, which is trusted, verified the sender before it changed the mail."""
    results = sealed.found.partition(";")[2]
    server = server_of(results)
    return server is not None and authenticated((results,), frozenset((server,)), senders).sender == "proven"


def _of_signature(found: DkimSignature) -> str:
    why = f": {found.reason}" if found.reason else ""
    return f"dkim={found.result} header.d={found.domain} header.s={found.selector} ({HERE}{why})"[:300]
