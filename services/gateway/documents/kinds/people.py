"""People: customers, agents and administrators."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, create_model

from services.gateway import document_rows
from services.gateway.documents.derivation import body_model, draft_model, shown_model
from services.gateway.documents.draft import Draft
from services.gateway.documents.kind import Shown, kind
from shared.contracts.directory import Person
from shared.contracts.marks.declaration import Document
from shared.database import Connection, Pool
from shared.http import story
from shared.http.bodies import Body, example
from shared.http.problems import FieldError
from shared.http.references import PersonNamed
from shared.input_types import Flag, any_text
from shared.rules.access import Identity

ChosenPassword = Annotated[str, Field(strict=True, min_length=8, max_length=1024), AfterValidator(any_text)]
KNOWN_TO_AGENTS = ("id", "login", "name")
MUST_CHANGE = "SELECT person_id FROM gateway.credentials WHERE person_id = ANY($1) AND must_change"


class AbsenceNow(Body):
    """The person is away now. Both days belong to the absence. The substitute is null without one in use."""

    model_config = example({"from": "2026-11-27", "to": "2026-12-04", "substitute": story.AGENT})

    from_: Annotated[date, Field(alias="from")]
    to: date
    substitute: PersonNamed | None


class DraftWithPassword(Draft):
    password: Annotated[
        ChosenPassword | None,
        Field(
            description="Without it the old one stays. A new person without a password cannot sign in.",
            json_schema_extra={"writeOnly": True},
        ),
    ] = None
    password_must_change: Annotated[
        Flag | None,
        Field(description="With a `password`: the person has to change it before anything else. Ignored without one."),
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
    """Administrators, and the person, see everything; the absence is shown beside it."""
    if who.is_admin or person.id == who.person_id:
        return whole
    return {field: whole[field] for field in KNOWN_TO_AGENTS}


async def restricted(pool: Pool, who: Identity, people: Sequence[Document]) -> Mapping[UUID, Shown]:
    """Administrators see who has to change the password."""
    if not who.is_admin:
        return {}
    ids = [person.id for person in people]
    found = {row["person_id"] for row in await pool.fetch(MUST_CHANGE, ids)}
    return {person: {"password_must_change": person in found} for person in ids}


def _shown() -> type[Body]:
    shown = shown_model(
        Person,
        "PersonListed",
        always=("id", "login", "name"),
        example=story.CUSTOMER
        | {"login": "kari", "roles": ["customer"], "company": story.COMPANY["slug"], "language": "nb"},
        more={
            "password_must_change": (
                bool | None,
                Field(default=None, description="Only administrators see this.", examples=[False]),
            )
        },
    )
    absence = Field(default=None, description="While the person is away; null at other times.", examples=[None])
    return create_model("PersonListed", __base__=shown, absence=(AbsenceNow | None, absence))


def _draft() -> type[Draft]:
    draft = draft_model(Person, "PersonDraft", DraftWithPassword)
    absence = Field(default=None, description="Ignored; use /session/absence.", json_schema_extra={"readOnly": True})
    return create_model("PersonDraft", __base__=draft, absence=(AbsenceNow | None, absence))


SHOWN, DRAFT = _shown(), _draft()
KIND = kind(Person, "people", visible, check=check, view=view, draft=DRAFT, shown=SHOWN)
CUSTOMER_DRAFT = body_model(Person, "CustomerDraft", ("login", "name", "email", "company", "language"))
