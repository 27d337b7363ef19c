"""Companies."""

from services.gateway import document_rows
from services.gateway.documents.kind import kind
from shared.contracts.directory import Company
from shared.database import Connection
from shared.http import story
from shared.http.problems import FieldError
from shared.rules.access import Identity


async def check(company: Company, _was: Company | None, connection: Connection) -> list[FieldError]:
    taken = await document_rows.claimed(connection, company.domains, company.id)
    return [
        FieldError(f"/domains/{n}", f"The company {taken[domain]} has this domain.")
        for n, domain in enumerate(company.domains)
        if domain in taken
    ]


def visible(who: Identity, company: Company) -> bool:
    """Agents see every company, customers their own."""
    return who.is_agent or company.slug == who.company


KIND = kind(Company, "companies", visible, check=check, example=story.COMPANY | {"domains": ["acme.example"]})
