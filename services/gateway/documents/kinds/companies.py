"""A company as it is sent in."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from services.gateway.documents import rows
from services.gateway.documents.drafts import Draft
from services.gateway.documents.names import Slug, Title
from shared.addresses import canonical_domain
from shared.contracts.directory import Company
from shared.database import Connection
from shared.http.problems import FieldError, invalid_fields, pointer


def _domain(text: str) -> str:
    known = canonical_domain(text)
    if known is None or "." not in known:
        raise ValueError("is no domain such as acme.example")
    return known


Domain = Annotated[str, Field(strict=True, max_length=253), AfterValidator(_domain)]


class CompanyDraft(Draft):
    """A company, whole. `domains` are mail domains whose senders belong to it, unless their record names another; their sub-domains are not."""

    slug: Slug
    name: Title
    domains: Annotated[list[Domain], Field(max_length=200)] = Field(default_factory=list)

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Company:
        """The document to store. Raises Problem 422 for another slug than before, by which people and tickets name it, and for a domain that
        another company has."""
        errors: list[FieldError] = []
        if current is not None and rows.slug_of(current.document) != self.slug:
            errors.append(FieldError("/slug", "a company keeps its slug, because people and tickets name it"))
        taken = await rows.claimed(connection, self.domains, document_id)
        errors += [
            FieldError(pointer("body", "domains", str(n)), f"is the domain of the company {taken[domain]}")
            for n, domain in enumerate(self.domains)
            if domain in taken
        ]
        if errors:
            raise invalid_fields(errors)
        return Company(id=document_id, slug=self.slug, name=self.name, domains=tuple(dict.fromkeys(self.domains)))
