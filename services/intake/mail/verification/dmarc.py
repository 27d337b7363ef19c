"""Reads DMARC policies: what the domain in From says about mails that neither DKIM nor SPF proves. Organisations are
found by walking up the tree of DNS names, so no list of public suffixes must be kept up to date."""

from dataclasses import dataclass

from services.intake.mail.verification.dns import DnsQueries

MOST_LABELS = 8
_TAGS = 30


@dataclass(frozen=True, slots=True)
class Policy:
    """`strict_dkim`, `strict_spf`: only exactly the domain in From is aligned, not others of its organisation."""

    strict_dkim: bool = False
    strict_spf: bool = False


def policy(queries: DnsQueries, domain: str) -> Policy | None:
    """The policy of a domain, else that of its organisation. Raises Unanswered."""
    tags = _record(queries, domain)
    if tags is None:
        organisation = organisational(queries, domain)
        tags = _record(queries, organisation) if organisation != domain else None
    if tags is None:
        return None
    return Policy(tags.get("adkim", "r") == "s", tags.get("aspf", "r") == "s")


def aligned(queries: DnsQueries, domain: str, other: str, *, strict: bool) -> bool:
    """Whether two domains are the same or, unless `strict`, belong to one organisation. Raises Unanswered."""
    if domain == other:
        return True
    if strict or domain.rpartition(".")[2] != other.rpartition(".")[2]:
        return False
    return organisational(queries, domain) == organisational(queries, other)


def organisational(queries: DnsQueries, domain: str) -> str:
    """The domain of a name's organisation: the highest parent that has a record, unless a record says where the
    organisation begins (`psd`). The name itself if there is no record. Raises Unanswered."""
    labels = domain.split(".")
    if len(labels) > MOST_LABELS:
        labels = labels[-(MOST_LABELS - 1) :]
    found = domain
    for start in range(len(labels)):
        name = ".".join(labels[start:])
        tags = _record(queries, name)
        if tags is None:
            continue
        if tags.get("psd") == "n":
            return name
        if tags.get("psd") == "y":
            return ".".join(labels[start - 1 :]) if start else name
        found = name
    return found


def _record(queries: DnsQueries, domain: str) -> dict[str, str] | None:
    texts = [each for each in queries.txt(f"_dmarc.{domain}") if each.partition(";")[0].replace(" ", "") == "v=DMARC1"]
    if len(texts) != 1:
        return None
    pairs = (each.partition("=") for each in texts[0].split(";")[1:_TAGS])
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}
