"""Companies."""

from services.gateway.documents import rows
from services.gateway.documents.derivation import draft_model, shown_model
from services.gateway.documents.kind import Kind
from shared.contracts.directory import Company
from shared.database import Connection
from shared.http.problems import FieldError
from shared.rules.access import Identity


async def check(company: Company, _was: Company | None, connection: Connection) -> list[FieldError]:
    taken = await rows.claimed(connection, company.domains, company.id)
    return [
        FieldError(f"/domains/{n}", f"The company {taken[domain]} has this domain.")
        for n, domain in enumerate(company.domains)
        if domain in taken
    ]


def visible(who: Identity, company: Company) -> bool:
    """Agents see every company, customers their own."""
    return who.is_agent or company.slug == who.company


KIND = Kind(
    Company,
    "companies",
    "Company",
    "Companies",
    draft_model(Company, "CompanyDraft"),
    shown_model(Company, "CompanyShown"),
    visible=visible,
    check=check,
)
