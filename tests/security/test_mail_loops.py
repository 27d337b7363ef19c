"""Two of these systems write to each other, and what lies between them may take every mark of a machine away."""

import re
from dataclasses import replace

import pytest

from services.intake.records.receipts import Receipts
from services.notify.writing.message import EncodedMail
from tests.security.installation import Installation
from tests.services.intake.reception import mail

MARKS = re.compile(
    rb"(?im)^(?:Auto-Submitted|X-Auto-Response-Suppress|In-Reply-To|References|Message-ID):.*\r\n(?:[ \t].*\r\n)*"
)
MOST_TURNS = 200


def as_it_is(letter: EncodedMail, _: Installation) -> tuple[bytes, str]:
    return letter.content, letter.sender


def without_marks(letter: EncodedMail, sender: Installation) -> tuple[bytes, str]:
    """A gateway that hides that it was a machine's, and what it answers."""
    return MARKS.sub(b"", letter.content), sender.address


def without_anything(letter: EncodedMail, sender: Installation) -> tuple[bytes, str]:
    """The same, and each with a subject of its own."""
    content, address = without_marks(letter, sender)
    return re.sub(
        rb"(?im)^Subject:.*\r\n(?:[ \t].*\r\n)*", f"Subject: turn {id(letter)}\r\n".encode(), content
    ), address


async def writing(one: Installation, two: Installation, way: object) -> tuple[int, int]:
    """Somebody writes to one in the other's name; then each gets what the other sends. How many mails each has sent in the end."""
    assert callable(way)
    await one.take(mail(From=f"IT support <{two.address}>", To=one.address), two.address)
    carried = {one.domain: 0, two.domain: 0}
    for _ in range(MOST_TURNS):
        waiting = [each for each in (one, two) if len(each.mails) > carried[each.domain]]
        if not waiting:
            return len(one.mails), len(two.mails)
        for sender in waiting:
            letter = sender.mails[carried[sender.domain]]
            carried[sender.domain] += 1
            receiver = two if sender is one else one
            assert letter.recipients == (receiver.address,)
            raw, address = way(letter, sender)
            await receiver.take(raw, address)
    raise AssertionError(f"no end: {carried}")


async def test_two_systems_stop_at_once(desk: Installation, other: Installation) -> None:
    assert await writing(desk, other, as_it_is) == (1, 0)


async def test_two_systems_stop_after_two_mails_each_when_every_mark_is_lost_on_the_way(
    desk: Installation, other: Installation
) -> None:
    sent = await writing(desk, other, without_marks)
    assert sent[0] <= 2
    assert sent[1] <= 2
    assert sum(sent) > 1  # they did take each other for people


async def test_two_systems_that_forget_everything_stop_at_the_days_limit(
    desk: Installation, other: Installation
) -> None:
    for each in (desk, other):
        each.mailroom = replace(each.mailroom, receipts=Receipts(3, 0))
    assert await writing(desk, other, without_anything) == (3, 3)


@pytest.mark.parametrize("sender", ["it@help.example", "it+tag@help.example", "IT@HELP.example"])
async def test_a_mail_in_our_own_name_gets_no_answer(desk: Installation, sender: str) -> None:
    taken = await desk.take(mail(From=f"Us <{sender}>", Reply_To="victim@elsewhere.example"), sender)
    assert (taken.outcome, desk.mails) == ("created", [])


async def test_our_own_mail_that_comes_back_opens_nothing(desk: Installation) -> None:
    await desk.take(mail(), "per@customer.example")
    (receipt,) = desk.mails
    back = re.sub(rb"(?im)^Auto-Submitted:.*\r\n|^X-Auto-Response-Suppress:.*\r\n", b"", receipt.content)
    taken = await desk.take(back, "per@customer.example")
    assert (taken.outcome, len(desk.mails)) == ("ignored", 1)
