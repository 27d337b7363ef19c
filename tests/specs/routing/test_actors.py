"""Who may give a command: a person, a rule, a customer, the system. Locks and ownership are for agents."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.routing.ticket import Command
from services.routing.ticket.articles import AddNote, RecordCall, Reply
from services.routing.ticket.context import Actor, ActorKind, CommandContext
from services.routing.ticket.lifecycle import Close, NextState, SetState
from services.routing.ticket.ownership import Assign, Lock, Unlock
from services.routing.ticket.properties import Rename, SetFields, SetPriority, Tag
from services.routing.ticket.queueing import Move
from shared.contracts.event import Event
from shared.contracts.routing import OwnerChanged, TicketLocked, TicketRenamed, TicketUnlocked
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from tests.specs.routing.desk import BY_RULE, HR, KARI, NILS, NOON, QUEUED, RULE, given, message

OTHERS: tuple[ActorKind, ...] = ("rule", "customer", "system")
KARI_HOLDS = (QUEUED, TicketLocked(by=KARI), OwnerChanged(to=KARI))


def context(kind: ActorKind) -> CommandContext:
    return CommandContext(Actor(kind, UUID(int=30), "Somebody"), NOON)


def kinds(*events: Event) -> list[str]:
    return [type(event).__name__ for event in events]


def test_an_agent_who_works_on_a_ticket_locks_it_and_owns_it() -> None:
    decided = given(QUEUED).when(Rename(context("agent"), "It smokes"))
    assert kinds(*decided.events) == ["TicketLocked", "OwnerChanged", "TicketRenamed"]


@pytest.mark.parametrize("kind", OTHERS)
def test_nobody_else_locks_a_ticket_or_owns_it_by_working_on_it(kind: ActorKind) -> None:
    by = context(kind)
    commands: list[Command] = [
        Rename(by, "It smokes"),
        SetFields(by, {"room": "B 214"}),
        SetState(by, NextState(OPEN)),
        RecordCall(by, message("x"), "in"),
        Reply(by, message("x")),
        Reply(by, message("x"), NextState(CLOSED_SUCCESSFUL)),
    ]
    for command in commands:
        decided = given(QUEUED).when(command)
        assert decided.refusal is None
        assert not {"TicketLocked", "OwnerChanged"} & set(kinds(*decided.events)), command


def test_a_rule_is_named_by_its_events() -> None:
    given(QUEUED).when(Rename(BY_RULE, "It smokes")).then(TicketRenamed(to="It smokes", was=QUEUED.title, by=RULE))


@pytest.mark.parametrize("kind", OTHERS)
def test_only_an_agent_locks_a_ticket(kind: ActorKind) -> None:
    given(QUEUED).when(Lock(context(kind))).refused("Only an agent")


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("make", [Close, Unlock], ids=lambda make: make.__name__)
def test_a_lock_keeps_other_agents_away_and_nobody_else(kind: ActorKind, make: type[Close] | type[Unlock]) -> None:
    assert given(*KARI_HOLDS).when(make(context(kind))).refusal is None
    given(*KARI_HOLDS).when(make(context("agent"))).refused("Kari is working on this ticket")


def test_a_rule_can_do_what_agents_do() -> None:
    """Working beside the agent who has the ticket locked."""
    commands: list[Command] = [
        AddNote(BY_RULE, message("Overdue."), next=NextState(OPEN)),
        Move(BY_RULE, HR),
        SetPriority(BY_RULE, 5),
        Tag(BY_RULE, ("overdue",)),
    ]
    for command in commands:
        assert given(*KARI_HOLDS).when(command).events, command


def test_a_rule_hands_a_ticket_over_with_its_lock() -> None:
    given(*KARI_HOLDS).when(Assign(BY_RULE, NILS)).then(
        OwnerChanged(to=NILS, was=KARI), TicketLocked(by=NILS, taken_over_from=KARI)
    )
    given(QUEUED).when(Assign(BY_RULE, NILS)).then(OwnerChanged(to=NILS))


def test_a_rule_can_name_the_owner_with_its_reply_and_locks_nothing() -> None:
    decided = given(QUEUED).when(Reply(BY_RULE, message("x"), NextState(NEW), owner=NILS))
    assert kinds(*decided.events) == ["AgentReplied", "OwnerChanged"]
    assert decided.events[-1] == OwnerChanged(to=NILS)


def test_a_bulk_command_of_an_agent_takes_no_lock_and_gives_none_back_that_it_does_not_hold() -> None:
    bulk = replace(context("agent"), lock_on_action=False)
    assert kinds(*given(QUEUED).when(Rename(bulk, "It smokes")).events) == ["TicketRenamed"]


def test_a_closing_by_a_rule_ends_the_lock() -> None:
    decided = given(*KARI_HOLDS).when(Close(BY_RULE))
    assert decided.events[-1] == TicketUnlocked(was=KARI, because="closed")
