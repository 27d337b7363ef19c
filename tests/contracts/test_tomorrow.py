"""Rolling updates: the previous release reads today's events, and today's code reads what the next release may write.

`previous/` holds the schemas of the previous release. After a release, `python -m tests.contracts.keep_schemas` writes
them again.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
from pydantic import BaseModel

from services.intake.transports.mailboxes.fetchers import can_fetch
from services.notify.sending.claims import CHANNELS
from services.routing import ticket as routing_ticket
from services.routing.operations import states
from services.routing.policies import Policies
from services.routing.ticket.customer_messages import FollowUpRule, TakeCustomerMessage
from shared import fields
from shared.contracts.catalogue import event_types
from shared.contracts.directory import (
    CompanySaved,
    Mailbox,
    MailboxRetired,
    Member,
    OtherCredential,
    PersonSaved,
    QueueRetired,
    QueueSaved,
    State,
    TicketField,
    TopicSaved,
)
from shared.contracts.envelope import Recorded, decode, encode
from shared.contracts.event import UPCASTERS, Event, Unknown
from shared.contracts.generate import ENVELOPE, schema
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.notify import NotificationRequested
from shared.contracts.parts import Message
from shared.contracts.routing import StateChanged, TicketQueued
from shared.directory.copy import Queues
from shared.directory.projection import DirectoryProjection
from shared.messaging.consuming.projection import Position
from shared.rules.access import Identity, rights
from shared.rules.refusals import Invalid
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN
from shared.testing.samples import sample, sample_event
from tests.contracts.readers import read_by_all
from tests.contracts.test_golden_events import FILES

PREVIOUS = Path(__file__).parent / "previous"
TOMORROW = "of-tomorrow"
TYPES = list(event_types().values())
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def previous(name: str) -> dict[str, Any] | None:
    path = PREVIOUS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def previous_release_reads(value: dict[str, Any]) -> None:
    """Raises if the previous release would park the ticket. It ignores types that it does not know."""
    envelope = previous("envelope")
    assert envelope is not None
    jsonschema_rs.validate(envelope, value)
    if (known := previous(value["type"])) is not None:
        jsonschema_rs.validate(known, value["data"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_previous_release_reads_every_golden_event(path: Path) -> None:
    previous_release_reads(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.TYPE)
def test_the_previous_release_reads_what_is_written_today(cls: type[Event]) -> None:
    previous_release_reads(json.loads(encode(sample_event(cls))))


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.TYPE)
def test_the_previous_release_reads_an_event_without_its_optional_fields(cls: type[Event]) -> None:
    event = sample_event(cls)
    previous_release_reads(json.loads(encode(replace(event, payload=_smallest(event.payload)))))


def _smallest(part: Any) -> Any:
    """The same with required fields only, in every part of it."""
    if isinstance(part, tuple):
        return tuple(map(_smallest, part))
    if not isinstance(part, BaseModel):
        return part
    required = {name: getattr(part, name) for name, field in type(part).model_fields.items() if field.is_required()}
    return type(part).model_validate({name: _smallest(value) for name, value in required.items()})


def test_no_type_of_the_previous_release_has_gone() -> None:
    assert {path.stem for path in PREVIOUS.glob("*.json")} - {"envelope"} <= set(event_types()) | set(UPCASTERS)


def of_tomorrow(cls: type[Event]) -> Recorded:
    """An event as the next release may record it: with unknown open values, and an unknown field in every part."""
    made = schema(cls)
    value = json.loads(encode(sample_event(cls)))
    value["data"] = _changed(json.loads(sample_event(cls).payload.model_dump_json()), made, made.get("$defs", {}))
    value["actorkind"] = TOMORROW
    value["xtomorrow"] = TOMORROW
    return decode(json.dumps(value).encode())


def _changed(value: Any, made: dict[str, Any], parts: dict[str, Any]) -> Any:
    """A value of this schema, as the next release may write it."""
    if "$ref" in made:
        return _changed(value, parts[made["$ref"].rpartition("/")[2]], parts)
    if value is None:
        return None
    for choice in made.get("anyOf", ()):
        value = _changed(value, choice, parts)
    if isinstance(value, dict) and "properties" in made:
        known = made["properties"]
        return {name: _changed(each, known.get(name, {}), parts) for name, each in value.items()} | {
            "tomorrow": [TOMORROW]
        }
    if isinstance(value, list):
        return [_changed(each, made.get("items", {}), parts) for each in value]
    return TOMORROW if "x-extensible-enum" in made or "const" in made else value


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.TYPE)
def test_every_reader_accepts_events_of_the_next_release(cls: type[Event]) -> None:
    event = of_tomorrow(cls)
    assert not isinstance(event.payload, Unknown)
    read_by_all(event)
    jsonschema_rs.validate(ENVELOPE, json.loads(encode(event)))


def test_a_ticket_of_the_next_release_is_folded_and_decided_on() -> None:
    state = routing_ticket.initial()
    policies = Policies(Queues)
    for cls in TYPES:
        event = of_tomorrow(cls)
        state = routing_ticket.evolve(state, event.payload)
    queued = routing_ticket.evolve(routing_ticket.initial(), of_tomorrow(TicketQueued).payload)
    assert queued.state.type == TOMORROW
    for command in policies.react(of_tomorrow(CustomerMessageReceived)):
        assert routing_ticket.decide(command, queued)


def test_published_enumerations_are_open() -> None:
    """Except `kind` of the known credentials, beside which there is a credential of any kind."""
    for cls in TYPES:
        made = schema(cls)
        for name, part in {cls.__name__: made, **made.get("$defs", {})}.items():
            if name not in ("Password", "OAuth2"):
                properties = json.dumps(part.get("properties", {}))
                assert '"enum"' not in properties and '"const"' not in properties, f"{cls.TYPE}: {name}"


@pytest.mark.parametrize("cls", [QueueSaved, QueueRetired, PersonSaved, CompanySaved, TopicSaved, MailboxRetired])
def test_a_copied_document_keeps_fields_of_the_next_release(cls: type[Event]) -> None:
    event = of_tomorrow(cls)
    row = DirectoryProjection().apply(None, event, Position(cls.TOPIC, 0, 0))
    kept = json.loads(row.document)
    assert kept["tomorrow"] == [TOMORROW]
    assert event.data is not None
    assert all(
        kept[name] == value for part in event.data.values() if isinstance(part, dict) for name, value in part.items()
    )


def test_an_unknown_right_grants_nothing() -> None:
    who = Identity(person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="", roles=("agent",))
    assert rights(who, [Member(person=who.person_id, rights=(TOMORROW,))]) == frozenset()
    assert rights(who, [Member(person=who.person_id, rights=("read", TOMORROW))]) == {"read"}


def test_a_state_of_an_unknown_type_is_refused() -> None:
    documents = {"parked": State(id=UUID(int=1), slug="parked", name="parked", type=TOMORROW)}
    with pytest.raises(Invalid):
        states.named("parked", documents)
    assert states.configured("parked", documents) is None


def test_a_field_of_an_unknown_kind_cannot_be_filled_in() -> None:
    documents = {"map": TicketField(id=UUID(int=1), slug="map", name="Map", kind=TOMORROW)}
    with pytest.raises(Invalid) as refused:
        fields.checked({"map": "here"}, documents)
    assert refused.value.arguments[0].path == ("fields", "map")
    assert fields.checked({"map": None}, documents) == {"map": None}


def _message_on_a_closed_ticket(rule: str, standing: str) -> list[type[Event]]:
    queued = TicketQueued.model_validate(sample(TicketQueued))
    state = routing_ticket.evolve(routing_ticket.initial(), queued)
    state = routing_ticket.evolve(state, StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN))
    message = Message(id=UUID(int=5), channel="email")
    rules = {queued.queue.id: FollowUpRule(rule)}
    command = TakeCustomerMessage(message, NOW, UUID(int=42), UUID(int=43), standing=standing, rules=rules)
    return [type(event) for event in routing_ticket.decide(command, state)]


def test_an_unknown_follow_up_rule_reopens() -> None:
    assert StateChanged in _message_on_a_closed_ticket(TOMORROW, "participant")


def test_a_writer_of_unknown_standing_does_not_reopen() -> None:
    assert StateChanged not in _message_on_a_closed_ticket("reopen", TOMORROW)


@pytest.mark.parametrize("field", ["protocol", "tls", "afterwards"])
def test_a_mailbox_of_an_unknown_kind_is_left_alone(field: str) -> None:
    mailbox = Mailbox.model_validate(sample(Mailbox))
    assert can_fetch(mailbox)
    assert not can_fetch(mailbox.model_copy(update={field: TOMORROW}))
    assert not can_fetch(mailbox.model_copy(update={"credential": OtherCredential(kind=TOMORROW)}))


def test_a_notification_by_an_unknown_channel_is_left_alone() -> None:
    requested = of_tomorrow(NotificationRequested).payload
    assert isinstance(requested, NotificationRequested)
    assert requested.channel not in CHANNELS
