"""What starts, stops, keeps, moves and breaks the clocks of a ticket."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.routing.ticket.properties import SetCustomer, SetPriority
from services.routing.ticket.queueing import Move
from services.routing.ticket.relations import MergeInto, Remove, Unmerge
from shared.clocks.deadlines import escalated
from shared.contracts.directory import Calendar
from shared.contracts.parts import TicketRef
from shared.contracts.routing import (
    AgentReplied,
    DeadlinesChanged,
    PriorityChanged,
    StateChanged,
    TicketMerged,
    TicketMoved,
)
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN, PENDING_REMINDER
from tests.specs.requirement import requirement
from tests.specs.routing.clocks.stage import ACME, OPENED, Desk, minutes, sla
from tests.specs.routing.desk import HR, IT, PER

OTHER = TicketRef(id=UUID(int=77), number="2026112310000026", title="Other")


@requirement("A4.07", "A21.14")
def test_first_answer_and_solution_run_from_the_opening() -> None:
    desk = Desk(sla()).open()
    assert desk.states() == {"first_answer": "running", "solution": "running"}
    assert (desk.due("first_answer"), desk.due("solution")) == (20, 120)
    solution = desk.clock("solution")
    assert (solution.since, solution.minutes, solution.used_minutes, solution.warned) == (OPENED, 120, 0, False)
    assert solution.warn_at == OPENED + minutes(96)


def test_each_event_names_what_moved_the_clock() -> None:
    desk = Desk(sla()).open()
    (queued, _), *clocks = desk.log
    assert [cause for _, cause in clocks] == [queued.id, queued.id]


def test_a_ticket_without_an_sla_has_no_clock_and_no_event_of_one() -> None:
    desk = Desk(sla(queues=("hr",))).open()
    desk.reply(5)
    desk.close(6)
    assert desk.states() == {}
    assert not [new for new, _ in desk.log if isinstance(new.payload, DeadlinesChanged)]


@requirement("A5.17")
def test_the_first_reply_keeps_the_first_clock_alone() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    first = desk.clock("first_answer")
    assert (first.state, first.ended_at, first.used_minutes) == ("kept", OPENED + minutes(5), 5)
    assert (desk.clock("solution").state, desk.due("solution")) == ("running", 120)


def test_the_customers_oldest_unanswered_message_starts_the_update_clock() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    desk.message(30)
    desk.message(40)
    assert desk.due("update") == 45
    desk.reply(41)
    assert desk.clock("update").state == "kept"
    desk.message(50)
    assert (desk.clock("update").state, desk.due("update")) == ("running", 65)
    assert desk.happened("update") == ["set", "kept", "set"]


def test_a_message_before_the_first_answer_waits_for_it_too() -> None:
    desk = Desk(sla()).open()
    desk.message(3)
    desk.reply(4)
    assert desk.last == ["first_answer kept", "update kept"]


@requirement("A5.17")
def test_a_state_of_pauses_in_stops_the_clocks() -> None:
    desk = Desk(sla()).open()
    desk.wait(10)
    assert desk.states() == {"first_answer": "paused", "solution": "paused"}
    assert (desk.due("solution"), desk.clock("solution").used_minutes) == (None, 10)
    desk.set_state(70, OPEN)
    assert (desk.due("first_answer"), desk.due("solution")) == (80, 180)
    assert desk.happened("solution") == ["set", "paused", "resumed"]


def test_another_date_of_the_same_pause_changes_nothing() -> None:
    desk = Desk(sla()).open()
    desk.wait(10)
    assert len(desk.wait(20)) == 1
    desk.set_state(30, OPEN)
    assert desk.due("solution") == 140


@requirement("A4.07")
def test_closing_keeps_every_clock_that_is_not_over() -> None:
    desk = Desk(sla()).open()
    desk.message(1)
    desk.close(10)
    assert desk.last == ["first_answer kept", "update kept", "solution kept"]
    assert not escalated(desk.state.timeline.deadlines.values())


def test_a_reply_that_closes_keeps_the_answer_and_then_the_solution() -> None:
    desk = Desk(sla()).open()
    events = desk.reply(10, CLOSED_SUCCESSFUL)
    assert desk.last == ["first_answer kept", "solution kept"]
    causes = {new.payload.clock: cause for new, cause in desk.log if isinstance(new.payload, DeadlinesChanged)}
    by_kind = {type(new.payload): new.id for new in events}
    assert (causes["first_answer"], causes["solution"]) == (by_kind[AgentReplied], by_kind[StateChanged])


def test_reopening_goes_on_with_what_was_left() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    desk.close(30)
    desk.message(100)
    assert (desk.clock("solution").state, desk.due("solution")) == ("running", 190)
    assert desk.clock("solution").ended_at is None
    assert desk.clock("first_answer").state == "kept"
    assert desk.due("update") == 115


def test_what_was_never_answered_goes_on_too() -> None:
    desk = Desk(sla()).open()
    desk.close(10)
    desk.set_state(50, OPEN)
    assert (desk.due("first_answer"), desk.due("solution")) == (60, 160)


def test_a_reply_that_reopens_keeps_and_resumes() -> None:
    desk = Desk(sla()).open()
    desk.close(10)
    desk.reply(50, OPEN)
    assert desk.clock("first_answer").state == "kept"
    assert desk.clock("first_answer").ended_at == OPENED + minutes(10)
    assert (desk.clock("solution").state, desk.due("solution")) == ("running", 160)


def test_a_broken_clock_ends_late_and_is_broken_again_when_the_ticket_is_reopened() -> None:
    desk = Desk(sla()).open()
    desk.reply(1)
    desk.fire("solution", 96)
    desk.fire("solution", 120)
    assert (desk.clock("solution").state, desk.due("solution")) == ("broken", 120)
    desk.close(130)
    ended = desk.clock("solution")
    assert (desk.last, ended.state, ended.ended_at) == (["solution ended"], "broken", OPENED + minutes(130))
    assert not escalated(desk.state.timeline.deadlines.values())
    desk.set_state(140, OPEN)
    assert (desk.clock("solution").state, desk.clock("solution").ended_at) == ("broken", None)
    assert escalated(desk.state.timeline.deadlines.values())
    assert desk.happened("solution").count("broken") == 1


def test_an_answer_after_the_time_ends_the_broken_clock() -> None:
    desk = Desk(sla()).open()
    desk.fire("first_answer", 16)
    desk.fire("first_answer", 20)
    assert escalated(desk.state.timeline.deadlines.values())
    desk.reply(25)
    assert (desk.clock("first_answer").state, desk.clock("first_answer").used_minutes) == ("broken", 25)
    assert not escalated(desk.state.timeline.deadlines.values())


@pytest.mark.parametrize("at", [20, 20.01, 500])
def test_an_act_after_the_time_tells_the_breach_first(at: float) -> None:
    desk = Desk(sla()).open()
    desk.reply(at)
    assert desk.happened("first_answer") == ["set", "warned", "broken", "ended"]
    assert not desk.fire("first_answer", at)


def test_an_answer_a_moment_before_is_in_time() -> None:
    desk = Desk(sla()).open()
    desk.reply(19.999)
    assert not desk.fire("first_answer", 20)
    assert desk.happened("first_answer") == ["set", "warned", "kept"]


@requirement("A5.17")
def test_warning_and_breach_come_once_at_their_times() -> None:
    desk = Desk(sla()).open()
    assert not desk.fire("first_answer", 15.9)
    assert desk.fire("first_answer", 16)
    assert escalated(desk.state.timeline.deadlines.values())
    assert not desk.fire("first_answer", 16)
    assert desk.fire("first_answer", 20)
    assert not desk.fire("first_answer", 21)
    assert desk.happened("first_answer") == ["set", "warned", "broken"]


def test_a_timer_after_a_long_rest_tells_both() -> None:
    desk = Desk(sla()).open()
    desk.fire("solution", 500)
    assert desk.happened("solution") == ["set", "warned", "broken"]


def test_a_warning_at_100_percent_comes_with_the_breach() -> None:
    desk = Desk(sla(warn_percent=100)).open()
    desk.fire("first_answer", 20)
    assert desk.happened("first_answer") == ["set", "warned", "broken"]


def test_minutes_may_be_fractions() -> None:
    desk = Desk(sla(first_answer_minutes=0.15, warn_percent=50)).open()
    first = desk.clock("first_answer")
    assert (first.warn_at, first.due_at) == (OPENED + timedelta(seconds=4.5), OPENED + timedelta(seconds=9))


def test_a_paused_clock_neither_warns_nor_breaks() -> None:
    desk = Desk(sla()).open()
    desk.wait(10)
    assert not desk.fire("first_answer", 500)
    desk.set_state(1000, OPEN)
    assert desk.due("first_answer") == 1010


@requirement("A21.14")
def test_another_priority_has_its_sla_counted_from_the_opening() -> None:
    high = sla("high", order=1, priorities=(4, 5), first_answer_minutes=10, solution_minutes=60)
    desk = Desk(sla(order=2), high).open()
    desk.decide(SetPriority(desk.context(5), 5), 5)
    assert (desk.due("first_answer"), desk.due("solution")) == (10, 60)
    assert desk.clock("solution").sla.slug == "high"
    desk.undo(6, PriorityChanged)
    assert (desk.due("solution"), desk.clock("solution").sla.slug) == (120, "gold")


def test_another_customer_has_the_sla_of_their_company() -> None:
    desk = Desk(sla(order=2), sla("vip", order=1, companies=("acme",), first_answer_minutes=None)).open()
    desk.decide(SetCustomer(desk.context(5), ACME), 5)
    assert desk.states() == {"solution": "running"}
    assert desk.happened("first_answer") == ["set", "withdrawn"]
    desk.decide(SetCustomer(desk.context(6), PER), 6)
    assert desk.due("first_answer") == 20


def test_what_is_over_stays_under_the_sla_that_it_was_kept_by() -> None:
    desk = Desk(sla(queues=("it",))).open()
    desk.reply(5)
    desk.decide(Move(desk.context(6), HR), 6)
    assert desk.states() == {"first_answer": "kept"}
    desk.decide(Move(desk.context(7), IT), 7)
    assert desk.due("solution") == 120
    assert desk.states() == {"first_answer": "kept", "solution": "running"}


def test_an_undone_move_is_as_if_it_had_not_been() -> None:
    desk = Desk(sla(queues=("it",))).open()
    desk.decide(Move(desk.context(6), HR), 6)
    assert desk.states() == {}
    desk.undo(10, TicketMoved)
    assert (desk.due("first_answer"), desk.due("solution")) == (20, 120)


def test_a_move_to_a_shorter_promise_that_is_over_breaks_it_at_once() -> None:
    desk = Desk(sla(queues=("it",)), sla("short", queues=("hr",), solution_minutes=30)).open()
    desk.reply(1)
    desk.decide(Move(desk.context(40), HR), 40)
    assert desk.last == ["solution moved", "solution warned", "solution broken"]
    assert desk.due("solution") == 30
    desk.decide(Move(desk.context(41), IT), 41)
    assert (desk.clock("solution").state, desk.due("solution"), desk.clock("solution").warned) == (
        "running",
        120,
        False,
    )


def test_an_undone_closing_is_as_if_it_had_not_been() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    desk.close(30)
    desk.undo(50, StateChanged)
    assert (desk.clock("solution").state, desk.due("solution")) == ("running", 120)
    assert desk.last == ["solution moved"]


def test_a_closing_that_is_undone_after_the_time_breaks_the_clock() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    desk.close(30)
    desk.undo(200, StateChanged)
    assert desk.last == ["solution moved", "solution warned", "solution broken"]
    assert desk.due("solution") == 120


def test_an_undo_that_is_undone_restores_what_was() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    desk.close(30)
    desk.undo(50, StateChanged)
    desk.undo(60, StateChanged)
    assert desk.clock("solution").state == "kept"
    desk.set_state(100, OPEN)
    assert desk.due("solution") == 190  # closed from 30 to 100


def test_an_undone_pause_counts() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    desk.wait(10)
    desk.undo(60, StateChanged)
    assert (desk.due("solution"), desk.last) == (120, ["solution moved"])


def test_merging_ends_all_clocks_and_its_undo_restores_them() -> None:
    desk = Desk(sla()).open()
    desk.decide(MergeInto(desk.context(5), OTHER), 5)
    assert set(desk.states().values()) == {"kept"}
    new = next(new for new, _ in reversed(desk.log) if isinstance(new.payload, TicketMerged))
    desk.decide(Unmerge(desk.context(15), OTHER, new.id), 15)
    assert (desk.due("first_answer"), desk.due("solution")) == (20, 120)


def test_a_merge_that_is_undone_when_its_pending_date_is_over_goes_on_from_then() -> None:
    desk = Desk(sla()).open()
    desk.wait(10)
    desk.decide(MergeInto(desk.context(20), OTHER), 20)
    new = next(new for new, _ in reversed(desk.log) if isinstance(new.payload, TicketMerged))
    desk.decide(Unmerge(desk.context(2000), OTHER, new.id), 2000)
    assert desk.state.state == OPEN
    assert desk.due("solution") == 2110


def test_a_removed_ticket_has_no_running_clock() -> None:
    desk = Desk(sla()).open()
    desk.decide(Remove(desk.context(5)), 5)
    assert set(desk.states().values()) == {"kept"}
    desk.message(9)
    assert desk.due("solution") == 124


@requirement("A21.14")
def test_a_changed_sla_moves_what_is_not_over() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    desk.configure(sla(solution_minutes=240, first_answer_minutes=1), version=2)
    desk.count(50)
    assert (desk.due("solution"), desk.clock("solution").sla.version) == (240, 2)
    assert (desk.clock("first_answer").state, desk.due("first_answer")) == ("kept", 20)
    assert not desk.count(51)


def test_a_new_version_that_changes_no_time_is_no_event() -> None:
    desk = Desk(sla()).open()
    desk.configure(sla(name="Golden"), version=2)
    assert not desk.count(5)


def test_a_retired_sla_withdraws_what_is_not_over() -> None:
    desk = Desk(sla()).open()
    desk.reply(5)
    desk.configure()
    desk.count(50)
    assert desk.states() == {"first_answer": "kept"}
    desk.close(60)
    desk.set_state(70, OPEN)
    assert desk.states() == {"first_answer": "kept"}


def test_a_new_sla_holds_for_open_tickets_and_not_for_what_was_answered() -> None:
    desk = Desk().open()
    desk.reply(5)
    desk.configure(sla())
    desk.count(50)
    assert desk.states() == {"solution": "running"}
    assert desk.due("solution") == 120


def test_a_broken_clock_runs_again_when_more_is_promised() -> None:
    desk = Desk(sla()).open()
    desk.fire("first_answer", 20)
    desk.configure(sla(first_answer_minutes=60), version=2)
    desk.count(30)
    assert (desk.clock("first_answer").state, desk.clock("first_answer").warned) == ("running", False)
    desk.fire("first_answer", 60)
    assert desk.happened("first_answer") == ["set", "warned", "broken", "moved", "warned", "broken"]


def test_another_set_of_pausing_states_counts_from_the_opening() -> None:
    desk = Desk(sla()).open()
    desk.wait(10)
    desk.configure(sla(pauses_in=()), version=2)
    desk.count(15)
    assert (desk.clock("solution").state, desk.due("solution"), desk.last[-1]) == ("running", 120, "solution moved")


def test_a_clock_that_is_set_back_never_gives_time_back() -> None:
    desk = Desk(sla()).open()
    desk.wait(10)
    desk.set_state(-100, OPEN)
    assert desk.due("solution") == 120
    desk.wait(-50)
    assert desk.clock("solution").used_minutes == 10
    desk.set_state(20, OPEN)
    assert desk.due("solution") == 130


def test_the_desk_was_away_when_the_ticket_was_opened() -> None:
    desk = Desk(sla())
    desk.open()
    assert desk.clock("first_answer").since == OPENED
    desk.message(-5)  # sent before, read later
    assert desk.due("update") == 15


@requirement("A21.14")
def test_the_first_by_order_and_then_by_slug_holds() -> None:
    desk = Desk(
        sla("b", order=1, solution_minutes=10),
        sla("a", order=1, solution_minutes=20),
        sla("c", order=0, queues=("hr",)),
    )
    desk.open()
    assert desk.clock("solution").sla.slug == "a"


@pytest.mark.parametrize(
    "fits",
    [{"queues": ("hr",)}, {"priorities": (5,)}, {"companies": ("acme",)}, {"topics": ("printing",)}],
    ids=lambda each: next(iter(each)),
)
def test_every_list_of_an_sla_must_fit(fits: dict[str, Any]) -> None:
    assert Desk(sla(**fits)).open().states() == {}


def test_a_calendar_without_hours_is_never_due() -> None:
    never = Calendar(id=UUID(int=5), slug="never", name="Never", timezone="Europe/Oslo")
    desk = Desk(sla(calendar="never"), calendars=(never,)).open()
    assert desk.states() == {"first_answer": "running", "solution": "running"}
    assert (desk.due("solution"), desk.fire("solution", 1e6)) == (None, [])
    desk.wait(10)
    desk.set_state(20, OPEN)
    desk.reply(30)
    desk.close(40)
    assert set(desk.states().values()) == {"kept"}


def test_a_ticket_that_is_opened_closed_has_kept_its_clocks() -> None:
    desk = Desk(sla()).open(state=CLOSED_SUCCESSFUL)
    assert set(desk.states().values()) == {"kept"}


def test_pending_states_that_pause_nothing_go_on() -> None:
    desk = Desk(sla(pauses_in=())).open()
    assert len(desk.set_state(10, PENDING_REMINDER)) == 3  # lock, owner, state
