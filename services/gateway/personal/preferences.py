"""What people choose for their screens and their language (A10.08 to A10.10).

Language and time zone are part of the person's document, because mails and reports need them. The rest are rows of
`gateway.preferences`, which hold only what a person has chosen.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from services.gateway import document_rows
from services.gateway.documents.documents import Documents, Saved
from shared.contracts.directory import Person
from shared.database import Connection, Pool
from shared.eventstore.store import Context
from shared.http.bodies import Body
from shared.input_types import Flag, Text, TimeZone, Whole
from shared.languages.known import Language, language_of

Name = Annotated[str, Field(strict=True, min_length=1, max_length=80, pattern=r"^[a-z][a-z0-9_.:-]*$")]
IN_DOCUMENT = ("language", "timezone")
"""The preferences that are fields of the person's document."""

CHOSEN = "SELECT document FROM gateway.preferences WHERE person_id = $1"
REPLACE = """
INSERT INTO gateway.preferences (person_id, document) VALUES ($1, $2)
    ON CONFLICT (person_id) DO UPDATE SET document = excluded.document, saved_at = now()
"""
MERGE = """
INSERT INTO gateway.preferences (person_id, document) VALUES ($1, $2)
    ON CONFLICT (person_id) DO UPDATE SET document = preferences.document || excluded.document, saved_at = now()
"""


class ChosenColumn(Body):
    """A column of one list only, or with a width of its own."""

    column: Name
    view: Name | None = None
    width: Annotated[Whole, Field(ge=1, le=10_000)] | None = None
    """In CSS pixels."""


def _column(value: Any, validated: ValidatorFunctionWrapHandler) -> Any:
    """One error for a column, not one for each form that it may have."""
    try:
        return validated(value)
    except ValidationError:
        raise ValueError("This must be the name of a column, or `column` with `view` or `width`.") from None


Column = Annotated[Name | ChosenColumn, WrapValidator(_column)]


class Preferences(Body):
    """What is not named has its default: for `language` and `timezone`, those of the desk."""

    language: Language = "en"
    timezone: Annotated[TimeZone, Field(examples=["Europe/Oslo"])] = "UTC"
    theme: Literal["system", "light", "dark"] = "system"
    density: Literal["compact", "comfortable"] = "comfortable"
    start: Annotated[
        Literal["dashboard", "queue", "status"], Field(description="The page that the desk opens with.")
    ] = "dashboard"
    after_new_ticket: Annotated[
        Literal["ticket", "create", "list"], Field(description="What is shown after a ticket was opened.")
    ] = "ticket"
    refresh_seconds: Annotated[
        Whole, Field(ge=0, le=86_400, description="How often lists are loaded again; 0: only as they change.")
    ] = 0
    columns: Annotated[
        list[Column],
        Field(
            max_length=200,
            examples=[["number", "title", {"column": "due_at", "view": "escalations", "width": 120}]],
            description=(
                "The columns of lists, in their order: of every list if only named. Empty: the usual ones. The names are "
                "those of a ticket's fields; one that a list does not have is not shown."
            ),
        ),
    ] = []  # noqa: RUF012
    widgets: Annotated[
        list[Name],
        Field(
            max_length=50,
            examples=[["reminders", "escalated", "new", "open", "days"]],
            description="The widgets of the dashboard, in their order. Empty: the usual ones.",
        ),
    ] = []  # noqa: RUF012
    shortcuts: Annotated[Flag, Field(description="Whether single letters are keys.")] = True
    signature: Annotated[
        Text,
        Field(
            max_length=10_000,
            examples=["Eva Agent, IT support"],
            description="Plain text that the desk's composer begins a text with; mails still end with the queue's.",
        ),
    ] = ""


class PreferencesStore:
    """The preferences of people. `language` and `timezone` are those of the desk."""

    def __init__(self, documents: Documents, language: Language, timezone: str) -> None:
        self.documents = documents
        self.language: Language = language
        self.timezone = timezone

    @property
    def pool(self) -> Pool:
        return self.documents.store.pool

    async def of(self, person_id: UUID) -> dict[str, Any]:
        """All preferences of a person in use."""
        row = await document_rows.find(self.pool, "person", str(person_id))
        assert row is not None
        assert isinstance(row.document, Person)
        chosen: Mapping[str, Any] = await self.pool.fetchval(CHOSEN, person_id) or {}
        return self._complete(row.document, chosen)

    async def change(self, person_id: UUID, named: Mapping[str, Any], context: Context, *, whole: bool) -> Saved | None:
        """Saves preferences, all of them or none; others stay as they are, or with `whole` get their defaults.

        Returns the person's document if it has some of them.
        """
        rows = {name: value for name, value in named.items() if name not in IN_DOCUMENT}
        fields = {name: named[name] for name in IN_DOCUMENT if name in named}
        if not fields:
            await self.pool.execute(REPLACE if whole else MERGE, person_id, rows)
            return None

        async def write(connection: Connection) -> None:
            await connection.execute(REPLACE if whole else MERGE, person_id, rows)

        return await self.documents.change_person(
            person_id, lambda person: person.model_copy(update=fields), context, also=write
        )

    def _complete(self, person: Person, chosen: Mapping[str, Any]) -> dict[str, Any]:
        found = Preferences().model_dump(mode="json")
        found |= {name: value for name, value in chosen.items() if name in found}
        found["language"] = language_of(person.language, otherwise=self.language)
        found["timezone"] = person.timezone or self.timezone
        return found
