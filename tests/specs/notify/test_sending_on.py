"""Articles that are sent to outsiders: forwarded with an agent's words, or bounced as they came in."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.notify.ticket.commands import RequestAgentMail
from services.notify.writing.mail_body import LONGEST_HTML
from shared.contracts.event import Event
from shared.contracts.notify import LeftOut, NotificationRequested, NotificationSuppressed
from shared.contracts.parts import Address, Attachment, Blob, Message
from shared.rules import message_ids
from tests.specs.notify.tickets import (
    FIRST,
    IT_QUEUE,
    KEY,
    NUMBER,
    QUESTION,
    TICKET,
    TITLE,
    bounced,
    forwarded,
    given,
    knowing,
    mail,
    policies,
    recorded,
)
from tests.specs.requirement import requirement

NOTIFICATION, ARTICLE = UUID(int=8), UUID(int=102)
OURS = frozenset(("it@help.example.org", "hr@help.example.org"))
RAW = Blob(sha256="9" * 64, size=1234, type="message/rfc822")
PAPER = Attachment(id=UUID(int=3), name="a.pdf", blob=Blob(sha256="1" * 64, size=3, type="application/pdf"))
PICTURE = Attachment(id=UUID(int=4), name="b.png", blob=Blob(sha256="2" * 64, size=3, type="image/png"))


def forward(payload: Event) -> RequestAgentMail:
    (command,) = policies(IT_QUEUE).react(recorded(payload))
    assert isinstance(command, RequestAgentMail)
    assert command.kind == "forward"
    return command


def bounce(payload: Event) -> RequestAgentMail:
    (command,) = policies(IT_QUEUE).react(recorded(payload))
    assert isinstance(command, RequestAgentMail)
    assert command.kind == "bounce"
    return command


@requirement("A7.14")
def test_a_forward_has_the_agents_words_their_signature_and_the_original_in_a_block() -> None:
    command = forward(forwarded())
    assert command.article == ARTICLE
    assert command.mail.text == (
        "Can you repair this?\n\n"
        "Vennlig hilsen\nKari\nIT support\n\n"
        "---- Forwarded message ----\n"
        "From: Per Hansen <per@customer.example>\n"
        "To: it@help.example.org\n"
        "Date: 23 November 2026, 08:30 UTC\n"
        "Subject: My computer hums\n"
        "\n"
        "Since this morning.\nLoudly.\n"
        "\n"
        "---- End of forwarded message ----\n"
    )
    assert command.mail.to == (Address(email="fix@repair.example"),)
    assert command.mail.html is None


@requirement("A7.14", "A2.08", "A8.05")
def test_a_reply_to_a_forward_comes_back_to_the_ticket() -> None:
    one = forward(forwarded()).mail
    assert one.subject == f"Fwd: [Ticket#{NUMBER}] {TITLE}"
    assert one.sender == Address(email="it@help.example.org", name="IT desk")
    assert message_ids.tickets_named(KEY, one.message_id) == [TICKET]
    assert one.auto_submitted is None


def test_a_forward_refers_to_the_original_and_replies_to_nothing() -> None:
    one = forward(forwarded()).mail
    assert (one.in_reply_to, one.references) == (None, (FIRST,))
    assert forward(forwarded(original=QUESTION.model_copy(update={"message_id": None}))).mail.references == ()


@pytest.mark.parametrize("subject", [f"Fwd: [Ticket#{NUMBER}] x", f"[Ticket#{NUMBER}] x", "x", "FWD: x"])
def test_the_subject_of_a_forward_has_one_prefix(subject: str) -> None:
    message = forwarded().message.model_copy(update={"subject": subject})
    made = forward(forwarded(message=message)).mail.subject
    assert made.lower().count("fwd:") >= 1
    assert not made.lower().startswith("fwd: fwd:")
    assert made.count(NUMBER) == 1


def test_the_originals_date_is_shown_in_the_desks_time_zone() -> None:
    (command,) = knowing(IT_QUEUE, zone="Europe/Oslo").react(recorded(forwarded()))
    assert isinstance(command, RequestAgentMail)
    assert "Date: 23 November 2026, 09:30 CET" in command.mail.text


@pytest.mark.parametrize("year", [1, 9999])
def test_a_date_outside_the_calendar_does_not_stop_a_forward(year: int) -> None:
    odd = QUESTION.model_copy(
        update={"written_at": datetime(year, 12 if year > 1 else 1, 31 if year > 1 else 1, tzinfo=UTC)}
    )
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        (command,) = knowing(IT_QUEUE, zone=zone).react(recorded(forwarded(original=odd)))
        assert isinstance(command, RequestAgentMail)
        assert "Date: " in command.mail.text


def test_unknown_fields_of_the_original_are_left_out() -> None:
    bare = Message(id=UUID(int=100), channel="phone", text="It hums.")
    assert "---- Forwarded message ----\n\nIt hums.\n\n---- End" in forward(forwarded(original=bare)).mail.text


@requirement("A7.14")
def test_files_of_both_messages_are_attached_once_and_long_texts_as_files() -> None:
    long = Blob(sha256="3" * 64, size=100_000, type="text/plain; charset=utf-8")
    message = forwarded().message.model_copy(update={"attachments": (PAPER,)})
    original = QUESTION.model_copy(update={"attachments": (PAPER, PICTURE), "text_blob": long})
    made = forward(forwarded(message=message, original=original)).mail
    assert [each.blob for each in made.attachments] == [PAPER.blob, PICTURE.blob, long]
    assert "Loudly.\n\n[The whole text is in the attached file.]" in made.text


@requirement("A7.14")
def test_a_forward_has_html_if_one_of_the_messages_has() -> None:
    original = QUESTION.model_copy(
        update={
            "html": "<p>Since <b>this</b> morning.</p>",
            "sender": Address(email="per@customer.example", name="<i>Per</i>"),
        }
    )
    html = forward(forwarded(original=original)).mail.html
    assert html is not None
    assert html.startswith(
        "<p>Can you repair this?</p>\n<p>Vennlig hilsen<br>\nKari<br>\nIT support</p>\n<p>---- Forwarded"
    )
    assert "From: &lt;i&gt;Per&lt;/i&gt; &lt;per@customer.example&gt;<br>" in html
    assert '<blockquote type="cite"><p>Since <b>this</b> morning.</p></blockquote>' in html
    message = forwarded().message.model_copy(update={"html": "<p>Can you?</p>"})
    html = forward(forwarded(message=message)).mail.html
    assert html is not None
    assert '<blockquote type="cite"><p>Since this morning.<br>\nLoudly.</p></blockquote>' in html


def test_html_that_does_not_fit_into_the_event_is_left_out() -> None:
    original = QUESTION.model_copy(update={"html": "<p>" + "x" * LONGEST_HTML})
    one = forward(forwarded(original=original)).mail
    assert one.html is None
    assert "Loudly." in one.text


@requirement("A7.15")
def test_a_bounce_is_the_original_mail_resent_by_us() -> None:
    command = bounce(bounced(raw=RAW))
    assert command.article == UUID(int=103)
    assert command.mail.resent == RAW
    assert command.mail.to == (Address(email="house@help.example"),)
    assert command.mail.sender == Address(email="it@help.example.org", name="IT desk")
    assert message_ids.tickets_named(KEY, command.mail.message_id) == [TICKET]
    assert (command.mail.auto_submitted, command.mail.attachments, command.mail.html) == (None, (), None)


@requirement("A7.15")
def test_a_bounced_article_that_was_no_mail_becomes_a_new_mail_with_reply_to_its_writer() -> None:
    original = QUESTION.model_copy(update={"channel": "web", "html": "<p>Since.</p>", "attachments": (PAPER,)})
    one = bounce(bounced(original=original)).mail
    assert one.resent is None
    assert one.subject == f"[Ticket#{NUMBER}] {TITLE}"
    assert (one.text, one.html) == ("Since this morning.\nLoudly.\n", "<p>Since.</p>")
    assert one.attachments == (PAPER,)
    assert one.reply_to == QUESTION.sender
    nobody = QUESTION.model_copy(update={"sender": Address(email="by phone")})
    assert bounce(bounced(original=nobody)).mail.reply_to is None


def test_a_forward_and_a_bounce_are_requested_once() -> None:
    for kind, command in (
        ("forward", RequestAgentMail("forward", NOTIFICATION, ARTICLE, mail())),
        ("bounce", RequestAgentMail("bounce", NOTIFICATION, ARTICLE, mail())),
    ):
        requested = NotificationRequested.model_validate(
            {"notification": NOTIFICATION, "kind": kind, "article": ARTICLE, "mail": mail()}
        )
        given().when(command).then(requested)
        given(requested).when(command).then()


@pytest.mark.parametrize(
    "address", ["HR@help.example.org", "hr+print@help.example.org", "hr@HELP.example.ORG", "it@help.example.org"]
)
def test_nothing_is_forwarded_or_bounced_to_our_own_queues(address: str) -> None:
    """It would come in as the customer's mail, and could be sent on for ever."""
    given().when(RequestAgentMail("bounce", NOTIFICATION, ARTICLE, mail(address), OURS)).then(
        NotificationSuppressed(kind="bounce", article=ARTICLE, reason="the address is one of our own queues")
    )
    both = mail(to=(Address(email=address), Address(email="house@help.example")))
    (requested,) = given().when(RequestAgentMail("forward", NOTIFICATION, ARTICLE, both, OURS)).events
    assert isinstance(requested, NotificationRequested)
    assert requested.mail.to == (Address(email="house@help.example"),)
    assert requested.left_out == (LeftOut(recipient=address, reason="the address is one of our own queues"),)


def test_each_reader_gets_the_mail_once_and_left_out_recipients_are_listed() -> None:
    everybody = mail(
        to=(Address(email="kim@shop.example", name="Kim"), Address(email="no address")),
        cc=(Address(email="KIM@shop.example"), Address(email="ola@blåbær.example")),
        bcc=(Address(email="ola@xn--blbr-roah.example"), Address(email="siv@shop.example")),
    )
    (requested,) = given().when(RequestAgentMail("answer", NOTIFICATION, ARTICLE, everybody, OURS)).events
    assert isinstance(requested, NotificationRequested)
    one = requested.mail
    assert [each.email for each in (*one.to, *one.cc, *one.bcc)] == [
        "kim@shop.example", "ola@blåbær.example", "siv@shop.example",
    ]  # fmt: skip
    assert requested.left_out == (LeftOut(recipient="no address", reason="this is not a valid e-mail address"),)


def test_the_address_of_a_retired_queue_is_still_ours() -> None:
    made = policies(IT_QUEUE)
    made.inputs.queues[UUID(int=12)] = IT_QUEUE.model_copy(update={"id": UUID(int=12), "address": "Old@blåbær.example"})
    (command,) = made.react(recorded(bounced(raw=RAW)))
    assert isinstance(command, RequestAgentMail)
    assert command.own_addresses == {"it@help.example.org", "old@xn--blbr-roah.example"}


def test_a_forward_without_valid_address_is_suppressed() -> None:
    given().when(RequestAgentMail("forward", NOTIFICATION, ARTICLE, mail("nobody"))).then(
        NotificationSuppressed(kind="forward", article=ARTICLE, reason="there is no usable mail address")
    )
