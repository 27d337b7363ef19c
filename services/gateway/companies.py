"""A company as it is sent in."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.gateway import rows
from services.gateway.drafts import Draft
from services.gateway.names import Slug, Title
from shared.contracts.directory import Company
from shared.database import Connection
from shared.http.problems import FieldError, invalid_fields

Domain = Annotated[
    str,
    Field(
        strict=True,
        max_length=253,
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$",
    ),
]


class CompanyDraft(Draft):
    """A company, whole. `domains` are mail domains whose senders belong to it."""

    slug: Slug
    name: Title
    domains: Annotated[list[Domain], Field(max_length=200)] = Field(default_factory=list)

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Company:
        """The document to store. Raises Problem 422 for another slug than before, by which people and tickets name it."""
        errors: list[FieldError] = []
        if current is not None and rows.slug_of(current.document) != self.slug:
            errors.append(FieldError("/slug", "a company keeps its slug, because people and tickets name it"))
        if errors:
            raise invalid_fields(errors)
        return Company(id=document_id, slug=self.slug, name=self.name, domains=tuple(dict.fromkeys(self.domains)))
