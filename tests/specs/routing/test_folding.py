"""What holds for every ticket after any commands in any order."""

from uuid import UUID

from hypothesis import given as for_all
from hypothesis import strategies as st

from services.routing import ticket
from services.routing.ticket import Command, Ticket
from services.routing.ticket.articles import AddNote, Reply
from services.routing.ticket.lifecycle import Close, NextState, Reopen
from services.routing.ticket.ownership import Lock, Unlock
from services.routing.ticket.queueing import QueueTicket
from shared.contracts.event import Unknown
from shared.rules.rejected import Rejected
from shared.rules.states import CLOSED_SUCCESSFUL, CLOSED_UNSUCCESSFUL, OPEN
from tests.specs.routing.desk import BY_KARI, BY_NILS, IT, KARI, NILS, PER, from_per, message

people = st.sampled_from((BY_KARI, BY_NILS))
words = st.text(max_size=20).map(message)
states = st.sampled_from((OPEN, CLOSED_SUCCESSFUL, CLOSED_UNSUCCESSFUL)).map(NextState)
units = st.none() | st.floats(0, 100)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Lock, people, st.booleans(), st.sampled_from(("", "why"))),
    st.builds(Unlock, people, st.booleans()),
    st.builds(Reply, people, words, states, st.none() | st.sampled_from((KARI, NILS)), units),
    st.builds(AddNote, people, words, st.booleans(), st.just("note"), st.none() | states, units),
    st.builds(Close, people, st.sampled_from((CLOSED_SUCCESSFUL, CLOSED_UNSUCCESSFUL)), st.none() | words, units),
    st.builds(Reopen, people, st.none() | words, units),
    st.builds(from_per, st.uuids(), st.none() | st.text(max_size=5)),
    st.just(QueueTicket("2026112310000018", "hums", IT, PER, 3, "email", "<1@x>")),
)


def step(state: Ticket, command: Command) -> Ticket:
    try:
        decided = ticket.decide(command, state)
    except Rejected:
        return state
    for event in decided:
        state = ticket.evolve(state, event)
    return state


@for_all(st.lists(commands, max_size=30), commands)
def test_a_lock_has_an_owner_and_a_decision_is_pure(past: list[Command], command: Command) -> None:
    state = ticket.initial()
    for each in past:
        state = step(state, each)
    if state.locked_by is not None:
        assert state.owner is not None and state.owner.id == state.locked_by.id
    assert step(state, command) == step(state, command)


@for_all(st.lists(commands, max_size=10), commands)
def test_nobody_works_on_a_ticket_locked_by_another_agent(past: list[Command], command: Command) -> None:
    state = ticket.initial()
    for each in past:
        state = step(state, each)
    context = getattr(command, "context", None)
    if state.locked_by is not None and context is not None and context.actor.id != state.locked_by.id:
        after = step(state, command)
        if isinstance(command, Reply | Close | Reopen):
            assert after == state
        if isinstance(command, AddNote):
            assert after.state == state.state


def test_an_event_of_a_later_version_changes_nothing() -> None:
    assert ticket.evolve(Ticket(priority=4), Unknown(data={"x": UUID(int=1).hex})) == Ticket(priority=4)
