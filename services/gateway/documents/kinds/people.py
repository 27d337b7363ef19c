"""A person as sent in, and what others may see of one."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from services.gateway.documents import rows
from services.gateway.documents.drafts import Draft
from services.gateway.documents.names import Login, MailAddress, Reference, Title
from shared.contracts.directory import Company, Notice, Person, Role
from shared.database import Connection
from shared.http.bodies import any_text
from shared.http.problems import FieldError, invalid_fields

ADMIN = "admin"
"""The login of the first person, whom the first start makes."""
Password = Annotated[str, Field(strict=True, min_length=8, max_length=1024), AfterValidator(any_text)]
ROLES: tuple[Role, ...] = ("admin", "agent", "customer")


class PersonDraft(Draft):
    """A person, whole. Without `password` the old one stays; a new person without one cannot sign in."""

    login: Login
    name: Title
    email: MailAddress
    password: Annotated[Password | None, Field(json_schema_extra={"writeOnly": True})] = None
    roles: Annotated[list[Role], Field(min_length=1, max_length=len(ROLES))]
    company: Annotated[Reference | None, Field(description="the company of a customer, by slug or id")] = None
    language: Annotated[
        str | None, Field(strict=True, max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")
    ] = None
    follows: Annotated[
        list[UUID] | None,
        Field(max_length=500, description="not looked at; see /session/queues", json_schema_extra={"readOnly": True}),
    ] = None

    notices: Annotated[
        list[Notice] | None,
        Field(max_length=10, description="not looked at; see /session/notices", json_schema_extra={"readOnly": True}),
    ] = None

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Person:
        """The document to store. Raises Problem 422 for a login or address of somebody else, and an unknown company."""
        errors: list[FieldError] = []
        was = current.document if current is not None and isinstance(current.document, Person) else None
        other = await rows.find(connection, "person", self.login)
        if other is not None and other.id != document_id and not other.retired:
            errors.append(FieldError("/login", "somebody else has this login"))
        taken = await rows.holder(connection, "email", self.email, document_id)
        if taken:
            errors.append(FieldError("/email", "somebody else has this address"))
        company: rows.Row | None = None
        if self.company is not None:
            company = await rows.find(connection, "company", self.company)
            if company is None or company.retired:
                errors.append(FieldError("/company", "there is no such company"))
        if errors:
            raise invalid_fields(errors)
        return Person(
            id=document_id,
            login=self.login,
            name=self.name,
            email=self.email,
            roles=tuple(role for role in ROLES if role in self.roles),
            company=company.document.slug if company is not None and isinstance(company.document, Company) else None,
            language=self.language,
            follows=was.follows if was is not None else (),
            notices=was.notices if was is not None else (),
        )


def named(person: Person) -> dict[str, Any]:
    """What every agent may know of a colleague."""
    return {"id": str(person.id), "login": person.login, "name": person.name}
