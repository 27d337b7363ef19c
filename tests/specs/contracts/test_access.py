from uuid import UUID

import pytest

from shared.contracts.directory import Member, Right
from shared.rules.access import Access, Identity, TicketFacts, may
from tests.specs.requirement import requirement

KARI, NILS, PER, UNKNOWN = (UUID(int=n) for n in (1, 2, 3, 4))
FULL: tuple[Right, ...] = ("read", "create", "move_into", "note", "work")


def person(number: UUID, *roles: str, company: str | None = None, known_as: tuple[UUID, ...] = ()) -> Identity:
    kind = "admin" if "admin" in roles else "agent" if "agent" in roles else "customer"
    return Identity(
        person_id=number,
        kind=kind,
        login="x",
        name="X",
        email="x@help.example.org",
        roles=roles,
        company=company,
        known_as=known_as,
    )


TICKET = TicketFacts(members=(Member(person=KARI, rights=FULL),), customer=PER, company="acme")


@requirement("A19.02", "A3.03")
@pytest.mark.parametrize("action", ["read", "note", "reply", "lock", "close"])
def test_an_agent_works_on_the_queues_they_belong_to_and_sees_no_other(action: str) -> None:
    assert may(person(KARI, "agent"), action, TICKET) is Access.ALLOWED
    assert may(person(NILS, "agent"), action, TICKET) is Access.HIDDEN


def test_a_right_without_read_shows_nothing() -> None:
    blind = TicketFacts(members=(Member(person=KARI, rights=("move_into",)),), customer=PER)
    assert may(person(KARI, "agent"), "read", blind) is Access.HIDDEN


def test_a_reader_may_not_work() -> None:
    reader = TicketFacts(members=(Member(person=KARI, rights=("read", "note")),))
    assert may(person(KARI, "agent"), "note", reader) is Access.ALLOWED
    assert may(person(KARI, "agent"), "reply", reader) is Access.FORBIDDEN


@requirement("A19.03")
def test_a_customer_sees_their_own_and_their_companys_tickets() -> None:
    assert may(person(PER, "customer"), "read", TICKET) is Access.ALLOWED
    assert may(person(NILS, "customer", company="acme"), "message", TICKET) is Access.ALLOWED
    assert may(person(NILS, "customer"), "read", TICKET) is Access.HIDDEN


def test_a_customer_never_uses_the_desk() -> None:
    assert may(person(NILS, "customer", company="acme"), "lock", TICKET) is Access.FORBIDDEN


def test_membership_counts_for_agents_only() -> None:
    assert may(person(KARI, "customer"), "read", TICKET) is Access.HIDDEN


@requirement("A19.03")
def test_tickets_from_before_a_persons_record_belong_to_them() -> None:
    asked = TicketFacts(customer=UNKNOWN)
    assert may(person(NILS, "customer", known_as=(UNKNOWN,)), "read", asked) is Access.ALLOWED
    assert may(person(NILS, "customer", known_as=(PER,)), "read", asked) is Access.HIDDEN


def test_a_ticket_without_a_customer_is_hidden_from_customers() -> None:
    assert may(person(NILS, "customer"), "read", TicketFacts()) is Access.HIDDEN


@requirement("A19.01")
def test_an_administrator_may_do_everything_but_what_does_not_exist() -> None:
    assert may(person(NILS, "admin"), "close", TICKET) is Access.ALLOWED
    assert may(person(NILS, "admin"), "explode", TICKET) is Access.FORBIDDEN
