"""A fault of this program never loses a mail: it is held, and handled again after the fix."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from services.intake import ticket
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom
from services.intake.mailroom.queue_choice import QueuesUnknown
from services.intake.records import customers, mails, tickets
from services.intake.records.receipts import LATELY, TO_MAILBOX
from tests.services.intake.conftest import queues
from tests.services.intake.reception import mail

ENVELOPE = Envelope("per@customer.example", ("it@help.example",))


async def test_a_mail_that_we_cannot_handle_is_held_and_handled_again(
    mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = mail()

    def broken(*_: object) -> list[object]:
        raise ValueError("a bug of ours")

    with monkeypatch.context() as patched:
        patched.setattr(ticket, "decide", broken)
        held = await mailroom.take(raw, ENVELOPE)
        assert (held.outcome, held.ticket_id) == ("held", None)
        assert "a bug of ours" in held.reason
        again = await mailroom.process(held.id)
        assert again is not None
        assert again.outcome == "held"
    assert await mailroom.take(raw, ENVELOPE) == held
    handled = await mailroom.process(held.id)
    assert handled is not None
    assert (handled.id, handled.outcome) == (held.id, "created")
    assert await mailroom.process(held.id) == handled
    assert await mailroom.take(raw, ENVELOPE) == handled
    assert handled.ticket_id is not None
    assert len(await mailroom.records.store.load(handled.ticket_id)) == 1


async def test_no_mail_is_taken_before_the_queues_have_arrived(mailroom: Mailroom) -> None:
    mailroom.directory.queues = queues()
    with pytest.raises(QueuesUnknown):
        await mailroom.take(mail(), ENVELOPE)
    assert await mailroom.records.mails.newest(before=None, limit=10) == []


async def test_a_mail_that_is_not_known_is_not_handled(mailroom: Mailroom) -> None:
    assert await mailroom.process(uuid4()) is None


async def test_the_longest_mail_fits_into_an_event(mailroom: Mailroom) -> None:
    name = "\U0001f5a8" * 300
    addresses = ", ".join(f'"{name}" <{n:0>60}@{"x" * 180}.example>' for n in range(300))
    file = f'--b\r\nContent-Type: text/plain; name="{name}"\r\nContent-ID: <{"i" * 400}>\r\n\r\nx\r\n'
    rich = '--b\r\nContent-Type: text/html\r\n\r\n<p>"\\</p>' + '"\\' * 20_000
    raw = mail(
        name,
        f"{file * 400}{rich}\r\n--b\r\n\r\n" + "\\" * 900_000 + "\r\n--b--",
        To=addresses,
        Cc=addresses,
        References=" ".join(f"<{n}{'r' * 900}@x>" for n in range(300)),
        Content_Type="multipart/mixed; boundary=b",
    )
    taken = await mailroom.take(raw, ENVELOPE)
    assert (taken.outcome, taken.reason) == ("created", "a new question")


async def test_a_flood_of_mails_on_one_ticket_is_taken(mailroom: Mailroom) -> None:
    first = await mailroom.take(mail(), ENVELOPE)
    assert first.number is not None and first.ticket_id is not None
    flood = [mail(f"[Ticket#{first.number}] again", f"no. {n}") for n in range(30)]
    taken = await asyncio.gather(*(mailroom.take(each, ENVELOPE) for each in flood))
    assert {(each.outcome, each.ticket_id) for each in taken} == {("appended", first.ticket_id)}
    assert len(await mailroom.records.store.load(first.ticket_id)) == 31


async def test_a_mail_on_a_long_ticket_reads_one_event_of_it(mailroom: Mailroom) -> None:
    """The cost must not grow with the ticket's length, because of floods of mails."""
    first = await mailroom.take(mail(), ENVELOPE)
    assert first.number is not None and first.ticket_id is not None
    for n in range(20):
        await mailroom.take(mail(f"[Ticket#{first.number}] again", f"no. {n}"), ENVELOPE)
    explained = await mailroom.records.pool.fetchval(
        f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) {tickets.NEWEST}", [first.ticket_id]
    )
    (plan,) = explained
    read = [node["Actual Rows"] * node["Actual Loops"] for node in _nodes(plan["Plan"], "events")]
    assert read == [1]
    state, version = (await mailroom.records.tickets.newest([first.ticket_id]))[first.ticket_id]
    assert (state.number, version) == (first.number, 21)


def _nodes(plan: dict[str, Any], relation: str) -> list[dict[str, Any]]:
    """The nodes of a plan that read this table."""
    below = [node for part in plan.get("Plans", ()) for node in _nodes(part, relation)]
    return [plan, *below] if plan.get("Relation Name") == relation else below


async def test_hot_statements_find_rows_by_index(mailroom: Mailroom) -> None:
    async with mailroom.records.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan")
        for statement, arguments in (
            (customers.FIND, (uuid4(), "per@customer.example")),
            (mails.MAIL, (uuid4(),)),
            (tickets.RESOLVE.format(column="number"), ("1",)),
            (mails.NEWEST, (uuid4(), 50)),
            (LATELY, (uuid4(), 5)),
            (TO_MAILBOX, ("per@customer.example", 5)),
            (tickets.NEWEST, ([uuid4()],)),
            (tickets.TAKING_PART, (uuid4(), ["per@home.example"])),
            ("SELECT 1 FROM intake.mails WHERE digest = $1", (b"x",)),
            ("SELECT 1 FROM intake.message_ids WHERE hash = $1", (b"x",)),
        ):
            plan = await connection.fetch(f"EXPLAIN {statement}", *arguments)
            lines = [row["QUERY PLAN"] for row in plan]
            assert not [line for line in lines if "Seq Scan" in line], lines
