"""Which documents a document names, found by its declaration."""

from typing import Any
from uuid import UUID, uuid4

from services.gateway.documents.references.naming import may_name, names_in
from shared.contracts.directory import AskedField, Macro, Member, Queue, Sla, Topic, Trigger


def trigger(when: dict[str, Any], *then: dict[str, Any]) -> Trigger:
    return Trigger(id=uuid4(), slug="t", name="T", on=("opened",), when=when, then=then)


def test_a_queue_names_what_its_fields_say() -> None:
    members = (Member(person=UUID(int=1), rights=("read",)),)
    queue = Queue(
        id=uuid4(), slug="it", name="IT", parent="desk", junk_queue="junk", salutation="polite", signature="Regards, us",
        next_state_after_reply="waits", members=members,
    )  # fmt: skip
    assert names_in(queue) == {
        ("queue", "desk"), ("queue", "junk"), ("salutation", "polite"), ("signature", "Regards, us"), ("state", "waits"),
    }  # fmt: skip


def test_a_topic_and_an_sla_name_what_their_fields_say() -> None:
    topic = Topic(id=uuid4(), slug="broken", name="B", queue="it", fields=(AskedField(field="room"),))
    assert names_in(topic) == {("queue", "it"), ("field", "room")}
    sla = Sla(
        id=uuid4(), slug="s", name="S", calendar="office", queues=("it", "hr"), priorities=(4,), pauses_in=("waits",)
    )
    assert names_in(sla) == {("calendar", "office"), ("queue", "it"), ("queue", "hr"), ("state", "waits")}


def test_conditions_and_actions_name_what_they_say_and_people_do_not_count() -> None:
    when = {
        "all": [
            {"field": "queue", "is": ["it"]},
            {"not": {"any": [{"field": "fields.room", "empty": True}, {"field": "title", "contains": ["hr"]}]}},
            {"field": "owner", "is": [str(UUID(int=1))]},
            {"field": "within_calendar", "is": ["office"]},
        ]
    }
    then = (
        {"do": "move", "queue": "hr", "state": "waits"},
        {"do": "assign", "owner": "previous"},
        {"do": "set-fields", "fields": {"floor": 2}},
        {"do": "notify", "to": ["owner", "duty@example.org"], "template": "known"},
        {"do": "tag", "tags": ["office"]},
    )
    assert names_in(trigger(when, *then)) == {
        ("queue", "it"), ("field", "room"), ("calendar", "office"), ("queue", "hr"), ("state", "waits"),
        ("field", "floor"), ("template", "known"),
    }  # fmt: skip
    macro = Macro(id=uuid4(), slug="m", name="M", queues=("it",), then=({"do": "reply", "template": "known"},))
    assert names_in(macro) == {("queue", "it"), ("template", "known")}


def test_what_a_later_version_wrote_names_whatever_it_mentions() -> None:
    later = trigger({"all": []}, {"do": "escalate", "into": ["hr"]})
    assert {("queue", "hr"), ("state", "hr")} <= names_in(later)


def test_only_some_kinds_keep_others_from_being_retired() -> None:
    assert may_name("queue") == ["queue", "topic", "sla", "trigger", "macro"]
    assert may_name("salutation") == ["queue"]
    assert may_name("company") == ["sla", "trigger", "macro"]
    assert may_name("mailbox") == may_name("trigger") == []
