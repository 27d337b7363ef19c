"""Which triggers follow from a decision: judged on the ticket as it was, and never without end (A9.02)."""

from dataclasses import replace
from functools import reduce
from typing import Any
from uuid import UUID

from hypothesis import given as each
from hypothesis import strategies as st

from services.routing import ticket
from services.routing.conclusions import Conclusions
from services.routing.rows import DecisionRow, Match, Owned
from services.routing.ticket import Command, Ticket
from services.routing.ticket.articles import Reply
from services.routing.ticket.context import Actor as Giver
from services.routing.ticket.context import CommandContext
from services.routing.ticket.lifecycle import Close
from services.routing.ticket.properties import SetPriority, Tag
from services.routing.triggers.matching import ticket_facts
from shared.automation.rules import LONGEST_CHAIN, compile_rules
from shared.contracts.directory import Trigger
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.routing import OwnerChanged, RuleActionLeftOut
from shared.directory.copy import Configuration
from shared.eventstore.store import Context, NewEvent
from shared.eventstore.unit_of_work import Consequences, Decision
from tests.specs.requirement import requirement
from tests.specs.routing.desk import BY_KARI, KARI, NOON, QUEUED, TICKET, message

NOTE: dict[str, Any] = {"do": "note", "text": "x"}


def trigger(number: int, on: str, when: dict[str, Any] | None = None, **more: Any) -> Trigger:
    return Trigger.model_validate(
        {"id": UUID(int=number), "slug": f"t{number}", "name": f"T{number}", "on": [on], "when": when or {},
         "then": [NOTE], **more}
    )  # fmt: skip


def concluded(
    command: Command,
    *triggers: Trigger,
    past: tuple[Event, ...] = (QUEUED,),
    actor: Actor | None = None,
    depth: int = 0,
) -> Consequences:
    configuration = Configuration(triggers={each.slug: each for each in triggers})
    before = ticket.initial()
    for event in past:
        before = ticket.evolve(before, event)
    decided = ticket.decide(command, before)
    after, events = reduce(ticket.evolve, decided, before), tuple(map(NewEvent, decided))
    context = Context(actor=actor or Actor("agent", str(KARI.id)), time=NOON)
    decision: Decision[Command, Ticket] = Decision(TICKET, command, before, after, events, context)
    return Conclusions(lambda: configuration).at_depth(depth)(decision)


def matched(consequences: Consequences) -> list[int]:
    return [row.trigger.int for row in consequences.rows if isinstance(row, Match)]


@requirement("A9.02")
def test_each_event_of_a_decision_is_judged_on_the_ticket_right_after_it() -> None:
    new = {"field": "state_type", "is": ["new"]}
    owned = {"not": {"field": "owner", "empty": True}}
    reply = Reply(BY_KARI, message("Restart it."))
    assert matched(concluded(reply, trigger(1, "answered", {"all": [new, owned]}))) == [1]
    assert matched(concluded(reply, trigger(1, "state-changed", new))) == []
    assert matched(concluded(reply, trigger(1, "answered", {"field": "text", "contains": ["RESTART"]}))) == [1]


@requirement("A9.02")
def test_triggers_match_by_order_then_by_slug() -> None:
    triggers = [trigger(3, "tagged", order=1), trigger(1, "tagged", order=2), trigger(2, "tagged", order=2)]
    assert matched(concluded(Tag(BY_KARI, ("x",)), *triggers)) == [3, 1, 2]


@requirement("A9.02")
def test_no_rule_answers_its_own_doing() -> None:
    by_itself = Actor("rule", f"{UUID(int=1)}/1")
    triggers = (trigger(1, "tagged"), trigger(2, "tagged"))
    assert matched(concluded(Tag(BY_KARI, ("x",)), *triggers, actor=by_itself, depth=1)) == [2]


@requirement("A9.02")
def test_after_five_rules_the_chain_has_ended_which_is_said_once() -> None:
    triggers = (trigger(1, "tagged"), trigger(2, "tagged"))
    last = concluded(Tag(BY_KARI, ("x",)), *triggers, depth=LONGEST_CHAIN - 1)
    assert [row.depth for row in last.rows if isinstance(row, Match)] == [LONGEST_CHAIN, LONGEST_CHAIN]
    over = concluded(Tag(BY_KARI, ("x",)), *triggers, depth=LONGEST_CHAIN)
    assert matched(over) == []
    (said,) = [following.payload for following in over.events]
    assert isinstance(said, RuleActionLeftOut)
    assert (said.rule.name, said.action) == ("T1", "all")


def test_without_a_trigger_for_what_happened_nothing_follows() -> None:
    assert concluded(SetPriority(BY_KARI, 5), trigger(1, "tagged")) == Consequences([], [])


@requirement("A6.08")
def test_whose_work_a_ticket_is_follows_from_owner_and_state() -> None:
    owned = (QUEUED, OwnerChanged(to=KARI))
    rows: list[DecisionRow] = [*concluded(Close(BY_KARI), past=owned).rows]
    assert rows == [Owned(TICKET, None, KARI.id)]
    assert concluded(SetPriority(BY_KARI, 5), past=owned).rows == []


tests_of_a_field = st.one_of(
    st.builds(
        lambda *v: {"field": "queue", "is": list(v)}, st.sampled_from(("it", "hr")), st.sampled_from(("it", "x"))
    ),
    st.builds(lambda v: {"field": "priority", "is": [v]}, st.integers(2, 4)),
    st.builds(lambda v: {"field": "actor", "is": [v]}, st.sampled_from(("agent", "customer"))),
    st.builds(lambda v: {"field": "company", "is": [v]}, st.sampled_from(("acme", "other"))),
    st.builds(lambda v: {"field": "title", "contains": [v]}, st.sampled_from(("hums", "burns"))),
    st.just({"field": "company", "empty": True}),
)
conditions = st.recursive(
    tests_of_a_field,
    lambda inner: st.one_of(
        st.builds(lambda some: {"all": some}, st.lists(inner, max_size=3)),
        st.builds(lambda some: {"any": some}, st.lists(inner, max_size=3)),
        st.builds(lambda one: {"not": one}, inner),
    ),
    max_leaves=6,
)


@each(st.lists(conditions, max_size=12), st.sampled_from((None, "acme")))
def test_looking_rules_up_finds_those_that_hold_in_their_order(some: list[dict[str, Any]], company: str | None) -> None:
    triggers = [trigger(number, "tagged", when, order=number) for number, when in enumerate(some, 1)]
    rules = compile_rules(triggers, {}, {})
    state = ticket.evolve(ticket.initial(), QUEUED)
    facts = replace(ticket_facts(state, "agent", NOON), company=company)
    assert rules.matching("tagged", facts) == [rule for rule in rules.on("tagged") if rule.holds(facts)]


@each(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=12), st.integers(1, 5))
def test_rules_that_answer_each_other_always_end(rules: list[tuple[int, int]], first: int) -> None:
    """Whatever rules set the priority to when it becomes something else: each chain has at most five acts."""
    triggers = [
        trigger(number, "priority-changed", {"field": "priority", "is": [when]})
        for number, (when, _) in enumerate(rules, 1)
    ]
    configuration = Configuration(triggers={each.slug: each for each in triggers})
    conclude = Conclusions(lambda: configuration)
    state = replace(ticket.evolve(ticket.initial(), QUEUED), priority=0)
    waiting: list[tuple[int, int, int | None]] = [(first, 0, None)]
    acts = 0
    while waiting:
        priority, depth, by = waiting.pop(0)
        giver = Giver("rule" if by else "agent", UUID(int=by or 1), "x")
        command = SetPriority(CommandContext(giver, NOON), priority)
        events = ticket.decide(command, state)
        acts += bool(events) and by is not None
        assert acts <= len(rules) ** LONGEST_CHAIN
        assert depth <= LONGEST_CHAIN
        actor = Actor("rule", f"{UUID(int=by)}/1") if by else Actor("agent")
        if not events:
            continue
        before, state = state, reduce(ticket.evolve, events, state)
        decision: Decision[Command, Ticket] = Decision(
            TICKET, command, before, state, tuple(map(NewEvent, events)), Context(actor=actor, time=NOON)
        )
        for row in conclude.at_depth(depth)(decision).rows:
            if isinstance(row, Match):
                waiting.append((rules[row.trigger.int - 1][1], row.depth, row.trigger.int))
