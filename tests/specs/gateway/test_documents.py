"""The rules for saving and retiring documents."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.gateway.documents.document import Command, DocumentState, Retire, Save, SwitchOff, decide, evolve, initial
from shared.contracts.directory import (
    Company,
    CompanySaved,
    Person,
    PersonRetired,
    PersonSaved,
    Queue,
    QueueRetired,
    QueueSaved,
    SwitchedOff,
    TicketField,
    TicketFieldRetired,
    TicketFieldSaved,
    Trigger,
    TriggerRetired,
    TriggerSaved,
)
from shared.contracts.event import Event, Unknown
from shared.rules.rejected import Rejected

IT = Queue(id=UUID(int=1), slug="it", name="IT")
POSTMASTER = Queue(id=UUID(int=2), slug="postmaster", name="Postmaster")
ADMIN = Person(id=UUID(int=3), login="admin", name="Admin", email="admin@example.org", roles=("admin",))
ACME = Company(id=UUID(int=4), slug="acme", name="Acme")


def state(*events: Event) -> DocumentState:
    now = initial()
    for event in events:
        now = evolve(now, event)
    return now


def after(*events: Event) -> Any:
    class When:
        def when(self, command: Command) -> list[Event]:
            return decide(command, state(*events))

    return When()


def test_a_document_is_saved_whole() -> None:
    assert after().when(Save(IT)) == [QueueSaved(queue=IT)]
    assert after().when(Save(ACME)) == [CompanySaved(company=ACME)]
    assert after().when(Save(ADMIN, password_changed=True)) == [PersonSaved(person=ADMIN, password_changed=True)]


def test_saving_an_unchanged_document_does_nothing_unless_the_password_changed() -> None:
    assert after(QueueSaved(queue=IT)).when(Save(IT)) == []
    assert after(PersonSaved(person=ADMIN)).when(Save(ADMIN)) == []
    assert after(PersonSaved(person=ADMIN)).when(Save(ADMIN, password_changed=True)) != []


def test_a_retired_document_comes_back_when_it_is_saved() -> None:
    assert after(QueueSaved(queue=IT), QueueRetired(queue=IT)).when(Save(IT)) == [QueueSaved(queue=IT)]


def test_retiring_twice_or_retiring_an_unknown_document_does_nothing() -> None:
    assert after(QueueSaved(queue=IT)).when(Retire()) == [QueueRetired(queue=IT)]
    assert after(QueueSaved(queue=IT), QueueRetired(queue=IT)).when(Retire()) == []
    assert after().when(Retire()) == []


def test_the_default_queue_cannot_be_retired() -> None:
    with pytest.raises(Rejected):
        after(QueueSaved(queue=POSTMASTER)).when(Retire())


def test_a_queue_with_queues_below_it_cannot_be_retired() -> None:
    with pytest.raises(Rejected, match="hardware, software"):
        after(QueueSaved(queue=IT)).when(Retire(named_by={"queue": ["hardware", "software"]}))


def test_the_last_administrator_stays_one() -> None:
    with pytest.raises(Rejected):
        after(PersonSaved(person=ADMIN)).when(Retire(last_admin=True))
    demoted = ADMIN.model_copy(update={"roles": ("agent",)})
    with pytest.raises(Rejected):
        after(PersonSaved(person=ADMIN)).when(Save(demoted, last_admin=True))
    assert after(PersonSaved(person=ADMIN)).when(Save(demoted)) == [PersonSaved(person=demoted)]
    assert after(PersonSaved(person=ADMIN)).when(Retire()) == [PersonRetired(person=ADMIN)]


def test_an_event_of_a_later_version_changes_nothing() -> None:
    assert state(QueueSaved(queue=IT), Unknown(data={})) == DocumentState(IT, version=2)


def test_what_other_documents_name_cannot_be_retired() -> None:
    room = TicketField(id=UUID(int=5), slug="room", name="Room")
    with pytest.raises(Rejected, match=r"queue: hardware; topic: recount, restart\)"):
        after(QueueSaved(queue=IT)).when(Retire(named_by={"queue": ["hardware"], "topic": ["recount", "restart"]}))
    with pytest.raises(Rejected, match="trigger: escalate"):
        after(TicketFieldSaved(document=room)).when(Retire(named_by={"trigger": ["escalate"]}))
    assert after(TicketFieldSaved(document=room)).when(Retire()) == [TicketFieldRetired(document=room)]


ESCALATE = Trigger(id=UUID(int=6), slug="escalate", name="Escalate", on=("opened",))
BECAUSE = SwitchedOff(reason="Its calendar is gone.", at=datetime(2026, 11, 29, tzinfo=UTC))
OFF = ESCALATE.model_copy(update={"active": False, "switched_off": BECAUSE})


def test_a_suspended_version_of_a_trigger_is_switched_off_once() -> None:
    saved = TriggerSaved(document=ESCALATE)
    assert after(saved).when(SwitchOff(1, BECAUSE)) == [TriggerSaved(document=OFF)]
    assert after(saved, TriggerSaved(document=OFF)).when(SwitchOff(1, BECAUSE)) == []
    assert after(saved, TriggerSaved(document=OFF)).when(SwitchOff(2, BECAUSE)) == []


def test_a_version_that_is_not_the_newest_leaves_the_trigger_alone() -> None:
    renamed = TriggerSaved(document=ESCALATE.model_copy(update={"name": "Renamed"}))
    assert after(TriggerSaved(document=ESCALATE), renamed).when(SwitchOff(1, BECAUSE)) == []
    assert after().when(SwitchOff(1, BECAUSE)) == []
    retired = TriggerRetired(document=ESCALATE)
    assert after(TriggerSaved(document=ESCALATE), retired).when(SwitchOff(1, BECAUSE)) == []
