"""Links, merges and splits, and their undo (requirements A7.16 to A7.19)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from services.routing import ticket
from services.routing.policies import continues_in
from services.routing.recording import started_by
from services.routing.ticket import Command, Ticket
from services.routing.ticket.articles import Reply
from services.routing.ticket.lifecycle import NextState, PendingIsOver
from services.routing.ticket.ownership import Lock
from services.routing.ticket.queueing import QueueTicket
from services.routing.ticket.relations import (
    Absorb,
    Link,
    MergeInto,
    Release,
    Remove,
    Split,
    UndoSplit,
    Unlink,
    Unmerge,
)
from shared.contracts.event import Event
from shared.contracts.parts import Standing, StateRef, TicketRef
from shared.contracts.routing import (
    CustomerAnswered,
    MergeUndone,
    NoteAdded,
    ReminderReached,
    SplitUndone,
    StateChanged,
    TicketAbsorbed,
    TicketLocked,
    TicketMerged,
    TicketReleased,
    TicketRemoved,
    TicketsLinked,
    TicketSplit,
    TicketUnlocked,
)
from shared.rules.rejected import Rejected
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN, PENDING_AUTO_CLOSE, PENDING_REMINDER, REMOVED
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
    TICKET,
    from_per,
    given,
    message,
)

B = TicketRef(id=UUID(int=50), number="2026112310000026", title="It hums too")
MERGED = (QUEUED, TicketMerged(into=B, was=NEW, by=KARI))


@requirement("A7.19")
def test_a_merged_ticket_continues_in_the_other_one_without_a_lock() -> None:
    given(QUEUED, TicketLocked(by=KARI)).when(MergeInto(BY_KARI, B)).then(
        TicketUnlocked(was=KARI, because="merged"), TicketMerged(into=B, was=NEW, by=KARI, at=NOON)
    )


def test_a_ticket_locked_by_another_agent_cannot_be_merged() -> None:
    given(QUEUED, TicketLocked(by=KARI)).when(MergeInto(BY_NILS, B)).refused("Kari is working")


@pytest.mark.parametrize(
    "command", [MergeInto(BY_KARI, B), Absorb(BY_KARI, B), Lock(BY_KARI), Reply(BY_KARI, message("x"), NextState(OPEN))]
)
def test_a_merged_ticket_accepts_only_the_undo(command: Command) -> None:
    given(*MERGED).when(command).refused("was merged")


@requirement("A7.19")
@pytest.mark.parametrize("was", [NEW, OPEN, CLOSED_SUCCESSFUL])
def test_undoing_a_merge_restores_the_state(was: StateChanged) -> None:
    past = (QUEUED, StateChanged(to=was, was=NEW), TicketMerged(into=B, was=was, by=KARI))
    given(*past).when(Unmerge(BY_NILS, B, UUID(int=9))).then(
        MergeUndone(into=B, state=was, by=NILS, undoes=UUID(int=9), at=NOON)
    )


@pytest.mark.parametrize("state", [PENDING_REMINDER, PENDING_AUTO_CLOSE])
@pytest.mark.parametrize("passed", [False, True])
def test_undoing_a_merge_restores_a_pending_date_or_opens_the_ticket_if_it_has_passed(
    state: StateRef, passed: bool
) -> None:
    past = (QUEUED, StateChanged(to=state, was=NEW, pending_until=NOON), TicketMerged(into=B, was=state, by=KARI))
    now = NOON + timedelta(minutes=1 if passed else -1)
    undone = given(*past).when(Unmerge(replace(BY_KARI, at=now), B, UUID(int=9)))
    undone.then(
        MergeUndone(into=B, state=OPEN, by=KARI, undoes=UUID(int=9), at=now)
        if passed
        else MergeUndone(into=B, state=state, by=KARI, undoes=UUID(int=9), pending_until=NOON, at=now)
    )
    given(*past, *undone.events).when(PendingIsOver(NOON, NOON)).then(*([] if passed else _over(state)))


def _over(state: StateRef) -> list[Event]:
    if state == PENDING_REMINDER:
        return [ReminderReached(due_at=NOON, fired_at=NOON)]
    return [StateChanged(to=CLOSED_SUCCESSFUL, was=state, at=NOON, due_at=NOON, fired_at=NOON)]


def test_a_restored_pending_date_starts_its_timer_again() -> None:
    undone = MergeUndone(into=B, state=PENDING_REMINDER, by=KARI, pending_until=NOON)
    assert started_by([(TICKET, undone)])[0] == [(TICKET, "pending", NOON)]


def test_a_merge_is_undone_once_on_both_sides() -> None:
    given(*MERGED, MergeUndone(into=B, state=NEW, by=KARI)).when(Unmerge(BY_KARI, B, UUID(int=9))).refused("already")
    absorbed = (QUEUED, TicketAbsorbed(other=B, by=KARI))
    given(*absorbed).when(Release(BY_KARI, B)).then(TicketReleased(other=B, by=KARI))
    given(*absorbed, TicketReleased(other=B, by=KARI)).when(Release(BY_KARI, B)).refused("already")


def test_a_customers_message_that_arrives_after_a_merge_is_noted_and_continues_in_the_other_ticket() -> None:
    command = from_per(UUID(int=7))
    given(*MERGED).when(command).then(CustomerAnswered(article=UUID(int=7), at=NOON))
    state = ticket.initial()
    for event in MERGED:
        state = ticket.evolve(state, event)
    assert continues_in(command, state) == (B.id, replace(command, ticket=B.id))
    assert continues_in(Lock(BY_KARI), state) is None
    assert continues_in(command, ticket.evolve(state, MergeUndone(into=B, state=NEW, by=KARI))) is None


@pytest.mark.parametrize("standing", ["participant", "outsider", "unverified"])
def test_a_message_that_arrives_after_the_undo_of_a_split_reopens_the_ticket(standing: Standing) -> None:
    removed = TicketRemoved(because="split undone", was=NEW)
    given(QUEUED, removed).when(from_per(UUID(int=7), standing=standing)).then(
        CustomerAnswered(article=UUID(int=7), at=NOON), StateChanged(to=OPEN, was=REMOVED, at=NOON)
    )


@requirement("A7.16", "A1.27")
def test_a_split_names_the_new_ticket_and_is_linked_to_it() -> None:
    made = UUID(int=60)
    words = message("the other matter")
    command = Split(BY_KARI, (UUID(int=7),), made, TICKET, words, None, "Another matter")
    given(QUEUED).when(command).then(
        TicketSplit(
            articles=(UUID(int=7),),
            into=made,
            title="Another matter",
            queue=IT,
            customer=PER,
            message=words,
            origin=TicketRef(id=TICKET, number=QUEUED.number, title=QUEUED.title),
            by=KARI,
        ),
        TicketsLinked(kind="related", other=TicketRef(id=made, title="Another matter"), by=KARI),
    )


def test_internal_articles_of_a_split_are_a_note_of_the_new_ticket() -> None:
    secret = message("He never pays.")
    opened = QueueTicket("1", "x", IT, PER, 3, "email", None, opened_by=KARI, note=secret)
    noted = NoteAdded(by=KARI, message=secret, kind="split")
    decided = given().when(opened).events
    assert decided[1:] == (noted,)
    given(*decided).when(Remove(BY_KARI)).then(TicketRemoved(because="split undone", was=NEW, by=KARI, at=NOON))


def test_an_untouched_ticket_of_a_split_can_be_removed() -> None:
    linked = TicketsLinked(kind="related", other=B)
    given(QUEUED, linked).when(Remove(BY_KARI)).then(TicketRemoved(because="split undone", was=NEW, by=KARI, at=NOON))


@pytest.mark.parametrize("touched", [TicketLocked(by=KARI), CustomerAnswered(article=UUID(int=7), at=NOON)])
def test_a_ticket_of_a_split_that_has_been_worked_on_is_not_removed(touched: Event) -> None:
    given(QUEUED, touched).when(Remove(BY_KARI)).refused("Merge the new ticket")


def test_a_split_is_undone_once() -> None:
    taken = given(QUEUED).when(Split(BY_KARI, (UUID(int=7),), UUID(int=60), TICKET, message("x"))).events
    undo = UndoSplit(BY_KARI, UUID(int=60), UUID(int=9))
    given(QUEUED, *taken).when(undo).then(SplitUndone(into=UUID(int=60), by=KARI, undoes=UUID(int=9)))
    given(QUEUED, *taken, SplitUndone(into=UUID(int=60), by=KARI)).when(undo).refused("already")


@requirement("A7.18")
def test_a_link_is_made_and_ended_once_despite_a_lock() -> None:
    linked = TicketsLinked(kind="parent", other=B, by=NILS)
    given(QUEUED, TicketLocked(by=KARI)).when(Link(BY_NILS, B, "parent")).then(linked)
    given(QUEUED, linked).when(Link(BY_KARI, B, "parent")).then()
    given(QUEUED).when(Unlink(BY_KARI, B, "parent")).then()


def test_a_removed_ticket_accepts_no_new_link_and_its_links_can_end() -> None:
    linked = TicketsLinked(kind="related", other=B)
    removed = TicketRemoved(because="split undone", was=NEW)
    given(QUEUED, removed).when(Link(BY_KARI, B, "related")).refused("The ticket was removed")
    assert given(QUEUED, linked, removed).when(Unlink(BY_KARI, B, "related")).refusal is None


def together(parts: Sequence[tuple[Ticket, Command]]) -> list[Ticket]:
    """Both decisions or none, as the command runner records them."""
    decided = [(state, ticket.decide(command, state)) for state, command in parts]
    after = []
    for state, events in decided:
        for event in events:
            state = ticket.evolve(state, event)
        after.append(state)
    return after


def test_two_agents_merging_in_opposite_directions_leave_one_living_ticket() -> None:
    a = b = ticket.evolve(ticket.initial(), QUEUED)
    here = TicketRef(id=TICKET)
    a, b = together([(a, MergeInto(BY_KARI, B)), (b, Absorb(BY_KARI, here))])
    with pytest.raises(Rejected):
        together([(b, MergeInto(BY_NILS, here)), (a, Absorb(BY_NILS, B))])
    assert (a.merged_into, b.merged_into) == (B.id, None)


def test_a_chain_of_merges_can_be_undone_in_any_order() -> None:
    a = b = c = ticket.evolve(ticket.initial(), QUEUED)
    first, third = TicketRef(id=TICKET), TicketRef(id=UUID(int=70))
    a, b = together([(a, MergeInto(BY_KARI, B)), (b, Absorb(BY_KARI, first))])
    b, c = together([(b, MergeInto(BY_KARI, third)), (c, Absorb(BY_KARI, B))])
    a, b = together([(a, Unmerge(BY_KARI, B, UUID(int=9))), (b, Release(BY_KARI, first))])
    assert (a.merged_into, b.merged_into) == (None, third.id)
    b, c = together([(b, Unmerge(BY_KARI, third, UUID(int=10))), (c, Release(BY_KARI, B))])
    assert (b.merged_into, c.absorbed) == (None, {})
