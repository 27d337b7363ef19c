"""Who may write on a ticket by mail, on real PostgreSQL: participants, outsiders, agents, and those who only know a
number."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom
from services.intake.policies import WRITTEN_TO
from services.intake.records.mails import Mail
from services.intake.records.receipts import Receipts
from shared.contracts.directory import Person
from shared.contracts.event import Event
from shared.contracts.intake import (
    AgentMailReceived,
    AutomaticMailReceived,
    CustomerMessageReceived,
    TicketOpened,
)
from shared.rules import reply_addresses
from shared.rules.message_ids import make
from shared.testing.documents import seed
from tests.services.intake.conftest import queues
from tests.services.intake.reception import IT, KARI_ID, MAIL_KEY, OLA_ID, PERSON, POSTMASTER, SALES, mail
from tests.specs.requirement import requirement

TRUSTED = "mx.help.example"
PASS = f"{TRUSTED}; dmarc=pass header.from=customer.example"
FAIL = f"{TRUSTED}; dmarc=fail header.from=customer.example"
STRANGER = "Eve <eve@elsewhere.example>"
KARI, OLA = (
    Person(id=person, login=login, name=login.title(), email=f"{login}@help.example", roles=("agent",))
    for person, login in ((KARI_ID, "kari"), (OLA_ID, "ola"))
)
COLLEAGUE = Person(
    id=UUID(int=77), login="lise", name="Lise", email="lise@customer.example", roles=("customer",), company="acme"
)


class Desk:
    """The mailroom of an installation that trusts one mail server."""

    def __init__(self, mailroom: Mailroom) -> None:
        rules = replace(mailroom.rules, trusted_servers=frozenset((TRUSTED,)), tickets_a_day=3)
        self.mailroom = replace(mailroom, rules=rules)

    async def take(self, raw: bytes, *recipients: str, trusted: bool = False) -> Mail:
        envelope = Envelope("somebody@customer.example", recipients or ("it@help.example",), trusted=trusted)
        return await self.mailroom.take(raw, envelope)

    async def opened(self, **fields: str) -> Mail:
        taken = await self.take(mail(**fields))
        assert taken.outcome == "created"
        return taken

    async def events(self, ticket: UUID | None) -> Sequence[Event]:
        assert ticket is not None
        return [event.payload for event in await self.mailroom.records.store.load(ticket)]

    async def last(self, ticket: UUID | None) -> Event:
        return (await self.events(ticket))[-1]

    async def written_to(self, ticket: UUID | None, email: str, *, outsider: bool) -> None:
        await self.mailroom.records.pool.execute(WRITTEN_TO, [ticket], [email], [outsider])


@pytest.fixture
async def desk(mailroom: Mailroom) -> Desk:
    await seed(mailroom.directory.database_url, POSTMASTER, IT, SALES, PERSON, COLLEAGUE, KARI, OLA)
    await mailroom.directory.load()
    return Desk(mailroom)


def about(first: Mail) -> str:
    return f"Re: [Ticket#{first.number}] My computer hums"


def ours(first: Mail) -> str:
    assert first.ticket_id is not None
    return make(MAIL_KEY.encode(), first.ticket_id, uuid4(), "help.example")


def standing(event: Event) -> str:
    assert isinstance(event, CustomerMessageReceived)
    return event.standing


@requirement("A2.08")
async def test_a_number_alone_lets_the_customer_and_their_company_in(desk: Desk) -> None:
    first = await desk.opened()
    again = await desk.take(mail(about(first)))
    assert (again.outcome, again.ticket_id, again.reason) == ("appended", first.ticket_id, "answers a ticket")
    assert standing(await desk.last(first.ticket_id)) == "participant"
    await desk.take(mail(about(first), From="Lise <lise@customer.example>"))
    assert standing(await desk.last(first.ticket_id)) == "participant"


async def test_a_number_alone_does_not_make_a_stranger_a_participant(desk: Desk) -> None:
    first = await desk.opened()
    for _ in range(2):
        told = await desk.take(mail(about(first), From=STRANGER))
        assert (told.outcome, told.ticket_id) == ("appended", first.ticket_id)
        assert "not known to take part" in told.reason
        received = await desk.last(first.ticket_id)
        assert isinstance(received, CustomerMessageReceived)
        assert (received.standing, received.no_answer) == ("unverified", True)


async def test_a_forged_sender_is_no_participant(desk: Desk) -> None:
    """DMARC failed at the trusted server: From is forged. The results of other servers are worth nothing."""
    first = await desk.opened()
    await desk.take(mail(about(first), Authentication_Results=FAIL))
    assert standing(await desk.last(first.ticket_id)) == "unverified"
    await desk.take(mail(about(first), From=STRANGER, Authentication_Results=PASS.replace(TRUSTED, "mx.evil.example")))
    assert standing(await desk.last(first.ticket_id)) == "unverified"


@pytest.mark.parametrize(
    "forged",
    [
        b"From: eve@elsewhere.example\r\n%b",
        b"%b",
    ],
    ids=["two fields", "one field"],
)
@pytest.mark.parametrize("results", [PASS, FAIL, ""])
async def test_a_mail_with_several_senders_makes_no_participant(desk: Desk, forged: bytes, results: str) -> None:
    """RFC 7489, 6.6.1: a server's result does not say which of them it is about, and neither does a token of the
    desk's."""
    first = await desk.opened()
    both = "Per <per@customer.example>" + ("" if forged != b"%b" else ", eve@elsewhere.example")
    for more in ({}, {"In_Reply_To": ours(first)}):
        told = await desk.take(forged % mail(about(first), From=both, Authentication_Results=results, **more))
        assert told.outcome == "appended"
        received = await desk.last(first.ticket_id)
        assert isinstance(received, CustomerMessageReceived)
        assert (received.standing, received.no_answer) == ("unverified", True)


async def test_a_stolen_message_id_is_no_proof(desk: Desk) -> None:
    first = await desk.opened(Message_ID="<known@customer.example>")
    await desk.take(mail("hello", From=STRANGER, In_Reply_To="<known@customer.example>"))
    assert standing(await desk.last(first.ticket_id)) == "unverified"


async def test_our_token_is_proof_from_any_address(desk: Desk) -> None:
    first = await desk.opened()
    await desk.take(mail("hello", From=STRANGER, In_Reply_To=ours(first)))
    assert standing(await desk.last(first.ticket_id)) == "participant"
    forged = ours(first)[:-20] + "a@help.example>"
    told = await desk.take(mail("hello", From=STRANGER, In_Reply_To=forged))
    assert told.outcome == "created"


def tagged(first: Mail) -> str:
    assert first.ticket_id is not None
    address = reply_addresses.make(MAIL_KEY.encode(), first.ticket_id, "it@help.example")
    assert address is not None
    return address


@requirement("A2.09")
@pytest.mark.parametrize("in_header", [False, True])
async def test_an_answer_to_the_tickets_own_address_finds_it_without_any_header(desk: Desk, in_header: bool) -> None:
    first = await desk.opened()
    fields = {"To": f"IT desk <{tagged(first).upper()}>"} if in_header else {}
    told = await desk.take(mail("hello again", **fields), "it@help.example" if in_header else tagged(first))
    assert (told.outcome, told.ticket_id) == ("appended", first.ticket_id)
    received = await desk.last(first.ticket_id)
    assert isinstance(received, CustomerMessageReceived)
    assert (received.threaded_by, received.standing) == ("reference", "participant")


async def test_the_tickets_own_address_gives_strangers_no_access(desk: Desk) -> None:
    """Its owner may have given it to a service that sends codes: whoever reads the ticket must not get them (decision
    0028)."""
    first = await desk.opened()
    codes = {"subject": "Your code is 123456", "From": "Service <code@service.example>"}
    proven = f"{TRUSTED}; dmarc=pass header.from=service.example"
    told = await desk.take(mail(**codes, Cc="eve@evil.example", Authentication_Results=proven), tagged(first))
    assert (told.outcome, told.ticket_id) == ("appended", first.ticket_id)
    assert standing(await desk.last(first.ticket_id)) == "unverified"
    await desk.take(mail("hello", Authentication_Results=FAIL), tagged(first))
    assert standing(await desk.last(first.ticket_id)) == "unverified"
    assert not await desk.mailroom.records.pool.fetch("SELECT FROM intake.participants")


async def test_an_address_of_another_ticket_or_one_that_was_changed_opens_none(desk: Desk) -> None:
    first, other = await desk.opened(), await desk.opened()
    mixed = tagged(first)[:29] + tagged(other)[29:]
    for n, address in enumerate((mixed, tagged(first).replace("+", "+a"), "it+anything@help.example")):
        told = await desk.take(mail("hello", From=f"somebody{n}@elsewhere.example"), address)
        assert told.outcome == "created", address
        opened = await desk.last(told.ticket_id)
        assert isinstance(opened, TicketOpened)
        assert opened.queue.slug == "it"


async def test_an_agent_may_answer_to_the_tickets_own_address(desk: Desk) -> None:
    first = await desk.opened()
    proven = f"{TRUSTED}; dmarc=pass header.from=help.example"
    await desk.take(mail("a note", From="Kari <kari@help.example>", Authentication_Results=proven), tagged(first))
    assert isinstance(await desk.last(first.ticket_id), AgentMailReceived)
    await desk.take(mail("a note", From="Kari <kari@help.example>"), tagged(first))
    assert standing(await desk.last(first.ticket_id)) == "unverified"


@requirement("A7.14")
async def test_whom_the_desk_asked_in_confidence_stays_an_outsider(desk: Desk) -> None:
    first = await desk.opened()
    await desk.written_to(first.ticket_id, "eve@elsewhere.example", outsider=True)
    told = await desk.take(mail("Fwd: hums", From=STRANGER, In_Reply_To=ours(first)))
    assert standing(await desk.last(first.ticket_id)) == "outsider"
    assert "whom the desk had asked" in told.reason
    await desk.written_to(first.ticket_id, "eve@elsewhere.example", outsider=False)
    await desk.take(mail(about(first), From=STRANGER))
    assert standing(await desk.last(first.ticket_id)) == "participant"


@requirement("A1.20")
@pytest.mark.parametrize(("results", "expected"), [(PASS, "participant"), (FAIL, "unverified"), ("", "unverified")])
async def test_people_in_cc_take_part_if_the_sender_is_proven(desk: Desk, results: str, expected: str) -> None:
    first = await desk.opened(Cc="Eve <EVE@elsewhere.example>, sales@help.example", Authentication_Results=results)
    await desk.take(mail(about(first), From=STRANGER))
    assert standing(await desk.last(first.ticket_id)) == expected
    rows = await desk.mailroom.records.pool.fetch("SELECT email FROM intake.participants")
    assert [row["email"] for row in rows] == (["eve@elsewhere.example"] if expected == "participant" else [])


async def test_a_strangers_mail_makes_nobody_a_participant(desk: Desk) -> None:
    first = await desk.opened()
    proven = PASS.replace("customer.example", "elsewhere.example")
    await desk.take(mail(about(first), From=STRANGER, Cc="mallory@evil.example", Authentication_Results=proven))
    assert not await desk.mailroom.records.pool.fetch("SELECT FROM intake.participants")


@requirement("A1.20")
async def test_the_desks_own_people_and_whole_crowds_are_not_brought_in(desk: Desk) -> None:
    crowd = ", ".join(f"guest{n}@elsewhere.example" for n in range(40))
    await desk.opened(
        To="IT <it@help.example>, Kari <KARI@help.example>, it+tag@help.example",
        Cc=f"ola@help.example, {crowd}",
        Authentication_Results=PASS,
    )
    rows = await desk.mailroom.records.pool.fetch("SELECT email FROM intake.participants")
    brought = {row["email"] for row in rows}
    assert not brought & {"kari@help.example", "ola@help.example", "it@help.example", "it+tag@help.example"}
    assert len(brought) == 18  # of the first twenty, two are the desk's own
    assert all(each.startswith("guest") for each in brought)


@requirement("A1.20")
async def test_a_ticket_has_a_limit_of_participants(desk: Desk) -> None:
    first = await desk.opened(Authentication_Results=PASS)
    for turn in range(7):
        crowd = ", ".join(f"guest{turn}-{n}@elsewhere.example" for n in range(20))
        await desk.take(mail(about(first), Cc=crowd, Authentication_Results=PASS))
    assert await desk.mailroom.records.pool.fetchval("SELECT count(*) FROM intake.participants") == 100


@pytest.mark.parametrize(
    ("sender", "token", "results", "expected"),
    [
        ("Kari <kari@help.example>", True, "pass", AgentMailReceived),
        ("Kari <kari@help.example>", True, "none", CustomerMessageReceived),
        ("Kari <kari@help.example>", False, "pass", CustomerMessageReceived),
        ("Ola <ola@help.example>", True, "pass", CustomerMessageReceived),  # may read, but not write notes
    ],
)
async def test_an_agents_mail_needs_token_proof_and_right(
    desk: Desk, sender: str, token: bool, results: str, expected: type[Event]
) -> None:
    first = await desk.opened()
    named = {"In_Reply_To": ours(first)} if token else {}
    shown = f"{TRUSTED}; dmarc={results} header.from=help.example"
    await desk.take(mail(about(first), From=sender, Authentication_Results=shown, **named))
    received = await desk.last(first.ticket_id)
    assert isinstance(received, expected)
    if isinstance(received, AgentMailReceived):
        assert (received.by.id, received.by.name) == (KARI_ID, "Kari")
    else:
        assert standing(received) == "unverified"


@requirement("A1.26")
async def test_control_fields_count_on_a_trusted_channel_only(desk: Desk) -> None:
    asked = {
        "X_OTRS_Queue": "sales",
        "X_OTRS_Priority": "5 very high",
        "X_OTRS_State": "closed-successful",
        "X_RT_Tag": "fan",
    }
    outside = await desk.take(mail(**asked))
    opened = await desk.last(outside.ticket_id)
    assert isinstance(opened, TicketOpened)
    assert (opened.queue.slug, opened.priority, opened.state, opened.tags) == ("it", 3, None, ())
    assert "x-otrs-queue" in outside.found["wrong"][0]
    inside = await desk.take(mail(**asked), trusted=True)
    opened = await desk.last(inside.ticket_id)
    assert isinstance(opened, TicketOpened)
    assert (opened.queue.slug, opened.priority, opened.state, opened.tags) == (
        "sales", 5, "closed-successful", ("fan",),
    )  # fmt: skip


async def test_a_mail_to_two_queues_is_one_ticket_unless_the_second_wants_its_own(desk: Desk) -> None:
    both = ("it@help.example", "sales@help.example")
    one = await desk.take(mail(), *both)
    (opened,) = await desk.events(one.ticket_id)
    assert isinstance(opened, TicketOpened)
    assert (opened.queue.slug, opened.also_opened) == ("it", ())
    desk.mailroom.directory.queues = queues(POSTMASTER, IT, SALES.model_copy(update={"opens_copies": True}))
    two = await desk.take(mail(), *both)
    (opened,) = await desk.events(two.ticket_id)
    assert isinstance(opened, TicketOpened)
    (other,) = opened.also_opened
    (copy,) = await desk.events(other.id)
    assert isinstance(copy, TicketOpened)
    assert (copy.queue.slug, copy.receipt, [each.id for each in copy.also_opened]) == ("sales", False, [two.ticket_id])
    assert copy.message.text == opened.message.text
    assert copy.message.id != opened.message.id


async def copies_in(desk: Desk, slug: str) -> list[TicketOpened]:
    """The tickets in a queue."""
    rows = await desk.mailroom.records.pool.fetch("SELECT ticket_id FROM intake.tickets ORDER BY ticket_id")
    opened = [(await desk.events(row["ticket_id"]))[0] for row in rows]
    return [each for each in opened if isinstance(each, TicketOpened) and each.queue.slug == slug]


async def test_a_mail_that_is_handed_over_again_for_a_queue_that_wants_its_own_opens_one_there(desk: Desk) -> None:
    """A mail server hands over once for each recipient; only the envelope tells of recipients in Bcc and aliases."""
    wanting = SALES.model_copy(update={"opens_copies": True})
    desk.mailroom.directory.queues = queues(POSTMASTER, IT, wanting)
    raw = mail(To="undisclosed-recipients:;", Authentication_Results=PASS, Cc="friend@customer.example")
    one = await desk.take(raw, "it@help.example")
    assert await copies_in(desk, "sales") == []
    taken = await asyncio.gather(*(desk.take(raw, "sales+hidden@help.example") for _ in range(3)))
    assert {(each.id, each.ticket_id) for each in taken} == {(one.id, one.ticket_id)}
    (copy,) = await copies_in(desk, "sales")
    assert (copy.receipt, [each.id for each in copy.also_opened]) == (False, [one.ticket_id])
    other_way = Envelope("relay@elsewhere.example", ("sales@help.example",))
    assert (
        await desk.mailroom.take(raw.replace(b"Subject:", b"Received: x\r\nSubject:"), other_way)
    ).ticket_id == one.ticket_id
    assert len(await copies_in(desk, "sales")) == 1


async def test_a_queue_that_got_a_copy_because_of_to_gets_no_second_one(desk: Desk) -> None:
    desk.mailroom.directory.queues = queues(POSTMASTER, IT, SALES.model_copy(update={"opens_copies": True}))
    raw = mail(To="it@help.example, sales@help.example")
    for recipient in ("it@help.example", "sales@help.example", "sales@help.example"):
        await desk.take(raw, recipient)
    assert [len(await copies_in(desk, slug)) for slug in ("it", "sales")] == [1, 1]


async def test_a_repeat_opens_no_copy_of_spam_nor_of_an_answer_nor_in_a_queue_that_wants_none(desk: Desk) -> None:
    desk.mailroom.directory.queues = queues(POSTMASTER, IT, SALES.model_copy(update={"opens_copies": True}))
    first = await desk.opened()
    for raw in (mail(X_Spam_Status="Yes, score=9.1 required=5.0"), mail(about(first))):
        for recipient in ("it@help.example", "sales@help.example"):
            await desk.take(raw, recipient)
    desk.mailroom.directory.queues = queues(POSTMASTER, IT, SALES)
    raw = mail()
    for recipient in ("it@help.example", "sales@help.example"):
        await desk.take(raw, recipient)
    assert await copies_in(desk, "sales") == []


async def test_what_a_filter_calls_spam_goes_to_the_junk_queue_and_is_not_answered(desk: Desk) -> None:
    spam = {"X_Spam_Status": "Yes, score=9.1 required=5.0"}
    here = await desk.take(mail(**spam))
    opened = await desk.last(here.ticket_id)
    assert isinstance(opened, TicketOpened)
    assert (opened.queue.slug, opened.receipt, here.found["spam"]["score"]) == ("it", False, 9.1)
    desk.mailroom.directory.queues = queues(POSTMASTER, SALES, IT.model_copy(update={"junk_queue": "sales"}))
    there = await desk.take(mail(**spam))
    opened = await desk.last(there.ticket_id)
    assert isinstance(opened, TicketOpened)
    assert (opened.queue.slug, opened.receipt) == ("sales", False)
    answer = await desk.take(mail(about(there), **spam))
    assert (answer.outcome, answer.ticket_id) == ("appended", there.ticket_id)


async def test_a_sender_beyond_the_limit_continues_in_the_newest_ticket(desk: Desk) -> None:
    first = [await desk.opened(From=STRANGER) for _ in range(3)]
    more = await desk.take(mail("again", From=STRANGER))
    assert (more.outcome, more.ticket_id) == ("appended", first[-1].ticket_id)
    assert "3 tickets within a day" in more.reason
    received = await desk.last(more.ticket_id)
    assert isinstance(received, CustomerMessageReceived)
    assert received.no_answer
    other = await desk.take(mail("another"))
    assert other.outcome == "created"


async def receipt(desk: Desk, **fields: str) -> bool:
    """Whether a mail that opens a ticket gets a receipt."""
    opened = await desk.last((await desk.opened(**fields)).ticket_id)
    assert isinstance(opened, TicketOpened)
    return opened.receipt


async def test_one_address_gets_only_so_many_receipts_a_day(desk: Desk) -> None:
    """Whoever forges a sender makes us write to that address only so often; what they wrote is kept, and an agent sees
    it."""
    desk.mailroom = replace(desk.mailroom, receipts=Receipts(2, 0))
    assert [await receipt(desk) for _ in range(3)] == [True, True, False]
    assert await receipt(desk, From=STRANGER)
    third = await desk.mailroom.records.mails.newest(before=None, limit=2)
    assert "2 receipts within a day" in third[1].reason


@pytest.mark.parametrize(
    "spellings",
    [
        ["kim@shop.example", "kim+a@shop.example", "KIM+b.c@shop.example"],
        ["kim.berg@gmail.com", "kimberg+x@googlemail.com", "k.i.m.b.e.r.g@gmail.com"],
    ],
)
async def test_a_mailbox_gets_only_so_many_receipts_however_it_is_spelled(desk: Desk, spellings: list[str]) -> None:
    desk.mailroom = replace(desk.mailroom, receipts=Receipts(2, 0))
    assert [await receipt(desk, From=each) for each in spellings] == [True, True, False]
    assert await receipt(desk, From="kim@elsewhere.example")


async def test_receipts_that_go_elsewhere_count_where_they_go(desk: Desk) -> None:
    desk.mailroom = replace(desk.mailroom, receipts=Receipts(2, 0))
    forms = [f"form{n}@shop.example" for n in range(3)]
    assert [await receipt(desk, From=each, Reply_To="kim@berg.example") for each in forms] == [True, True, False]


async def test_what_is_proven_of_the_first_mail_stands_in_the_event(desk: Desk) -> None:
    for fields, proven in (({}, False), ({"Authentication_Results": PASS}, True)):
        opened = await desk.last((await desk.opened(**fields)).ticket_id)
        assert isinstance(opened, TicketOpened)
        assert opened.proven is proven


async def wish(desk: Desk, first: Mail | None = None, **fields: str) -> tuple[list[str], str]:
    """Where a mail wants replies, and why they do not go there without confirmation."""
    taken = await desk.take(mail(**fields)) if first is None else await desk.take(mail(about(first), **fields))
    event = await desk.last(taken.ticket_id)
    assert isinstance(event, TicketOpened | CustomerMessageReceived)
    assert bool(event.message.reply_to_doubt) == any("Reply" in each for each in event.message.reading_notes)
    return [each.email for each in event.message.reply_to], event.message.reply_to_doubt


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, ([], "")),
        ({"Reply_To": "Per Hansen <per@customer.example>"}, ([], "")),
        ({"Reply_To": "Per at home <PER@home.example>"}, (["per@home.example"], "")),
        ({"Reply_To": "it@help.example"}, (["it@help.example"], "ours")),
        ({"Reply_To": "it+anything@help.example, per@home.example"}, (["it+anything@help.example", "per@home.example"], "ours")),
        ({"Reply_To": "kari@help.example"}, (["kari@help.example"], "ours")),
        ({"Reply_To": "boss@acme.example", "Cc": "boss@acme.example"}, (["boss@acme.example"], "third_person")),
        ({"Reply_To": "per@home.example", "Authentication_Results": PASS}, (["per@home.example"], "other_domain")),
        ({"Reply_To": "per@it.customer.example", "Authentication_Results": PASS}, (["per@it.customer.example"], "")),
        ({"Reply_To": "a@x.example, b@x.example, c@x.example, d@x.example"}, ([f"{n}@x.example" for n in "abcd"], "too_many")),
    ],
)  # fmt: skip
async def test_where_a_mail_wants_answers_is_kept_and_followed_unless_it_is_in_doubt(
    desk: Desk, fields: dict[str, str], found: tuple[list[str], str]
) -> None:
    assert await wish(desk, None, **fields) == found


async def test_a_stranger_or_a_third_person_cannot_redirect_replies(desk: Desk) -> None:
    first = await desk.opened()
    assert await wish(desk, first, From=STRANGER, Reply_To="eve@home.example") == (["eve@home.example"], "stranger")
    await desk.written_to(first.ticket_id, "expert@repair.example", outsider=True)
    assert await wish(desk, first, Reply_To="expert@repair.example") == (["expert@repair.example"], "third_person")


async def test_who_was_answered_where_they_wanted_may_go_on_wanting_it(desk: Desk) -> None:
    first = await desk.opened(Reply_To="per@home.example")
    await desk.written_to(first.ticket_id, "per@home.example", outsider=False)  # the answer that went there
    assert await wish(desk, first, Reply_To="per@home.example") == (["per@home.example"], "")


async def test_all_together_get_only_so_many_receipts_a_day(desk: Desk) -> None:
    desk.mailroom = replace(desk.mailroom, receipts=Receipts(0, 3))
    senders = [f"somebody{n}@elsewhere.example" for n in range(5)]
    assert [await receipt(desk, From=each) for each in senders] == [True, True, True, False, False]
    desk.mailroom = replace(desk.mailroom, receipts=Receipts(0, 3))  # another process counts what is there
    assert not await receipt(desk, From="one.more@elsewhere.example")


async def test_a_sender_whose_domain_denies_it_gets_no_receipt(desk: Desk) -> None:
    assert not await receipt(desk, Authentication_Results=FAIL)
    assert await receipt(desk, Authentication_Results=PASS)


async def test_automatic_mails_do_not_fill_a_ticket(desk: Desk) -> None:
    first = await desk.opened()
    for n in range(30):
        told = await desk.take(mail("Away", Auto_Submitted="auto-replied", In_Reply_To=ours(first), X_Turn=str(n)))
        assert (told.outcome, told.ticket_id) == ("auto_reply_recorded", first.ticket_id)
    events = await desk.events(first.ticket_id)
    assert sum(isinstance(event, AutomaticMailReceived) for event in events) == 25


async def test_a_queue_may_want_reports_that_belong_to_no_ticket(desk: Desk) -> None:
    away = {"subject": "Away", "Auto_Submitted": "auto-replied"}
    assert (await desk.take(mail(**away))).outcome == "auto_reply_recorded"
    desk.mailroom.directory.queues = queues(POSTMASTER, IT.model_copy(update={"opens_reports": True}))
    told = await desk.take(mail(**away))
    opened: Any = await desk.last(told.ticket_id)
    assert (told.outcome, opened.receipt) == ("created", False)
