"""States from new to closed and back, by commands and by timers (requirements A5)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.routing.operations import states
from services.routing.operations.states import NextStep
from services.routing.ticket.articles import Reply
from services.routing.ticket.context import QueueSettings
from services.routing.ticket.customer_messages import FollowUpRule
from services.routing.ticket.lifecycle import Close, NextState, PendingIsOver, Reopen, SetState
from services.routing.ticket.ownership import Lock
from services.routing.ticket.properties import SetPriority
from shared.contracts.directory import FollowUp, State
from shared.contracts.parts import CustomerRef, Standing, TicketRef
from shared.contracts.routing import (
    CustomerAnswered,
    FollowUpRejected,
    OwnerChanged,
    PriorityChanged,
    ReminderReached,
    StateChanged,
    TicketAbsorbed,
    TicketLocked,
    TicketsLinked,
    TicketSplit,
    TicketUnlocked,
)
from shared.rules.refusals import Invalid
from shared.rules.states import (
    CLOSED_SUCCESSFUL,
    CLOSED_UNSUCCESSFUL,
    NEW,
    OPEN,
    PENDING_AUTO_CLOSE,
    PENDING_REMINDER,
)
from tests.specs.requirement import requirement
from tests.specs.routing.desk import BY_KARI, BY_NILS, IT, KARI, NOON, PER, QUEUED, TICKET, from_per, given, message

LATER = NOON + timedelta(hours=24)
PENDING = (QUEUED, StateChanged(to=PENDING_REMINDER, was=NEW, pending_until=LATER, by=KARI))
AUTO_CLOSE = (QUEUED, StateChanged(to=PENDING_AUTO_CLOSE, was=NEW, pending_until=LATER, by=KARI))
CLOSED = (QUEUED, StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, by=KARI, at=NOON))
ARTICLE = UUID(int=7)


@requirement("A5.02", "A6.05")
def test_setting_a_state_locks_the_ticket() -> None:
    given(QUEUED).when(SetState(BY_KARI, NextState(OPEN))).then(
        TicketLocked(by=KARI), OwnerChanged(to=KARI), StateChanged(to=OPEN, was=NEW, by=KARI, at=NOON)
    )


@requirement("A5.04")
def test_a_pending_state_waits_for_its_date() -> None:
    decided = given(QUEUED).when(SetState(BY_KARI, NextState(PENDING_REMINDER, LATER)))
    assert decided.events[-1] == StateChanged(to=PENDING_REMINDER, was=NEW, pending_until=LATER, by=KARI, at=NOON)


def test_another_date_of_the_same_state_is_a_change() -> None:
    decided = given(*PENDING).when(SetState(BY_KARI, NextState(PENDING_REMINDER, LATER + timedelta(days=1))))
    assert isinstance(decided.events[-1], StateChanged)


def test_the_same_state_again_is_no_change() -> None:
    given(*PENDING).when(SetState(BY_KARI, NextState(PENDING_REMINDER, LATER))).then()


@requirement("A5.05")
def test_a_reminder_names_its_due_time_and_the_time_it_fired() -> None:
    fired = LATER + timedelta(seconds=1)
    given(*PENDING).when(PendingIsOver(LATER, fired)).then(ReminderReached(due_at=LATER, fired_at=fired))


def test_a_reminder_fires_once() -> None:
    reached = ReminderReached(due_at=LATER, fired_at=LATER)
    given(*PENDING, reached).when(PendingIsOver(LATER, LATER)).then()


@requirement("A5.07")
def test_a_ticket_that_waits_for_closing_closes_by_itself_and_is_unlocked() -> None:
    given(*AUTO_CLOSE, TicketLocked(by=KARI)).when(PendingIsOver(LATER, LATER)).then(
        StateChanged(to=CLOSED_SUCCESSFUL, was=PENDING_AUTO_CLOSE, due_at=LATER, fired_at=LATER, at=LATER),
        TicketUnlocked(was=KARI, because="closed"),
    )


@pytest.mark.parametrize("past", [(QUEUED,), CLOSED, (*AUTO_CLOSE, StateChanged(to=OPEN, was=PENDING_AUTO_CLOSE))])
def test_an_outdated_timer_does_nothing(past: tuple[StateChanged, ...]) -> None:
    given(*past).when(PendingIsOver(LATER, LATER)).then()


@requirement("A5.06", "A5.07", "A5.08")
def test_the_customer_closes_a_solved_ticket() -> None:
    given(*AUTO_CLOSE).when(from_per(ARTICLE, closes=True)).then(
        CustomerAnswered(article=ARTICLE, at=NOON), StateChanged(to=CLOSED_SUCCESSFUL, was=PENDING_AUTO_CLOSE, at=NOON)
    )


@requirement("A5.08")
def test_thank_you_and_close_does_not_reopen() -> None:
    given(*CLOSED).when(from_per(ARTICLE, closes=True)).then(CustomerAnswered(article=ARTICLE, at=NOON))


@requirement("A5.10")
@pytest.mark.parametrize(
    ("rule", "reopens"), [(("reopen", None), True), (("reopen", 1), True), (("reject", None), False)]
)
def test_the_queues_rule_decides_on_a_message_on_a_closed_ticket(
    rule: tuple[FollowUp, int | None], reopens: bool
) -> None:
    decided = given(*CLOSED).when(from_per(ARTICLE, rules={IT.id: FollowUpRule(*rule)}))
    assert any(isinstance(event, StateChanged) for event in decided.events) is reopens
    assert any(isinstance(event, FollowUpRejected) for event in decided.events) is not reopens


def test_the_writer_of_a_rejected_message_is_told_unless_their_mail_forbids_it() -> None:
    lise = CustomerRef(id=UUID(int=21), email="lise@customer.example")
    rules = {IT.id: FollowUpRule("reject")}
    decided = given(*CLOSED).when(from_per(ARTICLE, rules=rules, writer=lise, no_answer=True))
    (refused,) = [event for event in decided.events if isinstance(event, FollowUpRejected)]
    assert (refused.customer, refused.no_answer) == (lise, True)


@pytest.mark.parametrize("rule", [FollowUpRule("new-linked"), FollowUpRule("reopen", 10)])
@pytest.mark.parametrize("no_answer", [True, False])
def test_a_message_can_become_a_ticket_of_its_own(rule: FollowUpRule, no_answer: bool) -> None:
    late = StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, by=KARI, at=NOON - timedelta(days=11))
    asked = from_per(ARTICLE, rules={IT.id: rule}, no_answer=no_answer)
    given(QUEUED, late).when(asked).then(
        CustomerAnswered(article=ARTICLE, at=NOON),
        TicketSplit(
            articles=(ARTICLE,),
            into=asked.becomes,
            title=QUEUED.title,
            queue=IT,
            customer=PER,
            message=asked.message,
            origin=TicketRef(id=TICKET, number=QUEUED.number, title=QUEUED.title),
            no_answer=no_answer,
        ),
        TicketsLinked(kind="related", other=TicketRef(id=asked.becomes)),
    )


@pytest.mark.parametrize("rule", ["reopen", "new-linked", "reject"])
def test_a_message_of_an_unverified_writer_changes_nothing(rule: FollowUp) -> None:
    stranger = from_per(
        ARTICLE, "<1@evil.example>", standing="unverified", closes=True, rules={IT.id: FollowUpRule(rule)}
    )
    given(*CLOSED).when(stranger).then(CustomerAnswered(article=ARTICLE, at=NOON))
    given(*PENDING).when(stranger).then(CustomerAnswered(article=ARTICLE, at=NOON))


@pytest.mark.parametrize("rule", ["reopen", "new-linked", "reject"])
def test_a_queue_may_let_anybody_reopen(rule: FollowUp) -> None:
    rules = {IT.id: FollowUpRule(rule, unverified=True)}
    reopened = StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL, at=NOON)
    stranger = from_per(ARTICLE, "<1@evil.example>", standing="unverified", rules=rules)
    given(*CLOSED).when(stranger).then(CustomerAnswered(article=ARTICLE, at=NOON), reopened)


@requirement("A7.14")
@pytest.mark.parametrize("rule", ["reopen", "new-linked", "reject"])
def test_a_message_of_somebody_the_desk_asked_reopens_a_closed_ticket(rule: FollowUp) -> None:
    """Their message is never rejected, and never becomes a ticket of the customer, who does not know of it."""
    outsider = from_per(ARTICLE, "<1@maker.example>", standing="outsider", rules={IT.id: FollowUpRule(rule)})
    reopened = StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL, at=NOON)
    given(*CLOSED).when(outsider).then(CustomerAnswered(article=ARTICLE, at=NOON), reopened)
    given(QUEUED).when(outsider).then(CustomerAnswered(article=ARTICLE, at=NOON))


@requirement("A5.03", "A5.12")
def test_an_answer_that_closes_ends_the_lock() -> None:
    decided = given(QUEUED, TicketLocked(by=KARI), OwnerChanged(to=KARI)).when(
        Reply(BY_KARI, message("solved"), NextState(CLOSED_SUCCESSFUL))
    )
    assert decided.events[-1] == TicketUnlocked(was=KARI, because="closed")


@requirement("A7.25")
def test_a_ticket_without_its_required_fields_is_not_closed() -> None:
    given(QUEUED).when(Close(replace(BY_KARI, settings=QueueSettings(required_fields=("room", "period"))))).refused(
        "need a value: room, period"
    )


@requirement("A5.11")
def test_a_closed_ticket_locked_by_another_agent_cannot_be_reopened() -> None:
    given(*CLOSED, TicketLocked(by=KARI)).when(Reopen(BY_NILS)).refused("Kari is working")


def test_a_closed_ticket_can_get_another_closed_state() -> None:
    given(*CLOSED).when(Close(BY_KARI, CLOSED_UNSUCCESSFUL)).then(
        StateChanged(to=CLOSED_UNSUCCESSFUL, was=CLOSED_SUCCESSFUL, by=KARI, at=NOON)
    )


@requirement("A4.05", "A4.06")
def test_priority_is_changed_without_a_lock() -> None:
    given(QUEUED).when(SetPriority(BY_KARI, 5)).then(PriorityChanged(to=5, was=3, by=KARI))


def test_the_priority_of_a_ticket_locked_by_another_agent_cannot_be_changed() -> None:
    given(QUEUED, TicketLocked(by=KARI)).when(SetPriority(BY_NILS, 5)).refused("Kari is working")


def test_a_ticket_that_is_not_queued_yet_accepts_no_command() -> None:
    given().when(Lock(BY_KARI)).refused("not in a queue yet")


@requirement("A5.07", "A5.04")
def test_a_pending_state_without_a_date_waits_as_long_as_its_configuration_gives() -> None:
    done = State(id=UUID(int=1), slug="done", name="Done", type="pending_auto_close", close_after_hours=24)
    before = datetime.now(UTC)
    wanted = states.next_state(NextStep("done"), {"done": done})
    assert wanted is not None
    assert wanted.pending_until is not None
    day = timedelta(hours=24)
    assert before + day <= wanted.pending_until <= datetime.now(UTC) + day
    with pytest.raises(Invalid):
        states.next_state(NextStep("done"), {"done": done.model_copy(update={"close_after_hours": None})})


@requirement("A5.07", "A5.09")
@pytest.mark.parametrize("standing", ["participant", "outsider"])
def test_a_customers_message_stops_an_automatic_closing(standing: Standing) -> None:
    reopened = StateChanged(to=OPEN, was=PENDING_AUTO_CLOSE, at=NOON)
    answered = given(*AUTO_CLOSE).when(from_per(ARTICLE, standing=standing))
    answered.then(CustomerAnswered(article=ARTICLE, at=NOON), reopened)
    given(*AUTO_CLOSE, *answered.events).when(PendingIsOver(LATER, LATER)).then()


def test_a_stranger_does_not_stop_an_automatic_closing_unless_the_queue_lets_anybody_reopen() -> None:
    given(*AUTO_CLOSE).when(from_per(ARTICLE, standing="unverified")).then(CustomerAnswered(article=ARTICLE, at=NOON))
    rules = {IT.id: FollowUpRule("reject", unverified=True)}
    opened = given(*AUTO_CLOSE).when(from_per(ARTICLE, standing="unverified", rules=rules))
    opened.then(CustomerAnswered(article=ARTICLE, at=NOON), StateChanged(to=OPEN, was=PENDING_AUTO_CLOSE, at=NOON))


@requirement("A5.08")
def test_a_customer_who_closes_a_ticket_that_waits_for_closing_closes_it_now() -> None:
    given(*AUTO_CLOSE).when(from_per(ARTICLE, closes=True)).then(
        CustomerAnswered(article=ARTICLE, at=NOON), StateChanged(to=CLOSED_SUCCESSFUL, was=PENDING_AUTO_CLOSE, at=NOON)
    )


@requirement("A5.09")
def test_a_customers_message_does_not_end_a_reminder() -> None:
    given(*PENDING).when(from_per(ARTICLE)).then(CustomerAnswered(article=ARTICLE, at=NOON))


@requirement("A5.10")
@pytest.mark.parametrize("rule", ["reopen", "new-linked", "reject"])
@pytest.mark.parametrize("by_time", [True, False])
def test_a_message_sent_before_the_ticket_closed_reopens_it_in_any_queue(rule: FollowUp, by_time: bool) -> None:
    a_moment_later = NOON + timedelta(seconds=1)
    closed = StateChanged(
        to=CLOSED_SUCCESSFUL, was=OPEN, at=a_moment_later, fired_at=a_moment_later if by_time else None
    )
    given(QUEUED, closed).when(from_per(ARTICLE, rules={IT.id: FollowUpRule(rule)})).then(
        CustomerAnswered(article=ARTICLE, at=NOON), StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL, at=NOON)
    )


@requirement("A2.07")
@pytest.mark.parametrize(
    ("subject", "title"),
    [
        (f"Re: AW: [Ticket#{QUEUED.number}] The lift", "The lift"),
        (f"Re: [Ticket#{QUEUED.number}]", QUEUED.title),
        ("Re: [Ticket#2026112210000023] The lift", "The lift"),
        ("Re: [Ticket#2026112210000099] The lift", "[Ticket#2026112210000099] The lift"),
        ("", QUEUED.title),
        ("Something else", "Something else"),
    ],
)
def test_a_message_that_becomes_a_ticket_of_its_own_drops_the_old_number(subject: str, title: str) -> None:
    asked = from_per(ARTICLE, rules={IT.id: FollowUpRule("new-linked")})
    command = replace(asked, message=asked.message.model_copy(update={"subject": subject}))
    merged = TicketAbsorbed(other=TicketRef(id=UUID(int=51), number="2026112210000023"), by=KARI)
    (split,) = [event for event in given(*CLOSED, merged).when(command).events if isinstance(event, TicketSplit)]
    assert split.title == title
