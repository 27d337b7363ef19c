from uuid import UUID

import pytest

from services.notify.ticket.commands import RequestAgentMail, RequestReceipt
from shared.contracts.directory import Queue, Salutation, Signature
from shared.contracts.event import Event
from shared.contracts.parts import Address, Attachment, Blob, CustomerRef, Message, TicketRef
from shared.contracts.routing import NoteAdded
from shared.rules import message_ids
from tests.specs.notify.tickets import (
    FIRST,
    IT_QUEUE,
    KARI,
    KEY,
    NUMBER,
    PER,
    TICKET,
    TITLE,
    knowing,
    opened,
    policies,
    recorded,
    replied,
)
from tests.specs.requirement import requirement


def receipt(payload: Event, *documents: Queue) -> RequestReceipt:
    (command,) = policies(*documents).react(recorded(payload))
    assert isinstance(command, RequestReceipt)
    return command


def answer(payload: Event, *documents: Queue) -> RequestAgentMail:
    (command,) = policies(*documents).react(recorded(payload))
    assert isinstance(command, RequestAgentMail)
    assert command.kind == "answer"
    return command


@requirement("A2.08", "A2.10", "A8.05")
def test_a_receipt_names_the_number_comes_from_the_queue_and_replies_to_the_mail() -> None:
    mail = receipt(opened(proven=True), IT_QUEUE).mail
    assert mail.subject == f"Re: [Ticket#{NUMBER}] {TITLE}"
    assert mail.sender == Address(email="it@help.example.org", name="IT desk")
    assert mail.to == (Address(email=PER.email, name=PER.name),)
    assert mail.auto_submitted == "auto-replied"
    assert mail.in_reply_to == FIRST
    assert mail.references == (FIRST,)
    for words in ("Hello Per Hansen,", "IT support", NUMBER, TITLE):
        assert words in mail.text
    assert "unknown" not in mail.text


@requirement("A2.08", "A2.10")
def test_a_receipt_to_an_unproven_sender_contains_nothing_they_wrote() -> None:
    forged = opened(
        title="Cheap at https://shop.example",
        customer=PER.model_copy(update={"name": "Win at https://shop.example"}),
        message=Message(id=UUID(int=100), channel="email", text="Buy at https://shop.example", message_id=FIRST),
    )
    mail = receipt(forged, IT_QUEUE).mail
    assert mail.subject == f"[Ticket#{NUMBER}] Your request has arrived"
    assert mail.to == (Address(email=PER.email),)
    assert "shop.example" not in mail.model_dump_json()
    assert (mail.in_reply_to, mail.references) == (FIRST, (FIRST,))
    assert mail.text.startswith(
        "Hello,\n\nThank you for contacting IT support. "
        f"Your request has arrived and got the number {NUMBER}.\n\nWe will look"
    )


def test_a_receipt_goes_to_the_reply_address_unless_that_is_in_doubt() -> None:
    elsewhere = Address(email="per@home.example", name="Per at home")
    wish = Message(id=UUID(int=100), channel="email", reply_to=(elsewhere,), message_id=FIRST)
    assert receipt(opened(message=wish, proven=True), IT_QUEUE).mail.to == (elsewhere,)
    doubted = wish.model_copy(update={"reply_to_doubt": "other_domain"})
    assert receipt(opened(message=doubted, proven=True), IT_QUEUE).mail.to == (Address(email=PER.email, name=PER.name),)


def test_a_ticket_opened_without_receipt_gets_none() -> None:
    assert policies(IT_QUEUE).react(recorded(opened(receipt=False, channel="phone", opened_by=KARI))) == []


def test_the_message_id_follows_from_the_event_and_names_the_ticket() -> None:
    one, two = receipt(opened(), IT_QUEUE), receipt(opened(), IT_QUEUE)
    assert one.notification == two.notification
    assert one.mail.message_id == two.mail.message_id
    assert message_ids.tickets_named(KEY, one.mail.message_id) == [TICKET]
    (other,) = policies(IT_QUEUE).react(recorded(opened(), event_id=501))
    assert isinstance(other, RequestReceipt)
    assert other.notification != one.notification


def test_the_request_for_a_receipt_names_our_own_addresses() -> None:
    assert receipt(opened(), IT_QUEUE).own_addresses == {"it@help.example.org"}


@requirement("A2.07", "A8.02", "A8.03", "A8.04", "A8.05")
def test_an_answer_has_subject_sender_thread_salutation_and_signature() -> None:
    command = answer(replied(), IT_QUEUE)
    assert command.article == UUID(int=101)
    assert command.mail.subject == f"Re: [Ticket#{NUMBER}] {TITLE}"
    assert command.mail.sender == Address(email="it@help.example.org", name="IT desk")
    assert command.mail.auto_submitted is None
    assert command.mail.references == (FIRST, "<second@customer.example>")
    assert command.mail.in_reply_to == "<second@customer.example>"
    assert command.mail.text == (
        "Hei Per Hansen,\n\nPlease send us the serial number.\n\nVennlig hilsen\nKari\nIT support\n"
    )


def test_a_subject_of_the_agents_own_gets_the_token_too() -> None:
    words = replied().message.model_copy(update={"subject": "Your printer"})
    assert answer(replied(message=words), IT_QUEUE).mail.subject == f"Re: [Ticket#{NUMBER}] Your printer"
    words = words.model_copy(update={"subject": f"AW: [Ticket#{NUMBER}] Your printer"})
    assert answer(replied(message=words), IT_QUEUE).mail.subject == f"AW: [Ticket#{NUMBER}] Your printer"


def test_a_nameless_customer_is_greeted_by_address() -> None:
    nameless = CustomerRef(id=PER.id, email=PER.email)
    assert answer(replied(customer=nameless), IT_QUEUE).mail.text.startswith("Hei per@customer.example,")


def test_an_unknown_queue_is_named_as_in_the_event() -> None:
    mail = answer(replied()).mail
    assert mail.sender == Address(email="postmaster@help.example.org", name="IT support")
    assert mail.text == "Please send us the serial number.\n"


def test_a_queue_without_address_uses_the_default_queues_address() -> None:
    default = Queue(id=UUID(int=11), slug="postmaster", name="Postmaster", address="hello@help.example.org")
    silent = IT_QUEUE.model_copy(update={"address": None})
    assert answer(replied(), silent, default).mail.sender == Address(email="hello@help.example.org", name="IT desk")


def test_a_queue_that_the_copy_lacks_is_used() -> None:
    made = policies()
    made.inputs.queues[IT_QUEUE.id] = IT_QUEUE
    (command,) = made.react(recorded(replied()))
    assert isinstance(command, RequestAgentMail)
    assert command.mail.sender.email == "it@help.example.org"


def test_an_agents_mail_ticket_sends_its_text() -> None:
    words = Message(
        id=UUID(int=100), channel="email", to=(Address(email=PER.email),), subject=TITLE, text="Your order has come."
    )
    mail = answer(opened(receipt=False, channel="email", opened_by=KARI, message=words), IT_QUEUE).mail
    assert mail.subject == f"[Ticket#{NUMBER}] {TITLE}"
    assert mail.auto_submitted is None
    assert mail.in_reply_to is None
    assert mail.text == "Hei Per Hansen,\n\nYour order has come.\n\nVennlig hilsen\nKari\nIT support\n"


def test_a_text_that_does_not_fit_into_the_event_is_attached() -> None:
    blob = Blob(sha256="0" * 64, size=100_000, type="text/plain; charset=utf-8")
    words = replied().message.model_copy(update={"text": "The beginning", "text_blob": blob})
    mail = answer(replied(message=words), IT_QUEUE).mail
    assert "The beginning\n\n[The whole text is in the attached file.]" in mail.text
    assert [a.blob for a in mail.attachments] == [blob]


def test_a_split_ticket_sends_no_mail() -> None:
    """The text is the customer's own, although an agent opened the ticket and its channel is email."""
    made = opened(receipt=False, opened_by=KARI, split_from=TicketRef(id=UUID(int=41), number="2026112310000008"))
    assert policies(IT_QUEUE).react(recorded(made)) == []


@requirement("A8.03", "A8.04")
def test_a_salutation_or_signature_may_name_a_document() -> None:
    named = IT_QUEUE.model_copy(update={"salutation": "formal", "signature": " it-team\n"})
    made = knowing(
        named,
        salutations=[Salutation(id=UUID(int=1), slug="formal", name="Formal", text="Dear {{ customer.name }},")],
        signatures=[Signature(id=UUID(int=2), slug="it-team", name="IT", text="{{ agent.name }}, {{ queue.name }}")],
    )
    (command,) = made.react(recorded(replied()))
    assert isinstance(command, RequestAgentMail)
    assert command.mail.text == "Dear Per Hansen,\n\nPlease send us the serial number.\n\nKari, IT support\n"
    assert answer(replied(), named).mail.text == "formal\n\nPlease send us the serial number.\n\n it-team\n"


@requirement("A7.06", "A8.02")
def test_a_reply_in_rich_text_has_plain_text_too() -> None:
    rich = replied().message.model_copy(update={"html": "<p>Please send us the <b>serial</b> number.</p>"})
    rude = PER.model_copy(update={"name": "<b>Per</b> & co"})
    mail = answer(replied(message=rich, customer=rude), IT_QUEUE).mail
    assert mail.text.startswith("Hei <b>Per</b> & co,\n\nPlease send us the serial number.\n\nVennlig hilsen\nKari")
    assert mail.html == (
        "<p>Hei &lt;b&gt;Per&lt;/b&gt; &amp; co,</p>\n"
        "<p>Please send us the <b>serial</b> number.</p>\n"
        "<p>Vennlig hilsen<br>\nKari<br>\nIT support</p>"
    )
    assert answer(replied(), IT_QUEUE).mail.html is None


@requirement("A7.06")
def test_a_reply_goes_to_the_recipients_that_the_agent_named() -> None:
    to, cc, bcc = ((Address(email=f"{name}@x.example"),) for name in ("to", "cc", "bcc"))
    mail = answer(replied(message=replied().message.model_copy(update={"to": to, "cc": cc, "bcc": bcc})), IT_QUEUE).mail
    assert (mail.to, mail.cc, mail.bcc) == (to, cc, bcc)
    mail = answer(replied(message=replied().message.model_copy(update={"to": ()})), IT_QUEUE).mail
    assert mail.to == (Address(email=PER.email, name=PER.name),)


def test_attachments_are_sent() -> None:
    file = Attachment(id=UUID(int=3), name="a.pdf", blob=Blob(sha256="1" * 64, size=3, type="application/pdf"))
    words = replied().message.model_copy(update={"attachments": (file,)})
    assert answer(replied(message=words), IT_QUEUE).mail.attachments == (file,)


def test_a_broken_template_does_not_stop_a_reply() -> None:
    broken = IT_QUEUE.model_copy(
        update={"salutation": "Hei {{ customer.name", "signature": "{% for i in range(10**9) %}x{% endfor %}"}
    )
    text = answer(replied(), broken).mail.text
    assert "Please send us the serial number." in text
    assert "[template not usable: " in text


@pytest.mark.parametrize(
    "payload", [NoteAdded(by=KARI, message=Message(id=UUID(int=1), channel="note", text="inside"))]
)
def test_other_events_lead_to_no_mail(payload: Event) -> None:
    assert policies(IT_QUEUE).react(recorded(payload)) == []
