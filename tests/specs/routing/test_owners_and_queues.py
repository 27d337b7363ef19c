"""Owners, the end of locks, and the queue of a ticket (requirements A3, A6)."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from services.routing.ticket import evolve, initial
from services.routing.ticket.context import QueueSettings
from services.routing.ticket.lifecycle import NextState
from services.routing.ticket.ownership import Assign, Lock, LockIsOver, SetResponsible
from services.routing.ticket.properties import SetCustomer, SetFields, Tag
from services.routing.ticket.queueing import Move
from shared.contracts.parts import Attachment, TicketRef
from shared.contracts.routing import (
    MOVED_NOTE,
    NoteAdded,
    OwnerChanged,
    ResponsibleChanged,
    StateChanged,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketUnlocked,
    TimeAccounted,
)
from shared.rules.states import NEW, OPEN
from shared.testing.samples import sample
from tests.specs.requirement import requirement
from tests.specs.routing.desk import BY_KARI, BY_NILS, HR, IT, KARI, NILS, NOON, PER, QUEUED, given, message

KARI_HOLDS = (QUEUED, TicketLocked(by=KARI, expires_at=NOON), OwnerChanged(to=KARI))


@requirement("A6.06")
def test_a_lock_says_when_it_ends() -> None:
    until = NOON + timedelta(minutes=30)
    given(QUEUED).when(Lock(replace(BY_KARI, settings=QueueSettings(lock_timeout=until - NOON)))).then(
        TicketLocked(by=KARI, expires_at=until), OwnerChanged(to=KARI)
    )


@requirement("A6.06")
def test_a_forgotten_lock_ends_by_itself_and_the_owner_stays() -> None:
    fired = NOON + timedelta(seconds=1)
    given(*KARI_HOLDS).when(LockIsOver(NOON, fired)).then(
        TicketUnlocked(was=KARI, because="expired", due_at=NOON, fired_at=fired)
    )


def test_the_timer_of_an_older_lock_does_not_end_a_newer_one() -> None:
    given(*KARI_HOLDS).when(LockIsOver(NOON - timedelta(hours=1), NOON)).then()


def test_an_ended_lock_does_not_end_again() -> None:
    given(*KARI_HOLDS, TicketUnlocked(was=KARI)).when(LockIsOver(NOON, NOON)).then()


@requirement("A6.08", "A6.09")
def test_assigning_hands_over_the_lock_and_adds_the_note() -> None:
    question = message("Would you look this over?")
    given(*KARI_HOLDS).when(Assign(BY_KARI, NILS, question)).then(
        NoteAdded(by=KARI, message=question, kind="assign"),
        OwnerChanged(to=NILS, was=KARI),
        TicketLocked(by=NILS, taken_over_from=KARI),
    )


@requirement("A6.10")
def test_a_ticket_goes_back_to_the_previous_owner() -> None:
    handed = (*KARI_HOLDS, OwnerChanged(to=NILS, was=KARI), TicketLocked(by=NILS, taken_over_from=KARI))
    given(*handed).when(Assign(BY_NILS, None)).then(
        OwnerChanged(to=KARI, was=NILS), TicketLocked(by=KARI, taken_over_from=NILS)
    )


def test_a_ticket_without_a_previous_owner_cannot_go_back() -> None:
    given(QUEUED).when(Assign(BY_KARI, None)).refused("had no owner before")


@requirement("A6.12")
def test_an_unlocked_ticket_gets_an_owner_and_no_lock() -> None:
    given(QUEUED).when(Assign(BY_KARI, NILS)).then(OwnerChanged(to=NILS))


@requirement("A3.07", "A3.08", "A16.01")
def test_moving_adds_a_note_and_ends_the_lock() -> None:
    words = message("belongs to HR")
    given(*KARI_HOLDS).when(Move(BY_KARI, HR, NILS, words, NextState(OPEN), 2)).then(
        NoteAdded(by=KARI, message=words, kind="move"),
        TicketMoved(to=HR, was=IT, by=KARI),
        StateChanged(to=OPEN, was=NEW, by=KARI, at=NOON),
        OwnerChanged(to=NILS, was=KARI),
        TicketUnlocked(was=KARI, because="moved"),
        TimeAccounted(by=KARI, units=2, article=words.id),
    )


def test_moving_to_the_same_queue_is_no_change() -> None:
    given(*KARI_HOLDS).when(Move(BY_KARI, IT)).then()


@requirement("A6.03")
def test_a_ticket_locked_by_another_agent_cannot_be_moved() -> None:
    given(*KARI_HOLDS).when(Move(BY_NILS, HR)).refused("Kari is working")


def test_a_bulk_command_takes_no_lock() -> None:
    quiet = replace(BY_KARI, lock_on_action=False)
    decided = given(QUEUED).when(SetFields(quiet, {"room": "B 214"}))
    assert [type(event).__name__ for event in decided.events] == ["FieldsChanged"]


def test_tags_are_added_once_despite_a_lock() -> None:
    decided = given(*KARI_HOLDS).when(Tag(BY_NILS, ("hse", "hse", "hardware")))
    assert [list(event.tags) for event in decided.events] == [["hse", "hardware"]]  # type: ignore[attr-defined]


def test_a_ticket_has_a_limited_number_of_tags() -> None:
    given(QUEUED).when(Tag(BY_KARI, tuple(str(n) for n in range(10_000)))).refused("at most 100 tags")


def test_the_same_customer_is_no_change() -> None:
    given(QUEUED).when(SetCustomer(BY_KARI, PER)).then()


@requirement("A6.11", "A6.12")
def test_a_responsible_person_is_named_and_removed() -> None:
    given(QUEUED).when(SetResponsible(BY_KARI, NILS)).then(ResponsibleChanged(to=NILS, by=KARI))
    given(QUEUED, ResponsibleChanged(to=NILS, by=KARI)).when(SetResponsible(BY_KARI, NILS)).then()
    given(QUEUED, ResponsibleChanged(to=NILS, by=KARI)).when(SetResponsible(BY_KARI, None)).then(
        ResponsibleChanged(to=None, was=NILS, by=KARI)
    )
    given(QUEUED).when(SetResponsible(BY_KARI, None)).then()


@requirement("A6.11")
def test_a_responsible_person_is_named_despite_a_lock() -> None:
    given(*KARI_HOLDS).when(SetResponsible(BY_NILS, NILS)).then(ResponsibleChanged(to=NILS, by=NILS))


def test_owner_and_lock_do_not_change_the_responsible_person() -> None:
    past = (QUEUED, ResponsibleChanged(to=NILS, by=NILS), TicketLocked(by=KARI), OwnerChanged(to=KARI))
    state = initial()
    for event in past:
        state = evolve(state, event)
    assert state.responsible == NILS


def test_a_merged_ticket_gets_no_responsible_person() -> None:
    merged = TicketMerged(into=TicketRef(id=UUID(int=99)), was=OPEN, by=KARI)
    given(QUEUED, merged).when(SetResponsible(BY_KARI, NILS)).refused("The ticket was merged into another one.")


@requirement("A3.08")
def test_a_move_without_a_note_gets_one_that_says_so() -> None:
    empty, file = message("", 8), message("", 9, attachments=[sample(Attachment)])
    told = empty.model_copy(update={"text": MOVED_NOTE})
    given(QUEUED).when(Move(BY_KARI, HR, empty_note=empty)).then(
        NoteAdded(by=KARI, message=told, kind="move"), TicketMoved(to=HR, was=IT, by=KARI)
    )
    given(QUEUED).when(Move(BY_KARI, IT, empty_note=empty)).then()
    given(QUEUED).when(Move(BY_KARI, HR)).then(TicketMoved(to=HR, was=IT, by=KARI))
    (noted,) = given(QUEUED).when(Move(BY_KARI, IT, empty_note=file)).events
    assert isinstance(noted, NoteAdded)
    assert noted.message.attachments == file.attachments
