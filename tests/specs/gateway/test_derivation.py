"""Request and answer models of a document, derived from its declaration."""

from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from services.gateway.documents.derivation import draft_model, shown_model
from shared.contracts.directory import FollowUp
from shared.contracts.marks.declaration import DocumentPart, Input, Named, ReadOnly, ReferenceTo, Shown
from shared.contracts.marks.open_values import Known
from shared.input_types import Text


class Room(DocumentPart):
    """A room of a house."""

    keeper: Annotated[UUID, ReferenceTo("person")]
    windows: int = 0


class House(Named):
    """A house."""

    KIND = "topic"

    street: str = ""
    """Where it is."""
    text: Annotated[str, Input(Text, max_length=20)] = ""
    heated: bool = False
    insured: Annotated[bool, Input(default=True)] = False
    use: Annotated[str, Known(FollowUp)] = "reopen"
    queue: Annotated[str, ReferenceTo("queue"), Shown(str | None)]
    rooms: Annotated[tuple[Room, ...], Input(max_length=2)] = ()
    visits: Annotated[tuple[str, ...], ReadOnly("/visits")] = ()


DRAFT, SHOWN = draft_model(House, "HouseDraft"), shown_model(House, "HouseShown")
LEAST = {"slug": "a", "name": "A", "queue": "it"}


def test_a_new_document_gets_the_defaults_of_its_declaration_or_those_for_new_ones() -> None:
    draft = DRAFT.model_validate(LEAST).model_dump()
    assert (draft["street"], draft["heated"], draft["insured"], draft["rooms"]) == ("", False, True, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "Not a slug"},
        {"street": "two\nlines"},
        {"text": "x" * 21},
        {"heated": "yes"},
        {"use": "something else"},
        {"queue": None},
        {"rooms": [{"keeper": "kari", "windows": 1.5}]},
        {"rooms": [{"keeper": "kari"}] * 3},
        {"unknown": 1},
    ],
)
def test_a_draft_is_checked_as_the_declaration_says(wrong: dict[str, Any]) -> None:
    DRAFT.model_validate(LEAST | {"text": "two\nlines", "rooms": [{"keeper": "kari", "windows": 2}]})
    with pytest.raises(ValidationError):
        DRAFT.model_validate(LEAST | wrong)


def test_a_stored_document_is_read_though_a_draft_like_it_would_be_refused() -> None:
    stored = House(id=UUID(int=1), slug="Not a slug", name="", text="x" * 21, queue="it", use="of a later version")
    assert House.model_validate_json(stored.model_dump_json()) == stored


def test_read_only_fields_may_be_sent_back_and_are_marked() -> None:
    DRAFT.model_validate(LEAST | {"visits": ["yesterday"], "version": 3})
    visits = DRAFT.model_json_schema()["properties"]["visits"]
    assert visits["readOnly"] is True and "/visits" in visits["description"]


def test_the_answer_shows_every_field_with_its_description() -> None:
    schema = SHOWN.model_json_schema(mode="serialization")
    assert schema["required"][:4] == ["id", "slug", "name", "street"] and "version" in schema["required"]
    assert schema["properties"]["street"]["description"] == "Where it is."
    assert {"type": "null"} in schema["properties"]["queue"]["anyOf"]
    assert schema["$defs"]["RoomShown"]["properties"]["keeper"]["format"] == "uuid"


def test_fields_that_not_everybody_sees_are_optional() -> None:
    schema = shown_model(House, "HouseListed", always=("id", "slug")).model_json_schema(mode="serialization")
    assert schema["required"] == ["id", "slug"]
