"""The committed JSON Schemas and the AsyncAPI document are up to date, and events match them."""

import json

import jsonschema_rs
import pytest

from shared.contracts.catalogue import event_types
from shared.contracts.envelope import encode
from shared.contracts.event import Event
from shared.contracts.generate import ENVELOPE, HERE, documents, schema
from shared.testing.samples import sample_event

DESKS_OWN_WORDS = frozenset(("OutgoingMail", "Template", "Salutation", "Signature"))
"""What the desk writes itself: configuration without texts of customers, and mails, which are erased as a whole."""
TYPES = list(event_types().values())


def test_the_committed_files_are_up_to_date() -> None:
    assert {path.name: path.read_text("utf-8") for path in HERE.glob("*.json")} == documents()


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.TYPE)
def test_an_event_matches_its_schema(cls: type[Event]) -> None:
    value = json.loads(encode(sample_event(cls)))
    jsonschema_rs.validate(ENVELOPE, value)
    jsonschema_rs.validate(schema(cls), value["data"])


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.TYPE)
def test_names_mails_and_texts_are_marked_as_personal(cls: type[Event]) -> None:
    made = schema(cls)
    for part in (made, *made.get("$defs", {}).values()):
        title = part.get("title", "")
        for name, field in part.get("properties", {}).items():
            if name in ("email", "text", "html", "new_text", "subject", "message_id") and title not in DESKS_OWN_WORDS:
                assert field.get("x-personal"), f"{title}.{name}"
