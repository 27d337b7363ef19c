"""The state after a reply that names none: the setting of the queue decides (requirements A5.03, A5.07)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.routing.ticket.articles import Reply
from services.routing.ticket.context import CommandContext, ConfiguredState, QueueSettings
from services.routing.ticket.lifecycle import NextState
from shared.contracts.event import Event
from shared.contracts.parts import StateRef
from shared.contracts.routing import OwnerChanged, StateChanged, TicketLocked, TicketUnlocked
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN, PENDING_AUTO_CLOSE, PENDING_REMINDER
from tests.specs.requirement import requirement
from tests.specs.routing.desk import BY_KARI, KARI, NOON, QUEUED, given, message

KARI_HOLDS = (QUEUED, TicketLocked(by=KARI), OwnerChanged(to=KARI))


def after_reply(state: StateRef, hours: float | None = None) -> CommandContext:
    return replace(BY_KARI, settings=QueueSettings(after_reply=ConfiguredState(state, hours)))


def changes(context: CommandContext, *past: Event, wanted: NextState | None = None) -> list[StateChanged]:
    decided = given(*past).when(Reply(context, message("Please send the serial number."), wanted))
    return [event for event in decided.events if isinstance(event, StateChanged)]


@requirement("A5.03")
def test_without_a_setting_the_ticket_is_open() -> None:
    assert changes(BY_KARI, QUEUED) == [StateChanged(to=OPEN, was=NEW, by=KARI, at=NOON)]


@requirement("A5.03", "A5.07")
@pytest.mark.parametrize("state", [PENDING_REMINDER, PENDING_AUTO_CLOSE])
def test_a_pending_state_waits_as_long_as_its_configuration_says(state: StateRef) -> None:
    (changed,) = changes(after_reply(state, 72), QUEUED)
    assert (changed.to, changed.pending_until) == (state, NOON + timedelta(hours=72))


@requirement("A5.07")
@pytest.mark.parametrize("state", [PENDING_REMINDER, PENDING_AUTO_CLOSE])
def test_a_pending_state_without_a_time_of_its_own_waits_for_a_day(state: StateRef) -> None:
    (changed,) = changes(after_reply(state), QUEUED)
    assert changed.pending_until == NOON + timedelta(days=1)


@requirement("A5.03")
def test_a_queue_can_close_a_ticket_with_the_reply() -> None:
    decided = given(*KARI_HOLDS).when(Reply(after_reply(CLOSED_SUCCESSFUL), message("Solved.")))
    assert decided.events[-2:] == (
        StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, by=KARI, at=NOON, answer=message("").id),
        TicketUnlocked(was=KARI, because="closed"),
    )


def test_a_queue_can_leave_the_state_as_it_is() -> None:
    opened = StateChanged(to=OPEN, was=NEW)
    assert changes(after_reply(OPEN), QUEUED, opened) == []


@requirement("A5.03")
def test_the_state_that_the_reply_names_counts() -> None:
    (changed,) = changes(after_reply(PENDING_AUTO_CLOSE, 72), QUEUED, wanted=NextState(OPEN))
    assert changed.to == OPEN


@pytest.mark.parametrize("kind", ["new", "merged", "of-a-later-version"])
def test_a_state_that_no_command_can_set_is_not_the_state_after_a_reply(kind: str) -> None:
    (changed,) = changes(after_reply(StateRef(slug="x", name="x", type=kind)), QUEUED)
    assert changed.to == OPEN
