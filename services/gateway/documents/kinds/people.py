"""People: customers, agents and administrators."""

from typing import Annotated

from pydantic import AfterValidator, Field

from services.gateway import document_rows
from services.gateway.documents.derivation import body_model, draft_model, shown_model
from services.gateway.documents.draft import Draft
from services.gateway.documents.kind import Shown, kind
from shared.contracts.directory import Person
from shared.database import Connection
from shared.http import story
from shared.http.problems import FieldError
from shared.input_types import any_text
from shared.rules.access import Identity

ChosenPassword = Annotated[str, Field(strict=True, min_length=8, max_length=1024), AfterValidator(any_text)]
KNOWN_TO_AGENTS = ("id", "login", "name")


class DraftWithPassword(Draft):
    password: Annotated[
        ChosenPassword | None,
        Field(
            description="Without it the old one stays. A new person without a password cannot sign in.",
            json_schema_extra={"writeOnly": True},
        ),
    ] = None


async def check(person: Person, _was: Person | None, connection: Connection) -> list[FieldError]:
    errors: list[FieldError] = []
    other = await document_rows.find(connection, "person", person.login)
    if other is not None and other.id != person.id and not other.retired:
        errors.append(FieldError("/login", "Another person has this login."))
    if await document_rows.holder(connection, "email", person.email, person.id):
        errors.append(FieldError("/email", "Another person has this address."))
    return errors


def visible(who: Identity, person: Person) -> bool:
    """Agents know everybody by name; customers see themselves."""
    return who.is_agent or person.id == who.person_id


def view(who: Identity, person: Person, whole: Shown) -> Shown:
    """Administrators, and the person, see everything."""
    if who.is_admin or person.id == who.person_id:
        return whole
    return {field: whole[field] for field in KNOWN_TO_AGENTS}


SHOWN = shown_model(
    Person,
    "PersonListed",
    always=KNOWN_TO_AGENTS,
    example=story.CUSTOMER
    | {"login": "kari", "roles": ["customer"], "company": story.COMPANY["slug"], "language": "nb"},
)
DRAFT = draft_model(Person, "PersonDraft", DraftWithPassword)
KIND = kind(Person, "people", visible, check=check, view=view, draft=DRAFT, shown=SHOWN)
CUSTOMER_DRAFT = body_model(Person, "CustomerDraft", ("login", "name", "email", "company", "language"))
