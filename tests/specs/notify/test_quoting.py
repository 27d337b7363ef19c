"""What a reply quotes, and to whom; and subjects of replies."""

from typing import Any

import pytest

from services.notify.policies import Policies
from services.notify.read_models.last_messages import LONGEST_QUOTE, LastMessage
from services.notify.ticket.commands import RequestAgentMail
from services.notify.writing import wording
from shared.addresses import comparable
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address
from tests.specs.notify.tickets import (
    FIRST,
    IT_QUEUE,
    MOMENT,
    NUMBER,
    PER,
    TICKET,
    knowing,
    person,
    policies,
    recorded,
    replied,
)
from tests.specs.requirement import requirement

READERS = frozenset((PER.email, "it@help.example.org", "ida@customer.example"))


def having(words: str = "It hums.\n\nLoudly.", **more: Any) -> Policies:
    made = policies(IT_QUEUE.model_copy(update={"salutation": "", "signature": "Kari"}))
    fields: dict[str, Any] = {"writer": "Per Hansen", "written_at": MOMENT, "readers": READERS, "message_id": FIRST}
    made.inputs.last_messages[TICKET] = LastMessage(words, **{**fields, **more})
    return made


def answer(made: Policies, text: str = "Send it in.", **message: Any) -> OutgoingMail:
    words = replied(text).message.model_copy(update=message)
    (command,) = made.react(recorded(replied(message=words)))
    assert isinstance(command, RequestAgentMail)
    return command.mail


def test_a_reply_quotes_the_message_below_the_signature() -> None:
    assert answer(having()).text == (
        "Send it in.\n\nKari\n\nOn 23 November 2026, 08:30 UTC, Per Hansen wrote:\n> It hums.\n>\n> Loudly.\n"
    )


def test_the_quote_is_in_the_html_too_and_is_escaped() -> None:
    html = answer(having("<b>It</b> hums & hums."), html="<p>Send <i>it</i> in.</p>").html
    assert html is not None
    assert html.endswith(
        "<p>On 23 November 2026, 08:30 UTC, Per Hansen wrote:</p>\n"
        '<blockquote type="cite"><p>&lt;b&gt;It&lt;/b&gt; hums &amp; hums.</p></blockquote>'
    )


def test_a_long_quote_is_cut_and_says_so() -> None:
    lines = answer(having("hum " * LONGEST_QUOTE)).text.splitlines()
    assert lines[-1] == "> [...]"
    assert sum(map(len, lines)) < LONGEST_QUOTE + 200
    assert "[...]" not in answer(having("h" * LONGEST_QUOTE)).text


@pytest.mark.parametrize(
    "more",
    [
        {"to": (Address(email="boss@elsewhere.example"),)},
        {"cc": (Address(email="boss@elsewhere.example"),)},
        {"bcc": (Address(email="boss@elsewhere.example"),)},
        {"text": "As you wrote:\n> It hums.\nSend it in."},
        {"html": "<blockquote>It hums.</blockquote><p>Send it in.</p>"},
    ],
)
def test_nothing_is_quoted_to_new_recipients_or_twice(more: dict[str, Any]) -> None:
    assert "On 2026" not in answer(having(), **more).text


def test_earlier_recipients_may_get_the_quote() -> None:
    assert "> It hums." in answer(having(), cc=(Address(email="Ida@Customer.example"),)).text


def test_a_message_after_the_answered_one_is_not_quoted() -> None:
    assert "hums" not in answer(having(message_id="<third@customer.example>")).text
    assert "> It hums." in answer(having(message_id=None)).text
    assert "wrote" not in answer(having(" \n")).text


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("nb", "Den 23. november 2026, 08:30 UTC skrev Per Hansen:"),
        ("NL", "Op 23 november 2026, 08:30 UTC schreef Per Hansen:"),
        ("ru-RU", "23 ноября 2026 г., 08:30 UTC, Per Hansen пишет:"),
        ("de_CH", "Am 2026-11-23 08:30 UTC schrieb Per Hansen:"),
        ("xx", "On 23 November 2026, 08:30 UTC, Per Hansen wrote:"),
        (None, "On 23 November 2026, 08:30 UTC, Per Hansen wrote:"),
    ],
)
@requirement("A21.06")
def test_the_line_above_the_quote_is_in_the_customers_language(language: str | None, line: str) -> None:
    made = having()
    known = knowing(people=[person(20, "Per", roles=("customer",), language=language)])
    made.inputs.people.update(known.inputs.people)
    assert line in answer(made).text.splitlines()


def test_addresses_are_compared_without_regard_to_case() -> None:
    assert comparable("Per@CUSTOMER.example") in READERS


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("hums", f"Re: [Ticket#{NUMBER}] hums"),
        ("Re: hums", f"Re: [Ticket#{NUMBER}] hums"),
        ("SV: Re: AW: VS: Antw: hums", f"Re: [Ticket#{NUMBER}] hums"),
        ("Ответ: Re[2]: RE(3): hums", f"Re: [Ticket#{NUMBER}] hums"),
        (f"Re: [Ticket#{NUMBER}] Re: [Ticket#{NUMBER}] hums", f"Re: [Ticket#{NUMBER}] hums"),
        (f"Sv: Re: [Ticket#{NUMBER}] hums", f"Re: [Ticket#{NUMBER}] hums"),
        (f"Re: AW: hums [Ticket#{NUMBER}]", f"Re: hums [Ticket#{NUMBER}]"),
        (f"AW: [Ticket#{NUMBER}] hums", f"AW: [Ticket#{NUMBER}] hums"),
        (f"[Ticket#{NUMBER}] hums", f"[Ticket#{NUMBER}] hums"),
        ("Reset: hums", f"Re: [Ticket#{NUMBER}] Reset: hums"),
        ("Re: [Ticket#1] hums", f"Re: [Ticket#{NUMBER}] [Ticket#1] hums"),
        ("", f"Re: [Ticket#{NUMBER}]"),
        ("Re: " * 500 + "hums", f"Re: [Ticket#{NUMBER}] hums"),
    ],
)
@requirement("A2.07")
def test_reply_prefixes_do_not_pile_up(subject: str, expected: str) -> None:
    made = wording.reply_subject(NUMBER, subject)
    assert made == expected
    assert wording.reply_subject(NUMBER, made) == made
