"""Who gets which message of a change: by the rights of now, and `gone` only for those who saw the ticket before."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.feed.place import Place
from services.reporting.live.sight import Facts, Rights, Sight
from services.reporting.live.subscriptions import covers, further
from services.reporting.live.updates import (
    CUSTOMER_CHANGED,
    MOVED,
    REMOVED,
    Happened,
    Present,
    Update,
    View,
    data,
    update,
    view,
)
from services.reporting.visibility import scope
from shared.contracts.directory import Member, Queue, Right
from shared.directory.copy import Queues
from shared.rules.access import Access, Identity, TicketFacts, may
from tests.specs.requirement import requirement

IT, HR, PER, PIA, TICKET = (UUID(int=n) for n in range(1, 6))
RIGHTS: tuple[Right, ...] = ("read", "create", "move_into", "note", "work")
IT_AGENT = Sight(queues=frozenset((IT,)), known=frozenset((IT,)))
HR_AGENT = Sight(queues=frozenset((HR,)), known=frozenset((HR,)))
BOTH = Sight(queues=frozenset((IT, HR)), known=frozenset((IT, HR)))
CUSTOMER = Sight(customers=frozenset((PER,)))
COLLEAGUE = Sight(customers=frozenset((PIA,)), company="acme")
STRANGER = Sight(customers=frozenset((PIA,)), company="other")
ADMIN = Sight(everything=True)


def happened(kind: str, *, for_customers: bool = False, version: int = 7, **said: Any) -> Happened:
    type_name = kind if kind.startswith("helpdesk.") else f"helpdesk.{kind}.v1"
    return Happened("routing", version, type_name, "agent", str(HR), said, for_customers)


def shown(*events: Happened, customer: UUID = PER, company: str | None = "acme", removed: bool = False) -> Update:
    reference = {"id": str(IT), "slug": "it", "name": "IT"}
    facts = Facts(IT, customer, company, removed)
    ticket = Present(TICKET, "2026112710000017", facts, reference, {"intake": 1, "routing": 9})
    return update(ticket, events, {str(HR): "Kari", str(UUID(int=90)): "Hurry"})


def moved(was: UUID = HR) -> Happened:
    return happened(MOVED, was={"id": str(was), "slug": "hr", "name": "HR"})


@requirement("A13.08", "A19.03")
def test_an_internal_change_is_for_agents_of_the_queue_only() -> None:
    change = shown(happened("NoteAdded"))
    assert [view(change, each) for each in (IT_AGENT, BOTH, ADMIN)] == [View.AGENT] * 3
    assert [view(change, each) for each in (HR_AGENT, CUSTOMER, COLLEAGUE, STRANGER)] == [None] * 4


@requirement("A13.08", "A19.03")
def test_customers_get_the_types_that_they_may_know_and_nobody_behind_them() -> None:
    change = shown(happened("NoteAdded"), happened("AgentReplied", for_customers=True))
    assert [view(change, each) for each in (CUSTOMER, COLLEAGUE)] == [View.CUSTOMER] * 2
    told = orjson.loads(data(change, View.CUSTOMER))
    assert told["types"] == ["helpdesk.AgentReplied.v1"]
    assert told["actor"] == {"kind": "agent", "id": None, "name": None}
    assert orjson.loads(data(change, View.AGENT))["actor"] == {"kind": "agent", "id": str(HR), "name": "Kari"}


@requirement("A13.08", "A4.07")
def test_a_deadline_is_told_to_agents_and_a_rule_by_its_name_and_version() -> None:
    rule = UUID(int=90)
    change = shown(happened("DeadlineWarned"), replace(happened("NoteAdded"), actor_kind="rule", actor_id=f"{rule}/4"))
    assert [view(change, each) for each in (IT_AGENT, CUSTOMER, COLLEAGUE)] == [View.AGENT, None, None]
    told = orjson.loads(data(change, View.AGENT))
    assert told["types"] == ["helpdesk.DeadlineWarned.v1", "helpdesk.NoteAdded.v1"]
    assert told["actor"] == {"kind": "rule", "id": str(rule), "name": "Hurry", "version": 4}


@requirement("A13.08", "A19.02")
def test_a_move_out_of_sight_sends_gone_and_nothing_else() -> None:
    change = shown(moved())
    assert view(change, HR_AGENT) is View.GONE
    assert orjson.loads(data(change, View.GONE)) == {"id": str(TICKET), "gone": True}
    assert view(change, BOTH) is View.AGENT
    assert view(change, IT_AGENT) is View.AGENT_WITHOUT_FORMER_QUEUE
    assert view(change, STRANGER) is None
    assert orjson.loads(data(change, View.AGENT))["was_queue"]["slug"] == "hr"
    assert orjson.loads(data(change, View.AGENT_WITHOUT_FORMER_QUEUE))["was_queue"] is None
    assert view(shown(happened("TagsAdded")), HR_AGENT) is None  # nothing for later changes


@requirement("A13.08")
def test_another_customer_loses_and_gains_the_ticket() -> None:
    change = shown(
        happened(CUSTOMER_CHANGED, was={"id": str(PER), "email": "x", "company": "acme"}), customer=PIA, company=None
    )
    assert view(change, CUSTOMER) is View.GONE
    assert view(change, STRANGER) is View.CUSTOMER  # the new one
    assert view(change, COLLEAGUE) is None  # the same person, if the company let them see it before
    assert orjson.loads(data(change, View.CUSTOMER))["types"] == []


@requirement("A13.08")
def test_a_removed_ticket_is_gone_for_everybody_but_administrators() -> None:
    change = shown(happened(REMOVED), removed=True)
    assert [view(change, each) for each in (IT_AGENT, CUSTOMER, COLLEAGUE)] == [View.GONE] * 3
    assert [view(change, each) for each in (HR_AGENT, STRANGER)] == [None] * 2
    assert view(change, ADMIN) is View.AGENT


def test_the_versions_are_those_of_the_last_event() -> None:
    change = shown(happened("TagsAdded", version=4), happened("TagsAdded", version=5))
    told = orjson.loads(data(change, View.AGENT))
    assert told["versions"] == {"intake": 1, "routing": 5}
    assert told["types"] == ["helpdesk.TagsAdded.v1"] * 2


def test_an_event_of_a_later_version_hides_nothing() -> None:
    assert view(shown(happened(MOVED, was="somewhere")), IT_AGENT) is View.AGENT
    assert view(shown(happened(CUSTOMER_CHANGED)), IT_AGENT) is View.AGENT


members = st.lists(
    st.builds(
        Member, person=st.sampled_from((PER, PIA)), rights=st.lists(st.sampled_from(RIGHTS), unique=True).map(tuple)
    ),
    max_size=3,
).map(tuple)


@requirement("A19.01", "A19.02")
@given(
    st.tuples(members, members),
    st.sampled_from(((), ("agent",), ("customer",), ("admin",), ("agent", "customer"))),
    st.sampled_from((None, "acme")),
    st.builds(
        Facts, st.sampled_from((IT, HR, TICKET)), st.sampled_from((PER, PIA, IT)), st.sampled_from((None, "acme")),
        st.booleans(),
    ),
)  # fmt: skip
def test_the_sight_of_a_stream_is_the_rule_of_access(
    each: tuple[tuple[Member, ...], tuple[Member, ...]], roles: tuple[str, ...], company: str | None, ticket: Facts
) -> None:
    who = Identity(
        person_id=PER,
        kind="agent",
        login="x",
        name="X",
        email="x@y.example",
        roles=roles,
        company=company,
        known_as=(IT,),
    )
    queues = Queues(
        by_id={
            queue: Queue(id=queue, slug=f"q{n}", name="Q", address=None, members=each[n])
            for n, queue in enumerate((IT, HR))
        }
    )
    sight = Rights(queues).sight(who)
    inside = each[(IT, HR).index(ticket.queue)] if ticket.queue in queues.by_id else ()
    facts = TicketFacts(members=inside, customer=ticket.customer, company=ticket.company)
    allowed = may(who, "read", facts) is Access.ALLOWED and (not ticket.removed or who.is_admin)
    assert (sight.as_agent(ticket) or sight.as_customer(ticket)) == allowed
    as_agent = may(who, "read", TicketFacts(members=inside)) is Access.ALLOWED
    assert sight.as_agent(ticket) == (as_agent and (not ticket.removed or who.is_admin))
    assert set(scope(who, queues).queues) == set(sight.queues)


places = st.builds(
    Place, st.just(UUID(int=1)), st.tuples(*[st.integers(0, 3)] * 12), st.integers(0, 2), st.integers(0, 2)
)


@given(places, places)
def test_a_reader_at_the_further_place_has_both(one: Place, other: Place) -> None:
    both = further(one, other)
    assert covers(both, one) and covers(both, other)
    assert both == further(other, one)
    assert covers(one, other) == (further(one, other) == one)
