"""Giving a ticket to one of several people, to nobody, and what rules say and send (A6.08, A9.02)."""

from collections import Counter
from dataclasses import replace
from uuid import UUID

from hypothesis import given as each
from hypothesis import strategies as st

from services.routing.ticket.automation.distribution import Candidates, Distribute, Way, choose
from services.routing.ticket.automation.rules import LeaveOut, Notify
from services.routing.ticket.ownership import Unassign
from services.routing.ticket.relations import Remove
from services.routing.ticket.state import initial
from shared.contracts.parts import PersonRef, RuleRef, TicketRef
from shared.contracts.routing import (
    OwnerChanged,
    RuleActionLeftOut,
    RuleNotified,
    TicketLocked,
    TicketMerged,
    TicketRemoved,
    TicketUnlocked,
)
from shared.rules.states import NEW
from tests.specs.requirement import requirement
from tests.specs.routing.desk import BY_KARI, BY_NILS, BY_RULE, HR, IT, KARI, NILS, NOON, PER, QUEUED, given

DESK = (KARI, NILS)
CANDIDATES = Candidates(IT.id, DESK, IT.id)
IS_RULE = RuleRef(id=UUID(int=30), name="Escalate old tickets", version=2)
people = st.integers(1, 8).map(lambda n: tuple(PersonRef(id=UUID(int=i + 1), name=f"P{i}") for i in range(n)))


@requirement("A6.08")
def test_round_robin_gives_the_ticket_to_the_next_one() -> None:
    given(QUEUED).when(Distribute(BY_RULE, "round-robin", CANDIDATES)).then(OwnerChanged(to=KARI))
    after = replace(CANDIDATES, last=KARI.id)
    given(QUEUED).when(Distribute(BY_RULE, "round-robin", after)).then(OwnerChanged(to=NILS))


@requirement("A6.08")
def test_least_loaded_gives_the_ticket_to_who_has_the_fewest() -> None:
    busy = replace(CANDIDATES, loads={KARI.id: 3, NILS.id: 2})
    given(QUEUED).when(Distribute(BY_RULE, "least-loaded", busy)).then(OwnerChanged(to=NILS))


@requirement("A6.08")
def test_the_ticket_itself_is_no_load_of_its_owner() -> None:
    even = replace(CANDIDATES, loads={KARI.id: 1, NILS.id: 0}, last=NILS.id)
    given(QUEUED, OwnerChanged(to=KARI)).when(Distribute(BY_RULE, "least-loaded", even)).then()


@requirement("A21.01")
def test_without_anybody_who_can_work_nothing_is_assigned() -> None:
    nobody = replace(CANDIDATES, people=())
    given(QUEUED).when(Distribute(BY_RULE, "round-robin", nobody)).refused("Nobody in this queue")


def test_candidates_of_another_queue_are_not_used() -> None:
    given(QUEUED).when(Distribute(BY_RULE, "round-robin", replace(CANDIDATES, queue=HR.id))).refused("was moved")


@requirement("A6.08")
def test_an_agent_distributes_no_ticket_that_another_has_locked() -> None:
    given(QUEUED, TicketLocked(by=KARI)).when(Distribute(BY_NILS, "round-robin", CANDIDATES)).refused("Kari is working")


@each(people, st.integers(1, 60), st.data())
def test_turns_are_even_whoever_is_away_meanwhile(
    everybody: tuple[PersonRef, ...], tickets: int, data: st.DataObject
) -> None:
    """While the same people are there, their shares differ by at most one; who is away gets nothing."""
    present = tuple(person for person in everybody if data.draw(st.booleans())) or everybody
    candidates = Candidates(IT.id, present, IT.id, last=data.draw(st.sampled_from(everybody)).id)
    shares: Counter[UUID] = Counter()
    for _ in range(tickets):
        chosen = choose("round-robin", candidates, initial())
        assert chosen is not None
        shares[chosen.id] += 1
        candidates = candidates.after(chosen.id)
    assert set(shares) <= {person.id for person in present}
    counts = [shares[person.id] for person in present]
    assert max(counts) - min(counts) <= 1


@each(people, st.lists(st.integers(0, 20), min_size=8, max_size=8), st.integers(1, 60))
def test_loads_become_even_and_nobody_gets_more_than_the_others_have(
    everybody: tuple[PersonRef, ...], loads: list[int], tickets: int
) -> None:
    before = {person.id: load for person, load in zip(everybody, loads, strict=False)}
    candidates = Candidates(IT.id, everybody, IT.id, loads=before)
    given_to: Counter[UUID] = Counter()
    way: Way = "least-loaded"
    for _ in range(tickets):
        chosen = choose(way, candidates, initial())
        assert chosen is not None
        assert candidates.loads[chosen.id] == min(candidates.loads.values())
        given_to[chosen.id] += 1
        candidates = candidates.after(chosen.id).with_load(None, chosen.id)
    for person, more in given_to.items():
        assert before[person] + more <= max(min(candidates.loads.values()) + 1, before[person])


@requirement("A9.02")
def test_a_ticket_is_given_to_nobody_and_is_free() -> None:
    owned = (QUEUED, TicketLocked(by=KARI), OwnerChanged(to=KARI))
    taken = (OwnerChanged(to=None, was=KARI), TicketUnlocked(was=KARI))
    given(*owned).when(Unassign(BY_RULE)).then(*taken)
    given(*owned).when(Unassign(BY_KARI)).then(*taken)
    given(*owned).when(Unassign(BY_NILS)).refused("Kari is working")
    given(QUEUED).when(Unassign(BY_RULE)).then()


@requirement("A9.02")
def test_what_a_rule_leaves_out_is_said_even_on_a_ticket_that_is_gone() -> None:
    left = RuleActionLeftOut(rule=IS_RULE, action="move", reason="No such queue.")
    merged = TicketMerged(into=TicketRef(id=UUID(int=9)), was=NEW, by=KARI)
    for past in ((QUEUED,), (QUEUED, merged), (QUEUED, TicketRemoved(because="split undone", was=NEW))):
        given(*past).when(LeaveOut(IS_RULE, "move", "No such queue.")).then(left)


@requirement("A9.02")
def test_a_rules_mail_names_whom_it_goes_to_and_what_the_ticket_is() -> None:
    told = RuleNotified(
        rule=IS_RULE, to=("owner",), template="known", number=QUEUED.number, title=QUEUED.title, queue=IT, customer=PER,
        owner=KARI,
    )  # fmt: skip
    given(QUEUED, OwnerChanged(to=KARI)).when(Notify(IS_RULE, ("owner",), "known")).then(told)


def test_a_ticket_on_which_a_rule_did_nothing_but_say_so_is_untouched() -> None:
    left = RuleActionLeftOut(rule=IS_RULE, action="move", reason="No such queue.")
    given(QUEUED, left).when(Remove(BY_KARI)).then(TicketRemoved(because="split undone", was=NEW, by=KARI, at=NOON))
