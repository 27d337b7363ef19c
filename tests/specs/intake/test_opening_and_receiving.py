from dataclasses import replace
from uuid import UUID

import pytest

from services.intake.ticket.commands import ReceiveMessage
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.parts import Channel, PersonRef, TicketRef
from tests.specs.intake.reception import KARI, NOBODY, NUMBER, PER, WORDS, given, opened, opening
from tests.specs.requirement import requirement


@requirement("A1.01", "A2.01", "A2.10")
def test_a_mail_opens_a_ticket_and_gets_a_receipt() -> None:
    given().when(opening("email")).then(opened("email", receipt=True))


@requirement("A2.10")
@pytest.mark.parametrize(
    ("channel", "by", "receipt"),
    [
        ("web", None, True),
        ("api", None, True),
        ("web", KARI, True),
        ("phone", KARI, False),
        ("email", KARI, False),
        ("api", KARI, False),
    ],
)
def test_customers_who_wrote_themselves_get_a_receipt_and_callers_do_not(
    channel: Channel, by: PersonRef | None, receipt: bool
) -> None:
    given().when(opening(channel, by=by)).then(opened(channel, by=by, receipt=receipt))


def test_an_automatic_mail_gets_no_automatic_reply() -> None:
    given().when(opening("email", automatic=True)).then(opened("email", receipt=False))


def test_a_customer_without_an_address_gets_no_receipt() -> None:
    given().when(opening("email", customer=NOBODY)).then(opened("email", customer=NOBODY, receipt=False))


def test_a_ticket_is_opened_once() -> None:
    given(opened()).when(opening()).refused(f"Ticket {NUMBER} exists already.")


@requirement("A2.12", "A2.08")
def test_a_further_message_is_received_on_the_ticket() -> None:
    received = CustomerMessageReceived(number=NUMBER, customer=PER, message=WORDS, threaded_by="subject")
    given(opened()).when(ReceiveMessage(PER, WORDS, "subject")).then(received)


def test_a_message_to_a_ticket_that_is_not_open_is_refused() -> None:
    given().when(ReceiveMessage(PER, WORDS)).refused("No such ticket.")


@requirement("A5.08")
def test_a_customer_may_close_with_their_message() -> None:
    received = CustomerMessageReceived(number=NUMBER, customer=PER, message=WORDS, closes=True)
    given(opened()).when(ReceiveMessage(PER, WORDS, closes=True)).then(received)


@requirement("A7.16", "A1.27")
def test_what_an_agent_has_split_off_is_a_ticket_without_a_receipt() -> None:
    origin = TicketRef(id=UUID(int=41), number="2026112310000027", title="My chair squeaks too")
    split = replace(opening(by=KARI), split_from=origin)
    given().when(split).then(opened(by=KARI, receipt=False).model_copy(update={"split_from": origin}))
    given(opened()).when(split).refused("exists already")


@requirement("A5.10", "A2.10")
@pytest.mark.parametrize("forbids_answers", [True, False])
def test_a_message_that_came_too_late_for_its_ticket_gets_a_receipt_of_its_own(forbids_answers: bool) -> None:
    origin = TicketRef(id=UUID(int=41), number="2026112310000027", title="My chair squeaks")
    late = replace(opening("email", automatic=forbids_answers), split_from=origin)
    expected = opened("email", receipt=not forbids_answers).model_copy(update={"split_from": origin})
    given().when(late).then(expected)
