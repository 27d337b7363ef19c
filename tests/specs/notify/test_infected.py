"""Attachments in which a virus scanner found malware are not sent."""

from uuid import UUID

import pytest

from services.notify.ticket.commands import RequestAgentMail
from shared.contracts.event import Event
from shared.contracts.parts import Attachment, Blob
from tests.specs.notify.tickets import IT_QUEUE, QUESTION, bounced, forwarded, policies, recorded, replied

BLOB = Blob(sha256="0" * 64, size=10, type="application/octet-stream")
RAW = Blob(sha256="1" * 64, size=10, type="message/rfc822")
CLEAN = Attachment(id=UUID(int=301), name="bill.pdf", blob=BLOB, scan="clean")
UNKNOWN = Attachment(id=UUID(int=302), name="old.pdf", blob=BLOB, scan="not_scanned")
INFECTED = Attachment(id=UUID(int=303), name="bill.exe", blob=BLOB, scan="infected", threat="Eicar-Signature")
ORIGINAL = QUESTION.model_copy(update={"attachments": (CLEAN, UNKNOWN, INFECTED)})


@pytest.mark.parametrize(
    "payload",
    [
        forwarded(original=ORIGINAL),
        replied(message=ORIGINAL),
        bounced(original=ORIGINAL),
        bounced(original=ORIGINAL, raw=RAW),
    ],
)
def test_infected_attachments_are_not_sent(payload: Event) -> None:
    (command,) = policies(IT_QUEUE).react(recorded(payload))
    assert isinstance(command, RequestAgentMail)
    assert [each.id for each in command.mail.attachments] == [CLEAN.id, UNKNOWN.id]
    assert command.mail.resent is None


def test_a_mail_without_malware_is_resent_as_it_came() -> None:
    harmless = ORIGINAL.model_copy(update={"attachments": (CLEAN, UNKNOWN)})
    (command,) = policies(IT_QUEUE).react(recorded(bounced(original=harmless, raw=RAW)))
    assert isinstance(command, RequestAgentMail)
    assert command.mail.resent == RAW
