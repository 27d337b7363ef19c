"""When the customer is told that their ticket is closed (A5.14, A10.03)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.notify.policies import Policies
from services.notify.ticket.commands import RequestClosing
from shared.contracts.directory import Person, Queue
from shared.contracts.notify import NotificationRequested, NotificationSuppressed
from shared.contracts.parts import Address, CustomerRef
from shared.contracts.routing import StateChanged
from shared.rules.states import CLOSED_SUCCESSFUL, CLOSED_UNSUCCESSFUL, OPEN, PENDING_AUTO_CLOSE
from tests.specs.notify.tickets import (
    FIRST,
    IT_QUEUE,
    KARI,
    NUMBER,
    PER,
    TITLE,
    given,
    knowing,
    mail,
    policies,
    recorded,
)
from tests.specs.requirement import requirement

TELLING = IT_QUEUE.model_copy(update={"tells_when_closed": True})
BY_KARI = StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN, by=KARI)
DUE = datetime(2026, 11, 24, 8, tzinfo=UTC)
BY_TIME = StateChanged(to=CLOSED_SUCCESSFUL, was=PENDING_AUTO_CLOSE, due_at=DUE, fired_at=DUE)


def closing(changed: StateChanged = BY_KARI, *queues: Queue, **ticket: Any) -> list[RequestClosing]:
    known: dict[str, Any] = {"customer": PER, "message_id": FIRST, "proven": True, **ticket}
    return told(knowing(*(queues or (TELLING,)), **known), changed)


def told(made: Policies, changed: StateChanged) -> list[RequestClosing]:
    return made.to_customers.a_closing_is_told(changed, recorded(changed))


@requirement("A5.14", "A10.03")
@pytest.mark.parametrize("changed", [BY_KARI, BY_TIME, BY_KARI.model_copy(update={"to": CLOSED_UNSUCCESSFUL})])
def test_the_customer_is_told_that_the_ticket_is_closed(changed: StateChanged) -> None:
    (one,) = closing(changed)
    assert one.mail.to == (Address(email=PER.email, name=PER.name),)
    assert one.mail.subject == f"Re: [Ticket#{NUMBER}] {TITLE}"
    assert (one.mail.in_reply_to, one.mail.references) == (FIRST, (FIRST,))
    assert one.mail.auto_submitted == "auto-generated"
    for words in ("Hello Per Hansen,", NUMBER, TITLE, "is closed", "reply to this mail", "IT support"):
        assert words in one.mail.text
    assert "unknown" not in one.mail.text


def test_the_notice_to_an_unproven_customer_contains_nothing_they_wrote() -> None:
    (one,) = closing(proven=False)
    assert one.mail.to == (Address(email=PER.email),)
    assert one.mail.subject == f"[Ticket#{NUMBER}] Your request is closed"
    assert PER.name not in one.mail.text
    assert TITLE not in one.mail.text
    assert one.mail.text.startswith(f"Hello,\n\nYour request {NUMBER} is closed.\n\nIf something")


def test_the_notice_goes_to_the_customers_reply_address() -> None:
    elsewhere = Address(email="per@home.example", name="Per at home")
    (one,) = closing(answers_to=(elsewhere,))
    assert one.mail.to == (elsewhere,)


@requirement("A5.14")
def test_a_queue_without_closing_notices_sends_none() -> None:
    assert closing(BY_KARI, IT_QUEUE) == []


@requirement("A10.03")
def test_a_reply_that_closes_the_ticket_needs_no_notice() -> None:
    assert closing(BY_KARI.model_copy(update={"answer": UUID(int=101)})) == []


def test_a_customer_who_closes_the_ticket_gets_no_notice() -> None:
    assert closing(StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN)) == []


@pytest.mark.parametrize(
    "changed",
    [
        BY_KARI.model_copy(update={"was": CLOSED_UNSUCCESSFUL}),
        BY_KARI.model_copy(update={"undoes": UUID(int=7)}),
        StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL, by=KARI),
        StateChanged(to=PENDING_AUTO_CLOSE, was=OPEN, by=KARI),
    ],
)
def test_other_changes_of_state_lead_to_no_notice(changed: StateChanged) -> None:
    assert closing(changed) == []


def test_a_ticket_opened_by_a_machine_gets_no_closing_notice() -> None:
    assert closing(by_machine=True) == []


def test_a_ticket_in_a_junk_queue_gets_no_closing_notice() -> None:
    other = Queue(id=UUID(int=12), slug="hr", name="HR", junk_queue="it")
    assert closing(BY_KARI, TELLING, other) == []
    assert len(closing(BY_KARI, TELLING, other.model_copy(update={"junk_queue": "junk"}))) == 1


def test_a_ticket_without_known_customer_gets_no_closing_notice() -> None:
    assert closing(customer=None) == []
    assert told(policies(TELLING), BY_KARI) == []


def test_if_the_queue_rejects_follow_ups_the_notice_says_how_to_open_a_new_ticket() -> None:
    (one,) = closing(BY_KARI, TELLING.model_copy(update={"follow_up": "reject"}))
    assert "write a new mail to it@help.example.org" in one.mail.text
    assert "reply" not in one.mail.text


def test_a_notice_to_a_customer_without_address_is_suppressed() -> None:
    (one,) = closing(customer=CustomerRef(id=PER.id, email="", name="Per"))
    given().when(one).then(
        NotificationSuppressed(
            kind="closed", article=one.notification, reason="the customer has no usable mail address"
        )
    )


def test_each_closing_leads_to_one_notice() -> None:
    command = RequestClosing(UUID(int=8), mail())
    requested = NotificationRequested(notification=UUID(int=8), kind="closed", article=UUID(int=8), mail=mail())
    given().when(command).then(requested)
    given(requested).when(command).then()
    assert given(requested).when(RequestClosing(UUID(int=9), mail())).events != ()


def test_machines_get_no_closing_notice() -> None:
    given().when(RequestClosing(UUID(int=8), mail("noreply@shop.example"))).then(
        NotificationSuppressed(kind="closed", article=UUID(int=8), reason="the address belongs to a machine")
    )


def test_the_notice_goes_to_the_customers_current_address() -> None:
    record = Person(id=UUID(int=71), login="per", name="Per Dahl", email="per@new.example", roles=("customer",))
    made = knowing(TELLING, customer=PER, message_id=FIRST, proven=True)
    made.inputs.people[PER.id] = record  # under the id that he had before there was a record
    (one,) = told(made, BY_KARI)
    assert one.mail.to == (Address(email="per@new.example", name="Per Dahl"),)
    assert "Hello Per Dahl," in one.mail.text
