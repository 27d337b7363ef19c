from uuid import UUID

import pytest

from services.notify.ticket.commands import RecordDelayed, RecordFailed, RecordSent, RequestAgentMail, RequestReceipt
from shared.contracts.notify import (
    NotificationDelayed,
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
)
from shared.contracts.parts import Address
from tests.specs.notify.tickets import given, mail
from tests.specs.requirement import requirement

RECEIPT, ANSWER, ARTICLE = UUID(int=7), UUID(int=8), UUID(int=101)
RECEIPT_REQUESTED = NotificationRequested(notification=RECEIPT, kind="receipt", article=RECEIPT, mail=mail())
ANSWER_REQUESTED = NotificationRequested(notification=ANSWER, kind="answer", article=ARTICLE, mail=mail())
SENT = NotificationSent(notification=RECEIPT, transport="smtp", attempts=1)


@requirement("A2.10", "A2.11")
def test_an_opened_ticket_is_acknowledged_with_an_article_of_its_own() -> None:
    given().when(RequestReceipt(RECEIPT, mail())).then(RECEIPT_REQUESTED)


def test_a_ticket_has_one_receipt_however_often_it_is_requested() -> None:
    given(RECEIPT_REQUESTED).when(RequestReceipt(RECEIPT, mail())).then()
    given(RECEIPT_REQUESTED, SENT).when(RequestReceipt(UUID(int=9), mail())).then()


def test_a_receipt_that_was_suppressed_is_not_decided_again() -> None:
    suppressed = NotificationSuppressed(kind="receipt", article=RECEIPT, reason="the address belongs to a machine")
    given(suppressed).when(RequestReceipt(RECEIPT, mail())).then()


@pytest.mark.parametrize(
    "address",
    ["noreply@shop.example", "no-reply@shop.example", "do_not_reply+7@shop.example", "MAILER-DAEMON@mx.example",
     "bounce-1@x.example", "bounces+per=customer.example@x.example", "owner-list@x.example", "list-request@x.example"],
)  # fmt: skip
def test_machines_get_no_receipt(address: str) -> None:
    given().when(RequestReceipt(RECEIPT, mail(address))).then(
        NotificationSuppressed(kind="receipt", article=RECEIPT, reason="the address belongs to a machine")
    )


@pytest.mark.parametrize(
    "address", ["nora.reply@x.example", "bouncer@x.example", "owner@x.example", "requests@x.example"]
)
def test_similar_addresses_of_people_get_a_receipt(address: str) -> None:
    given().when(RequestReceipt(RECEIPT, mail(address))).then(
        NotificationRequested(notification=RECEIPT, kind="receipt", article=RECEIPT, mail=mail(address))
    )


def test_our_own_queues_get_no_receipt() -> None:
    command = RequestReceipt(RECEIPT, mail("HR@help.example.org"), frozenset(("hr@help.example.org",)))
    given().when(command).then(
        NotificationSuppressed(kind="receipt", article=RECEIPT, reason="the address is one of our own queues")
    )


@pytest.mark.parametrize(
    "address", ["", "per", "per@", "@x.example", "a b@x.example", "a@x..example", "a@-x.example", "a\r\n@x.example"]
)
def test_an_invalid_address_gets_no_receipt(address: str) -> None:
    given().when(RequestReceipt(RECEIPT, mail(address))).then(
        NotificationSuppressed(kind="receipt", article=RECEIPT, reason="the customer has no usable mail address")
    )


def test_a_customer_without_address_gets_no_receipt() -> None:
    given().when(RequestReceipt(RECEIPT, mail(to=()))).then(
        NotificationSuppressed(kind="receipt", article=RECEIPT, reason="the customer has no usable mail address")
    )


@requirement("A10.03")
def test_an_agents_reply_is_requested_once() -> None:
    command = RequestAgentMail("answer", ANSWER, ARTICLE, mail())
    given(RECEIPT_REQUESTED).when(command).then(ANSWER_REQUESTED)
    given(RECEIPT_REQUESTED, ANSWER_REQUESTED).when(command).then()


def test_a_reply_goes_to_valid_addresses_only() -> None:
    good, bad = Address(email="per@customer.example"), Address(email="per at customer")
    decided = given().when(RequestAgentMail("answer", ANSWER, ARTICLE, mail(to=(bad, good), cc=(bad,))))
    (requested,) = decided.events
    assert isinstance(requested, NotificationRequested)
    assert requested.mail.to == (good,)
    assert requested.mail.cc == ()


def test_a_reply_without_valid_address_is_suppressed() -> None:
    given().when(RequestAgentMail("answer", ANSWER, ARTICLE, mail("nobody"))).then(
        NotificationSuppressed(kind="answer", article=ARTICLE, reason="there is no usable mail address")
    )


def test_a_sent_mail_is_recorded_once() -> None:
    given(RECEIPT_REQUESTED).when(RecordSent(RECEIPT, "smtp", 1)).then(SENT)
    given(RECEIPT_REQUESTED, SENT).when(RecordSent(RECEIPT, "smtp", 2)).then()


def test_a_failed_mail_is_recorded_with_its_reason() -> None:
    given(RECEIPT_REQUESTED).when(RecordFailed(RECEIPT, "smtp", 3, "550 no such user")).then(
        NotificationFailed(notification=RECEIPT, transport="smtp", attempts=3, reason="550 no such user")
    )


def test_a_failure_after_a_success_changes_nothing() -> None:
    given(RECEIPT_REQUESTED, SENT).when(RecordFailed(RECEIPT, "smtp", 3, "550 no such user")).then()


def test_an_outcome_of_an_unknown_notification_is_rejected() -> None:
    given(RECEIPT_REQUESTED).when(RecordSent(ANSWER, "smtp", 1)).refused("never requested")


def test_a_delay_is_recorded_once_and_not_after_the_outcome() -> None:
    late = RecordDelayed(RECEIPT, "smtp", 6, "451 try later")
    told = NotificationDelayed(notification=RECEIPT, transport="smtp", attempts=6, reason="451 try later")
    given(RECEIPT_REQUESTED).when(late).then(told)
    given(RECEIPT_REQUESTED, told).when(late).then()
    given(RECEIPT_REQUESTED, told).when(RecordSent(RECEIPT, "smtp", 1)).then(SENT)
    given(RECEIPT_REQUESTED, SENT).when(late).then()
