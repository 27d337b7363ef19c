"""A rolling update: the previous release reads what today's code writes, today's code reads what the next release may write.

`previous/` holds the schemas of the previous release; `python -m tests.contracts.keep_schemas` renews them when one is made.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest

from services.intake.transports.mailboxes.fetchers import can_fetch
from services.notify.sending.deliveries import CHANNELS
from services.routing import ticket as routing_ticket
from services.routing.operations import states
from services.routing.policies import Policies
from services.routing.ticket.commands import FollowUpRule, TakeCustomerMessage
from shared import fields
from shared.contracts.catalogue import event_types
from shared.contracts.directory import (
    CompanySaved,
    Mailbox,
    MailboxRetired,
    Member,
    OtherCredential,
    PersonSaved,
    Queue,
    QueueRetired,
    QueueSaved,
    State,
    TicketField,
    TopicSaved,
)
from shared.contracts.envelope import Recorded, decode, encode
from shared.contracts.event import Event, Unknown
from shared.contracts.generate import ENVELOPE, schema
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.notify import NotificationRequested
from shared.contracts.parts import Message
from shared.contracts.routing import StateChanged, TicketQueued
from shared.directory.copy import Queues
from shared.directory.projection import DirectoryProjection
from shared.http.problems import Problem
from shared.messaging.projection import Position
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


def taken_by_the_previous_release(value: dict[str, Any]) -> None:
    """Raises where it would park the ticket. A type that it does not know changes nothing there."""
    envelope = previous("envelope")
    assert envelope is not None
    jsonschema_rs.validate(envelope, value)
    if (known := previous(value["type"])) is not None:
        jsonschema_rs.validate(known, value["data"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_previous_release_reads_every_golden_event(path: Path) -> None:
    taken_by_the_previous_release(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.TYPE)
def test_the_previous_release_reads_what_is_written_today(cls: type[Event]) -> None:
    taken_by_the_previous_release(json.loads(encode(sample_event(cls))))


def of_tomorrow(cls: type[Event]) -> Recorded:
    """An event as the next release may record it: every open value one that is not known yet, and a field more in every part."""
    made = schema(cls)
    value = json.loads(encode(sample_event(cls)))
    value["data"] = _changed(json.loads(sample_event(cls).payload.model_dump_json()), made, made.get("$defs", {}))
    value["actorkind"] = TOMORROW
    value["xtomorrow"] = TOMORROW
    return decode(json.dumps(value).encode())


def _changed(value: Any, made: dict[str, Any], parts: dict[str, Any]) -> Any:
    """The value with the changes of tomorrow, where its schema is this."""
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
def test_every_reader_takes_what_tomorrow_may_write(cls: type[Event]) -> None:
    event = of_tomorrow(cls)
    assert not isinstance(event.payload, Unknown)
    read_by_all(event)
    jsonschema_rs.validate(ENVELOPE, json.loads(encode(event)))


def test_a_whole_ticket_of_tomorrow_is_folded_and_decided_on() -> None:
    state = routing_ticket.initial()
    policies = Policies(Queues)
    for cls in TYPES:
        event = of_tomorrow(cls)
        state = routing_ticket.evolve(state, event.payload)
    queued = routing_ticket.evolve(routing_ticket.initial(), of_tomorrow(TicketQueued).payload)
    assert queued.state.type == TOMORROW
    for command in policies.react(of_tomorrow(CustomerMessageReceived)):
        assert routing_ticket.decide(command, queued)


def test_no_published_value_is_closed() -> None:
    """But for what tells the kinds of a credential apart, beside which there is one for those of tomorrow."""
    for cls in TYPES:
        made = schema(cls)
        for name, part in {cls.__name__: made, **made.get("$defs", {})}.items():
            if name not in ("Password", "OAuth2"):
                properties = json.dumps(part.get("properties", {}))
                assert '"enum"' not in properties and '"const"' not in properties, f"{cls.TYPE}: {name}"


@pytest.mark.parametrize("cls", [QueueSaved, QueueRetired, PersonSaved, CompanySaved, TopicSaved, MailboxRetired])
def test_a_services_copy_keeps_what_only_tomorrows_version_of_it_understands(cls: type[Event]) -> None:
    event = of_tomorrow(cls)
    row = DirectoryProjection().apply(None, event, Position(cls.TOPIC, 0, 0))
    kept = json.loads(row.document)
    assert kept["tomorrow"] == [TOMORROW]
    assert event.data is not None
    assert all(
        kept[name] == value for part in event.data.values() if isinstance(part, dict) for name, value in part.items()
    )


def test_a_right_of_tomorrow_gives_nothing_here() -> None:
    who = Identity(person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="", roles=("agent",))
    assert rights(who, [Member(person=who.person_id, rights=(TOMORROW,))]) == frozenset()
    assert rights(who, [Member(person=who.person_id, rights=("read", TOMORROW))]) == {"read"}


def test_a_state_of_a_type_of_tomorrow_is_not_for_todays_forms() -> None:
    documents = {"parked": State(id=UUID(int=1), slug="parked", name="parked", type=TOMORROW)}
    with pytest.raises(Problem):
        states.named("parked", documents)
    queue = Queue(id=UUID(int=2), slug="it", name="IT", next_state_after_reply="parked")
    assert states.after_reply(queue, documents).state == OPEN


def test_a_field_of_a_kind_of_tomorrow_is_not_filled_in_by_todays_code() -> None:
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


def test_a_follow_up_rule_of_tomorrow_reopens_so_that_nobody_waits_in_vain() -> None:
    assert StateChanged in _message_on_a_closed_ticket(TOMORROW, "participant")


def test_a_writer_of_a_standing_of_tomorrow_reopens_nothing() -> None:
    assert StateChanged not in _message_on_a_closed_ticket("reopen", TOMORROW)


@pytest.mark.parametrize("field", ["protocol", "tls", "afterwards"])
def test_a_mailbox_of_tomorrow_is_left_alone(field: str) -> None:
    mailbox = Mailbox.model_validate(sample(Mailbox))
    assert can_fetch(mailbox)
    assert not can_fetch(mailbox.model_copy(update={field: TOMORROW}))
    assert not can_fetch(mailbox.model_copy(update={"credential": OtherCredential(kind=TOMORROW)}))


def test_a_message_by_a_channel_of_tomorrow_is_left_to_its_senders() -> None:
    requested = of_tomorrow(NotificationRequested).payload
    assert isinstance(requested, NotificationRequested)
    assert requested.channel not in CHANNELS
