"""Reply addresses: the queue's, or the ticket's own where the mail system delivers tagged addresses."""

from dataclasses import replace

import pytest

from services.notify.policies import Policies
from shared.contracts.event import Event
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address, Blob
from shared.rules import reply_addresses
from tests.specs.notify.tickets import (
    IT_QUEUE,
    KEY,
    TICKET,
    bounced,
    forwarded,
    opened,
    policies,
    recorded,
    rejected,
    replied,
)
from tests.specs.requirement import requirement


def mail(payload: Event, *, reply_tags: bool = True, address: str = "it@help.example.org") -> OutgoingMail:
    queue = IT_QUEUE.model_copy(update={"address": address})
    letterhead = replace(policies(queue).builder, reply_tags=reply_tags)
    (command,) = Policies(letterhead).react(recorded(payload))
    found = command.mail  # type: ignore[union-attr]
    assert isinstance(found, OutgoingMail)
    return found


@requirement("A2.09")
@pytest.mark.parametrize(
    "payload", [opened(), replied(), forwarded(), rejected()], ids=lambda each: type(each).__name__
)
def test_with_reply_tags_replies_go_to_an_address_of_the_ticket(payload: Event) -> None:
    made = mail(payload)
    assert made.reply_to is not None
    assert made.reply_to.name == made.sender.name
    assert made.reply_to.email.startswith("it+")
    assert reply_addresses.ticket_named(KEY, made.reply_to.email) == TICKET
    assert made.sender.email == "it@help.example.org"


def test_without_reply_tags_replies_go_to_the_queue() -> None:
    assert mail(replied(), reply_tags=False).reply_to is None


def test_an_address_without_room_for_a_tag_gets_none() -> None:
    assert mail(replied(), address=f"{'a' * 40}@help.example.org").reply_to is None
    assert mail(replied(), address="it+desk@help.example.org").reply_to is None


def test_replies_to_a_bounced_mail_go_to_its_writer() -> None:
    assert mail(bounced()).reply_to == Address(email="per@customer.example", name="Per Hansen")
    raw = Blob(sha256="0" * 64, size=1, type="message/rfc822")
    assert mail(bounced(raw=raw)).reply_to is None


def test_another_key_makes_another_address() -> None:
    made = mail(replied()).reply_to
    assert made is not None
    assert reply_addresses.ticket_named(b"another key", made.email) is None
