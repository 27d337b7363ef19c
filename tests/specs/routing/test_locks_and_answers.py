from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.routing.ticket.articles import AddNote, Reply
from services.routing.ticket.lifecycle import Close, NextState, Reopen
from services.routing.ticket.ownership import Lock, LockHolderLeft, Unlock
from services.routing.ticket.queueing import QueueTicket
from shared.contracts.event import Event
from shared.contracts.parts import Address, CustomerRef, PersonRef
from shared.contracts.routing import (
    AgentReplied,
    CustomerAnswered,
    CustomerChanged,
    NoteAdded,
    OwnerChanged,
    StateChanged,
    TicketLocked,
    TicketUnlocked,
    TimeAccounted,
)
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from tests.specs.requirement import requirement
from tests.specs.routing.desk import (
    BY_KARI,
    BY_NILS,
    IT,
    KARI,
    NILS,
    NOON,
    PER,
    QUEUED,
    TO_PER,
    from_per,
    given,
    message,
)

QUEUE = QueueTicket("2026112310000018", "My computer hums", IT, PER, 3, "email", "<first@customer.example>")
KARI_HOLDS = (QUEUED, TicketLocked(by=KARI), OwnerChanged(to=KARI))
CLOSED = (QUEUED, StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, by=KARI))


@requirement("A3.01")
def test_an_opened_ticket_stands_in_its_queue() -> None:
    given().when(QUEUE).then(QUEUED)


def test_queueing_twice_changes_nothing() -> None:
    given(QUEUED).when(QUEUE).then()


@requirement("A6.01", "A6.02")
def test_locking_makes_you_the_owner() -> None:
    given(QUEUED).when(Lock(BY_KARI)).then(TicketLocked(by=KARI), OwnerChanged(to=KARI, was=None))


@requirement("A6.02")
def test_locking_twice_is_no_error() -> None:
    given(*KARI_HOLDS).when(Lock(BY_KARI)).then()


@requirement("A6.03")
def test_a_ticket_locked_by_another_agent_cannot_be_locked() -> None:
    given(*KARI_HOLDS).when(Lock(BY_NILS)).refused("Kari is working on this ticket")


@requirement("A6.06")
def test_a_forgotten_lock_can_be_taken_over_with_a_reason() -> None:
    taking = Lock(BY_NILS, take_over=True, reason="Kari is ill")
    given(*KARI_HOLDS).when(taking).then(
        TicketLocked(by=NILS, taken_over_from=KARI, reason="Kari is ill"), OwnerChanged(to=NILS, was=KARI)
    )


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_take_over_needs_a_reason(reason: str) -> None:
    given(*KARI_HOLDS).when(Lock(BY_NILS, take_over=True, reason=reason)).refused("Kari is working on this ticket")


@requirement("A6.04")
def test_unlocking_gives_the_ticket_back() -> None:
    given(*KARI_HOLDS).when(Unlock(BY_KARI)).then(TicketUnlocked(was=KARI))


def test_unlocking_an_unlocked_ticket_is_no_error() -> None:
    given(QUEUED).when(Unlock(BY_KARI)).then()


def test_another_agents_lock_cannot_be_ended() -> None:
    given(*KARI_HOLDS).when(Unlock(BY_NILS)).refused("Kari is working on this ticket")


@requirement("A7.09", "A6.05", "A5.03", "A16.01")
def test_an_answer_locks_sets_the_next_state_and_counts_time() -> None:
    words = message("Please send the serial number.")
    sent = words.model_copy(update={"to": (TO_PER,), "subject": QUEUED.title})
    given(QUEUED).when(Reply(BY_KARI, words, NextState(OPEN), time_units=5)).then(
        TicketLocked(by=KARI),
        OwnerChanged(to=KARI, was=None),
        AgentReplied(
            by=KARI,
            message=sent,
            number=QUEUED.number,
            title=QUEUED.title,
            queue=IT,
            customer=PER,
            references=("<first@customer.example>",),
        ),
        StateChanged(to=OPEN, was=NEW, by=KARI, at=NOON),
        TimeAccounted(by=KARI, units=5, article=words.id),
    )


@requirement("A6.08")
def test_an_answer_can_hand_the_ticket_over() -> None:
    decided = given(*KARI_HOLDS).when(Reply(BY_KARI, message("x"), NextState(NEW), owner=NILS))
    assert decided.events[-2:] == (OwnerChanged(to=NILS, was=KARI), TicketLocked(by=NILS, taken_over_from=KARI))


def test_an_answer_refers_to_the_first_and_the_newest_of_the_customers_mails() -> None:
    many = [CustomerAnswered(article=UUID(int=n), message_id=f"<{n}@customer.example>") for n in range(30)]
    (replied,) = [
        e
        for e in given(QUEUED, *many).when(Reply(BY_KARI, message("x"), NextState(OPEN))).events
        if isinstance(e, AgentReplied)
    ]
    assert replied.references[0] == "<first@customer.example>"
    assert replied.references[-1] == "<29@customer.example>"
    assert len(replied.references) == 10


@requirement("A6.01")
def test_an_agent_whose_answer_closes_the_ticket_owns_it() -> None:
    def owners(*past: Event, **more: Any) -> list[PersonRef | None]:
        reply = Reply(more.pop("context", BY_KARI), message("Done."), NextState(CLOSED_SUCCESSFUL), **more)
        return [e.to for e in given(*past).when(reply).events if isinstance(e, OwnerChanged)]

    assert owners(QUEUED) == [KARI]
    assert owners(*KARI_HOLDS) == []
    assert owners(QUEUED, owner=NILS) == [NILS]
    assert owners(QUEUED, context=replace(BY_KARI, lock_on_action=False)) == []


HOME = Address(email="per@home.example", name="Per at home")
WANTS_IT_AT_HOME = QUEUED.model_copy(update={"answers_to": (HOME,)})


def sent_to(*past: Event, **more: Any) -> list[Address]:
    reply = Reply(BY_KARI, message("Please send the serial number.", **more), NextState(OPEN))
    (replied,) = [e for e in given(*past).when(reply).events if isinstance(e, AgentReplied)]
    return list(replied.message.to)


def test_an_answer_goes_where_the_customer_wants_it_unless_its_writer_names_somebody() -> None:
    assert sent_to(QUEUED) == [TO_PER]
    assert sent_to(WANTS_IT_AT_HOME) == [HOME]
    assert sent_to(WANTS_IT_AT_HOME, to=(TO_PER,)) == [TO_PER]


def test_the_customers_newest_reply_to_counts() -> None:
    wish = CustomerAnswered(article=UUID(int=5), answers_to=(HOME,))
    nothing_new, none_any_more = (
        wish.model_copy(update={"answers_to": None}),
        wish.model_copy(update={"answers_to": ()}),
    )
    assert sent_to(QUEUED, wish) == sent_to(QUEUED, wish, nothing_new) == [HOME]
    assert sent_to(QUEUED, wish, none_any_more) == [TO_PER]
    nils = CustomerRef(id=UUID(int=21), email="nils@customer.example")
    assert sent_to(QUEUED, wish, CustomerChanged(to=nils, was=PER)) == [Address(email=nils.email)]


def test_a_message_records_a_reply_to_of_its_writer_that_is_new() -> None:
    def taken(*past: Event, **more: Any) -> CustomerAnswered:
        command = replace(from_per(UUID(int=7)), message=message("It hums.", 7, **more), writer=PER)
        (answered,) = given(*past).when(command).events
        assert isinstance(answered, CustomerAnswered)
        return answered

    assert taken(QUEUED, reply_to=(HOME,)).answers_to == (HOME,)
    assert taken(QUEUED, reply_to=(HOME,), reply_to_doubt="other_domain").answers_to is None
    assert taken(WANTS_IT_AT_HOME, reply_to=(HOME,)).answers_to is None
    assert taken(WANTS_IT_AT_HOME).answers_to == ()
    others = replace(
        from_per(UUID(int=7)),
        message=message("It hums.", 7, reply_to=(HOME,)),
        writer=CustomerRef(id=UUID(int=21), email="nils@customer.example"),
    )
    (answered,) = given(QUEUED).when(others).events
    assert answered == CustomerAnswered(article=UUID(int=7), at=NOON)


def test_a_stranger_does_not_change_where_answers_go() -> None:
    command = replace(from_per(UUID(int=7), standing="unverified"), message=message("x", 7, reply_to=(HOME,)))
    given(QUEUED).when(command).then(CustomerAnswered(article=UUID(int=7), at=NOON))


def test_an_answer_to_the_customers_reply_to_counts_as_the_closing_answer() -> None:
    reply = Reply(BY_KARI, message("Done."), NextState(CLOSED_SUCCESSFUL))
    changed = [e for e in given(WANTS_IT_AT_HOME).when(reply).events if isinstance(e, StateChanged)]
    assert [each.answer for each in changed] == [UUID(int=100)]


def test_a_ticket_locked_by_another_agent_cannot_be_answered() -> None:
    given(*KARI_HOLDS).when(Reply(BY_NILS, message("me too"), NextState(OPEN))).refused(
        "Kari is working on this ticket"
    )


@requirement("A7.10", "A7.11")
def test_a_note_is_possible_despite_a_lock() -> None:
    words = message("look at the fuse")
    given(*KARI_HOLDS).when(AddNote(BY_NILS, words)).then(NoteAdded(by=NILS, message=words, internal=True))


def test_a_note_does_not_change_the_state_of_a_ticket_locked_by_another_agent() -> None:
    given(*KARI_HOLDS).when(AddNote(BY_NILS, message("x"), next=NextState(OPEN))).refused("Kari is working")


@requirement("A5.12", "A7.12")
def test_closing_adds_a_note_and_ends_the_lock() -> None:
    words = message("done")
    given(*KARI_HOLDS).when(Close(BY_KARI, CLOSED_SUCCESSFUL, words, 2)).then(
        NoteAdded(by=KARI, message=words, kind="close"),
        StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, by=KARI, at=NOON),
        TicketUnlocked(was=KARI, because="closed"),
        TimeAccounted(by=KARI, units=2, article=words.id),
    )


def test_closing_twice_changes_nothing() -> None:
    given(*CLOSED).when(Close(BY_KARI, CLOSED_SUCCESSFUL)).then()


@requirement("A6.11")
def test_a_customers_message_on_a_closed_ticket_keeps_its_owner() -> None:
    """The owner stays when the message reopens the ticket: nobody has to assign it to them."""
    given(*CLOSED[:1], OwnerChanged(to=KARI), *CLOSED[1:]).when(from_per(UUID(int=7))).then(
        CustomerAnswered(article=UUID(int=7), at=NOON), StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL, at=NOON)
    )


@requirement("A5.10")
def test_a_customers_message_reopens_a_closed_ticket() -> None:
    given(*CLOSED).when(from_per(UUID(int=7), "<second@customer.example>")).then(
        CustomerAnswered(article=UUID(int=7), message_id="<second@customer.example>", at=NOON),
        StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL, at=NOON),
    )


@requirement("A5.09")
def test_a_customers_message_keeps_the_state_that_the_desk_set() -> None:
    given(QUEUED).when(from_per(UUID(int=7))).then(CustomerAnswered(article=UUID(int=7), at=NOON))


@requirement("A5.11")
def test_a_closed_ticket_is_reopened_by_hand() -> None:
    given(*CLOSED).when(Reopen(BY_KARI)).then(StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL, by=KARI, at=NOON))


def test_an_open_ticket_is_not_reopened() -> None:
    given(QUEUED).when(Reopen(BY_KARI)).refused("Only a closed ticket")


@requirement("A10.03")
@pytest.mark.parametrize(("to", "known"), [((), True), ((TO_PER,), True), ((Address(email="x@else.example"),), False)])
def test_a_closing_names_the_answer_that_told_the_customer(to: tuple[Address, ...], known: bool) -> None:
    words = message("Solved.", to=to)
    closed = [
        event
        for event in given(QUEUED).when(Reply(BY_KARI, words, NextState(CLOSED_SUCCESSFUL))).events
        if isinstance(event, StateChanged)
    ]
    assert [event.answer for event in closed] == [words.id if known else None]


def test_an_agent_who_leaves_loses_the_lock_and_stays_the_owner() -> None:
    held = (QUEUED, TicketLocked(by=KARI), OwnerChanged(to=KARI, was=None))
    left = TicketUnlocked(was=KARI, because="left")
    given(*held).when(LockHolderLeft(frozenset((KARI.id,)))).then(left)
    given(*held, left).when(LockHolderLeft(frozenset((KARI.id,)))).then()
    given(*held).when(LockHolderLeft(frozenset((NILS.id,)))).then()


def test_an_answer_goes_to_the_customers_current_address() -> None:
    today = PER.model_copy(update={"email": "per@new.example", "name": "Per Berg"})
    given(QUEUED).when(Reply(BY_KARI, message("Done."), NextState(CLOSED_SUCCESSFUL), customer=today)).then(
        AgentReplied(
            by=KARI,
            message=message("Done.", to=[{"email": "per@new.example", "name": "Per Berg"}], subject=QUEUED.title),
            number=QUEUED.number,
            title=QUEUED.title,
            queue=IT,
            customer=today,
            references=("<first@customer.example>",),
        ),
        OwnerChanged(to=KARI, was=None),
        StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, by=KARI, at=NOON, answer=UUID(int=100)),
    )
