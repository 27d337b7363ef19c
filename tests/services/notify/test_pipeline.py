"""The whole process: an event on the log becomes a mail in the Maildir, and its outcome an event."""

import asyncio
import contextlib
import mailbox
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer

from services.notify import app
from shared.blobs.store import BlobStore
from shared.contracts.directory import (
    Member,
    Person,
    PersonRetired,
    PersonSaved,
    Queue,
    QueueSaved,
    Template,
    TemplateSaved,
)
from shared.contracts.envelope import Recorded, encode
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.notify import NoticeGiven, NotificationRequested, NotificationSent, NotificationSuppressed
from shared.contracts.parts import Address, Attachment, CustomerRef, PersonRef, QueueRef, RuleRef
from shared.contracts.routing import (
    OwnerChanged,
    ResponsibleChanged,
    RuleNotified,
    RuleSuspended,
    StateChanged,
    TicketRenamed,
)
from shared.contracts.topics import TICKETS
from shared.eventstore.store import Store
from shared.http.serving.health import Health
from shared.messaging.clients import producer
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.rules import message_ids
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN
from shared.testing.keys import ENVIRONMENT
from shared.testing.progress import until
from tests.conformance.messaging.system import from_now
from tests.servers import Kafka
from tests.services.notify.desk import Notify, notify
from tests.specs.notify.tickets import (
    FIRST,
    NUMBER,
    QUESTION,
    bounced,
    expired,
    forwarded,
    opened,
    person,
    queued,
    reached,
    recorded,
    rejected,
    replied,
)
from tests.specs.requirement import requirement

KEY = "mail key"


@dataclass
class Running:
    """A running notify process, and a client that writes other services' events to the log."""

    notify: Notify
    kafka: Kafka
    client: AIOKafkaProducer
    sent: Path
    versions: dict[tuple[UUID, str], int] = field(default_factory=dict)

    async def happens(self, stream: UUID, payload: Event) -> Recorded:
        """Another service's event arrives on the log."""
        key = (stream, payload.OWNER)
        self.versions[key] = self.versions.get(key, 0) + 1
        event = replace(
            recorded(payload), id=uuid4(), stream=stream, version=self.versions[key], correlation_id=uuid4()
        )
        await self.again(event)
        return event

    async def again(self, event: Recorded) -> None:
        await self.client.send_and_wait(**self.kafka.record(event.payload.TOPIC, event))

    async def until_events(self, ticket: UUID, count: int) -> list[Recorded]:
        async def probe() -> list[Recorded] | None:
            events = await self.notify.events(ticket)
            return events if len(events) >= count else None

        events = await until(probe)
        assert events is not None
        return events

    async def until_known(self, *documents: UUID) -> None:
        """Documents come on another topic than tickets."""

        async def probe() -> bool:
            found = await self.notify.pool.fetchval(
                "SELECT count(*) FROM directory.documents WHERE id = ANY($1)", list(documents)
            )
            return bool(found == len(documents))

        await until(probe)

    def files(self, address: str) -> list[bytes]:
        """The mails to this address, with their envelopes before them."""
        found = [path.read_bytes() for path in (self.sent / "new").iterdir()]
        return [each for each in found if f"X-Envelope-To: <{address}>".encode() in each]

    def mails(self, address: str) -> list[EmailMessage]:
        box = mailbox.Maildir(str(self.sent), factory=None, create=False)
        found = [message_from_bytes(m.as_bytes(), policy=policy.default) for m in box]
        return [m for m in found if isinstance(m, EmailMessage) and address in str(m["To"])]


@contextlib.asynccontextmanager
async def process(one: Notify, kafka: Kafka, sent: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    name = f"notify-{uuid4().hex[:8]}"
    await from_now(one.pool, name, kafka)
    monkeypatch.setattr(app, "CONSUMER", name)
    for variable, value in {
        "DATABASE_URL": one.url,
        "MAIL_KEY": KEY,
        "NOTICE_SECONDS": "0",
        "MAILDIR": str(sent),
        "BLOB_URL": (sent.parent / "blobs").as_uri(),
    }.items():
        monkeypatch.setenv(f"LEDGERDESK_{variable}", value)
    for variable, value in (kafka.environment("notify") | ENVIRONMENT).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("LEDGERDESK_SMTP_URL", raising=False)
    async with app.process("all", Health("notify", "all")) as made, producer(kafka.admin, "tests") as client:
        tasks = [asyncio.create_task(each.run()) for each in made.background.values()]
        try:
            yield Running(one, kafka, client, sent)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def running(
    postgres: Any, kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    async with notify(postgres) as one, process(one, kafka, tmp_path / "sent", monkeypatch) as made:
        yield made


def queue() -> Queue:
    ident = uuid4()
    return Queue(
        id=ident,
        slug=f"it-{ident.hex[:6]}",
        name="IT support",
        address=f"it-{ident.hex[:6]}@help.example.org",
        display_name="IT desk",
        salutation="Hei {{ customer.name }},",
        signature="Vennlig hilsen\n{{ agent.name }}",
    )


def customer() -> CustomerRef:
    return CustomerRef(id=uuid4(), email=f"per-{uuid4().hex[:8]}@customer.example", name="Per Hansen")


async def test_the_receipt_and_the_reply_of_a_ticket_are_sent_once(running: Running) -> None:
    it, per, ticket = queue(), customer(), uuid4()
    ref = QueueRef(id=it.id, slug=it.slug, name=it.name)
    await running.happens(it.id, QueueSaved(queue=it))
    first = await running.happens(ticket, opened(queue=ref, customer=per))
    requested, sent = await running.until_events(ticket, 2)
    assert isinstance(requested.payload, NotificationRequested)
    assert requested.causation_id == first.id
    assert requested.correlation_id == first.correlation_id
    assert isinstance(sent.payload, NotificationSent)
    assert sent.causation_id == requested.id
    (receipt,) = running.mails(per.email)
    assert f"[Ticket#{NUMBER}]" in str(receipt["Subject"])
    assert str(it.address) in str(receipt["From"])
    assert receipt["Auto-Submitted"] == "auto-replied"
    assert receipt["In-Reply-To"] == FIRST
    assert message_ids.tickets_named(KEY.encode(), str(receipt["Message-ID"])) == [ticket]

    message = replied().message.model_copy(update={"to": ()})
    said = await running.happens(ticket, replied(queue=ref, customer=per, message=message))
    events = await running.until_events(ticket, 4)
    assert events[2].causation_id == said.id
    (answer,) = [m for m in running.mails(per.email) if not m["Auto-Submitted"]]
    assert str(answer["Subject"]) == f"Re: [Ticket#{NUMBER}] My computer hums"
    assert str(answer["From"]) == f"IT desk <{it.address}>"
    assert FIRST in str(answer["References"])
    body = answer.get_body(("plain",))
    assert body is not None
    words = " ".join(body.get_content().split())
    wrote = "On 23 November 2026, 08:30 UTC, Per Hansen wrote: > Since this morning."
    assert words == f"Hei Per Hansen, Please send us the serial number. Vennlig hilsen Kari {wrote}"

    for event in (first, said):
        await running.again(event)
    other = uuid4()
    await running.happens(other, opened(queue=ref, customer=customer()))
    await running.until_events(other, 2)
    assert len(await running.notify.events(ticket)) == 4
    assert len(running.mails(per.email)) == 2
    assert await running.notify.waiting() == []


@requirement("A21.06", "A10.03")
async def test_a_customer_with_a_record_reads_in_their_own_language(running: Running) -> None:
    per, ticket = customer(), uuid4()
    record = Person(id=per.id, login=per.email, name="Per", email=per.email, roles=("customer",), language="nb-NO")
    await running.happens(record.id, PersonSaved(person=record))
    await running.until_known(record.id)
    await running.happens(ticket, opened(customer=per))
    await running.until_events(ticket, 2)
    (receipt,) = running.mails(per.email)
    assert "Vi har mottatt henvendelsen din" in str(receipt["Subject"])
    body = receipt.get_body(("plain",))
    assert body is not None and body.get_content().startswith("Hei,")


async def test_an_unknown_queue_does_not_stop_a_receipt(running: Running) -> None:
    per, ticket = customer(), uuid4()
    await running.happens(ticket, opened(queue=QueueRef(id=uuid4(), slug="x", name="Unheard of"), customer=per))
    await running.until_events(ticket, 2)
    (receipt,) = running.mails(per.email)
    assert str(receipt["From"]) == "Unheard of <postmaster@ledgerdesk.invalid>"
    assert await running.notify.pool.fetchval("SELECT count(*) FROM messaging.parked") == 0


@requirement("A7.14")
async def test_a_forward_is_sent_with_the_original_and_its_files(running: Running) -> None:
    it, ticket, outside = queue(), uuid4(), f"fix-{uuid4().hex[:8]}@repair.example"
    blobs = BlobStore((running.sent.parent / "blobs").as_uri())
    drawing = Attachment(id=uuid4(), name="tegning.pdf", blob=await blobs.put(b"%PDF " * 50_000, "application/pdf"))
    await running.happens(it.id, QueueSaved(queue=it))
    await running.until_known(it.id)
    payload = forwarded(
        queue=QueueRef(id=it.id, slug=it.slug, name=it.name),
        original=QUESTION.model_copy(update={"attachments": (drawing,)}),
        message=forwarded().message.model_copy(update={"to": (Address(email=outside), Address(email=str(it.address)))}),
    )
    event = await running.happens(ticket, payload)
    requested, sent = await running.until_events(ticket, 2)
    assert isinstance(requested.payload, NotificationRequested)
    assert (requested.payload.kind, requested.payload.article) == ("forward", payload.message.id)
    assert isinstance(sent.payload, NotificationSent)
    (mail,) = running.mails(outside)
    assert mail["To"] == outside
    assert mail["Subject"] == f"Fwd: [Ticket#{NUMBER}] My computer hums"
    assert (mail["In-Reply-To"], mail["References"], mail["Auto-Submitted"]) == (None, FIRST, None)
    assert message_ids.tickets_named(KEY.encode(), str(mail["Message-ID"])) == [ticket]
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Can you repair this?" in body.get_content()
    assert "---- Forwarded message ----" in body.get_content()
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("tegning.pdf", b"%PDF " * 50_000)
    assert running.files(str(it.address)) == []
    await running.again(event)
    other = uuid4()
    await running.happens(other, opened(customer=customer()))
    await running.until_events(other, 2)
    assert len(running.mails(outside)) == 1


@requirement("A7.15")
async def test_a_bounced_mail_is_unchanged_below_the_resent_fields(running: Running) -> None:
    it, ticket, outside = queue(), uuid4(), f"house-{uuid4().hex[:8]}@help.example"
    raw = b"From: Per <per@customer.example>\nSubject: hums\nMessage-ID: <1@x>\n\n\xe6\xf8\xe5\n.\n"
    blobs = BlobStore((running.sent.parent / "blobs").as_uri())
    await running.happens(it.id, QueueSaved(queue=it))
    await running.until_known(it.id)
    ref = QueueRef(id=it.id, slug=it.slug, name=it.name)
    await running.happens(
        ticket, bounced(queue=ref, to=(Address(email=outside),), raw=await blobs.put(raw, "message/rfc822"))
    )
    await running.until_events(ticket, 2)
    (file,) = running.files(outside)
    assert file.endswith(raw)
    assert file.startswith(f"Return-Path: <{it.address}>\r\n".encode())
    mail = message_from_bytes(file, policy=policy.default)
    assert mail["Resent-From"] == f"IT desk <{it.address}>"
    assert mail["Resent-To"] == outside
    assert mail["Resent-Date"]
    assert message_ids.tickets_named(KEY.encode(), str(mail["Resent-Message-ID"])) == [ticket]
    assert mail["Message-ID"] == "<1@x>"

    await running.happens(ticket, bounced(queue=ref, to=(Address(email=str(it.address)),), bounce=uuid4()))
    suppressed = (await running.until_events(ticket, 3))[-1].payload
    assert isinstance(suppressed, NotificationSuppressed)
    assert suppressed.reason == "the address is one of our own queues"


@requirement("A5.05", "A6.06")
async def test_reminders_reach_owner_or_followers_and_expired_locks_their_holder(running: Running) -> None:
    kari, siv, gone = (
        person(1, f"{name}{uuid4().hex[:8]}", id=uuid4(), follows=follows)
        for name, follows in (("Kari", ()), ("Siv", ()), ("Gone", ()))
    )
    it = queue()
    siv = siv.model_copy(update={"follows": (it.id,)})
    it = it.model_copy(
        update={"members": tuple(Member(person=each.id, rights=("read", "work")) for each in (kari, siv, gone))}
    )
    await running.happens(it.id, QueueSaved(queue=it))
    for each in (kari, siv, gone):
        await running.happens(each.id, PersonSaved(person=each))
    await running.happens(gone.id, PersonRetired(person=gone))

    async def retired() -> bool:
        return bool(
            await running.notify.pool.fetchval("SELECT retired FROM directory.documents WHERE id = $1", gone.id)
        )

    await running.until_known(it.id, kari.id, siv.id, gone.id)
    await until(retired)
    ticket, ref = uuid4(), QueueRef(id=it.id, slug=it.slug, name=it.name)
    owner = PersonRef(id=kari.id, name=kari.name)
    await running.happens(ticket, queued(queue=ref))
    await running.happens(ticket, TicketRenamed(to="It hums loudly", was="It hums"))
    await running.happens(ticket, reached())
    await running.happens(ticket, expired(PersonRef(id=gone.id, name=gone.name)))
    await running.until_events(ticket, 3)  # Siv has a notice, its mail is requested and sent
    (reminder,) = running.mails(siv.email)
    assert reminder["Subject"] == f"[Ticket#{NUMBER}] Reminder: It hums loudly"
    assert str(it.address) in str(reminder["From"])
    assert reminder["Auto-Submitted"] == "auto-generated"
    assert running.files(siv.email)[0].startswith(b"Return-Path: <>\r\n")

    await running.happens(ticket, OwnerChanged(to=owner))  # which she has a notice of, and did not choose a mail
    await running.happens(ticket, reached())
    await running.until_events(ticket, 7)
    await running.happens(ticket, expired(owner))
    events = await running.until_events(ticket, 10)
    assert [e.payload.kind for e in events if isinstance(e.payload, NoticeGiven)] == [
        "reminder",
        "assigned",
        "reminder",
        "lock_expired",
    ]
    assert [e.payload.kind for e in events if isinstance(e.payload, NotificationRequested)] == [
        "reminder",
        "reminder",
        "lock_expired",
    ]
    assert {str(mail["Subject"]) for mail in running.mails(kari.email)} == {
        f"[Ticket#{NUMBER}] Reminder: It hums loudly",
        f"[Ticket#{NUMBER}] Your lock has expired: It hums loudly",
    }
    assert len(running.mails(siv.email)) == 1
    assert running.files(gone.email) == []


async def test_a_rejected_message_gets_a_reply(running: Running) -> None:
    it, per, ticket = queue(), customer(), uuid4()
    await running.happens(it.id, QueueSaved(queue=it))
    await running.until_known(it.id)
    await running.happens(ticket, rejected(queue=QueueRef(id=it.id, slug=it.slug, name=it.name), customer=per))
    await running.until_events(ticket, 2)
    (mail,) = running.mails(per.email)
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["In-Reply-To"] == "<second@customer.example>"
    body = mail.get_body(("plain",))
    assert body is not None
    assert f"write a new mail to {it.address}" in body.get_content()
    again = rejected(queue=QueueRef(id=it.id, slug=it.slug, name=it.name), customer=per)
    await running.happens(ticket, again)
    *_, quiet = await running.until_events(ticket, 3)
    assert isinstance(quiet.payload, NotificationSuppressed)
    await running.notify.ages(ticket, minutes=11)
    await running.happens(ticket, again)
    await running.until_events(ticket, 5)
    assert len(running.mails(per.email)) == 2


async def test_machines_get_no_reply(running: Running) -> None:
    ticket, robot = uuid4(), customer().model_copy(update={"email": f"noreply-{uuid4().hex[:8]}@shop.example"})
    await running.happens(ticket, opened(customer=robot))
    (suppressed,) = await running.until_events(ticket, 1)
    assert isinstance(suppressed.payload, NotificationSuppressed)
    assert running.mails(robot.email) == []


async def test_our_own_queues_get_no_reply(running: Running) -> None:
    it = queue()
    assert it.address is not None
    await running.happens(it.id, QueueSaved(queue=it))
    us = customer().model_copy(update={"email": it.address})

    async def suppressed() -> bool:
        """Documents come on another topic: until it has arrived, nobody knows that the address is ours."""
        ticket = uuid4()
        await running.happens(ticket, opened(customer=us))
        (first, *_) = await running.until_events(ticket, 1)
        return isinstance(first.payload, NotificationSuppressed)

    await until(suppressed)


async def test_a_replayed_ticket_finds_its_queue(running: Running) -> None:
    """The directory's copy is empty: it is loaded before the first reaction."""
    it, ticket = queue(), uuid4()
    await running.happens(it.id, QueueSaved(queue=it))

    async def known() -> bool:
        found: bool = await running.notify.pool.fetchval(
            "SELECT EXISTS (SELECT FROM directory.documents WHERE id = $1)", it.id
        )
        return found

    await until(known)
    handler = app.handlers_for_replay(Store(running.notify.pool, "notify"))[TICKETS]
    event = replace(
        recorded(opened(queue=QueueRef(id=it.id, slug=it.slug, name=it.name), customer=customer())),
        id=uuid4(),
        stream=ticket,
    )
    async with running.notify.pool.acquire() as connection, connection.transaction():
        assert (
            await handler.work(connection, [Delivered(Position(TICKETS, 0, 0), ticket, encode(event), event)], set())
            == []
        )
    requested = (await running.notify.events(ticket))[0].payload
    assert isinstance(requested, NotificationRequested)
    assert requested.mail.sender.email == it.address


@requirement("A6.11", "A10.05", "A10.07", "A5.14", "A10.03")
async def test_responsible_agents_and_subscribers_are_told_and_the_customer_about_the_closing(
    running: Running,
) -> None:
    unique = uuid4().hex[:8]
    kari, siv = (
        person(1, name, notices=notices).model_copy(
            update={"id": uuid4(), "email": f"{name.lower()}-{unique}@help.example"}
        )
        for name, notices in (("Kari", ()), ("Siv", ("new_ticket", "moved")))
    )
    members = tuple(Member(person=each.id, rights=("read", "work")) for each in (kari, siv))
    it = queue().model_copy(update={"members": members, "tells_when_closed": True})
    ref, per, ticket = QueueRef(id=it.id, slug=it.slug, name=it.name), customer(), uuid4()
    for document in (QueueSaved(queue=it), PersonSaved(person=kari), PersonSaved(person=siv)):
        await running.happens(document.queue.id if isinstance(document, QueueSaved) else document.person.id, document)
    await running.until_known(it.id, kari.id, siv.id)
    await running.happens(ticket, opened(queue=ref, customer=per))
    await running.happens(ticket, queued(queue=ref, customer=per, message_id=FIRST))
    await running.happens(ticket, ResponsibleChanged(to=PersonRef(id=kari.id, name="Kari"), by=None))
    await running.until_events(ticket, 6)  # the receipt, Siv's notice, and that of Kari
    message = QUESTION.model_copy(update={"text": "Any news?"})
    await running.happens(ticket, CustomerMessageReceived(number=NUMBER, customer=per, message=message))
    await running.happens(ticket, StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN, by=PersonRef(id=kari.id, name="Kari")))
    events = await running.until_events(ticket, 11)
    kinds = [each.payload.kind for each in events if isinstance(each.payload, NotificationRequested)]
    assert kinds == ["receipt", "new_ticket", "follow_up", "closed"]
    given = [each.payload for each in events if isinstance(each.payload, NoticeGiven)]
    assert [(each.kind, each.people) for each in given] == [
        ("new_ticket", (siv.id,)),
        ("assigned", (kari.id,)),
        ("follow_up", (kari.id,)),
    ]
    (new,) = running.mails(siv.email)
    assert "New ticket" in str(new["Subject"])
    (follow_up,) = running.mails(kari.email)
    body = follow_up.get_body(("plain",))
    assert body is not None and "Any news?" in body.get_content()
    closed = [mail for mail in running.mails(per.email) if mail["Auto-Submitted"] == "auto-generated"]
    assert [mail["In-Reply-To"] for mail in closed] == [FIRST]
    # Who does not want them any more gets none: the list of those who do is looked up again.
    await running.happens(siv.id, PersonSaved(person=siv.model_copy(update={"notices": ()})))
    other = uuid4()

    async def forgotten() -> bool:
        found = await running.notify.pool.fetchval(
            "SELECT document ->> 'notices' FROM directory.documents WHERE id = $1", siv.id
        )
        return bool(found == "[]")

    await until(forgotten)
    await running.happens(other, opened(queue=ref, customer=per))
    requested, left = (each.payload for each in await running.until_events(other, 2))
    assert isinstance(requested, NotificationRequested) and requested.kind == "receipt"
    assert isinstance(left, NotificationSent)
    assert len(running.mails(siv.email)) == 1


@requirement("A9.02")
async def test_a_rule_tells_people_and_administrators_are_told_of_one_that_is_suspended(running: Running) -> None:
    unique = uuid4().hex[:8]
    kari, siv, boss = (
        person(n, name, id=uuid4(), roles=roles).model_copy(update={"email": f"{name.lower()}-{unique}@help.example"})
        for n, (name, roles) in enumerate((("Kari", ("agent",)), ("Siv", ("agent",)), ("Boss", ("admin",))), 1)
    )
    members = tuple(Member(person=each.id, rights=("read", "work")) for each in (kari, siv))
    it = queue().model_copy(update={"members": members})
    siv = siv.model_copy(update={"follows": (it.id,)})
    template = Template(id=uuid4(), slug=f"known-{unique}", name="We know", text="We know of {{ ticket.number }}.")
    await running.happens(it.id, QueueSaved(queue=it))
    await running.happens(template.id, TemplateSaved(document=template))
    for each in (kari, siv, boss):
        await running.happens(each.id, PersonSaved(person=each))
    await running.until_known(it.id, template.id, kari.id, siv.id, boss.id)
    ref, per, ticket = QueueRef(id=it.id, slug=it.slug, name=it.name), customer(), uuid4()
    rule = RuleRef(id=uuid4(), name="Night watch", version=1)
    await running.happens(ticket, queued(queue=ref, customer=per))
    duty = f"duty-{unique}@pager.example"
    told = RuleNotified(
        rule=rule,
        to=("customer", "owner", "followers", duty),
        template=template.slug,
        number=NUMBER,
        title="My computer hums",
        queue=ref,
        customer=per,
        owner=PersonRef(id=kari.id, name="Kari"),
    )
    event = await running.happens(ticket, told)
    await running.until_events(ticket, 9)  # a notice, four mails, and that they were sent
    await running.again(event)
    for address in (per.email, kari.email, siv.email, duty):
        (mail,) = running.mails(address)
        assert mail["Auto-Submitted"] == "auto-generated"
        body = mail.get_body(("plain",))
        assert body is not None and f"We know of {NUMBER}." in body.get_content()
    suspended = RuleSuspended(rule=rule, reason="The queue Night is gone.", ticket=ticket)
    await running.happens(rule.id, suspended)
    events = await running.until_events(ticket, 12)
    given = [each.payload for each in events if isinstance(each.payload, NoticeGiven)]
    assert [(each.kind, set(each.people)) for each in given] == [
        ("rule", {kari.id, siv.id}),
        ("rule_suspended", {boss.id}),
    ]
    (mail,) = running.mails(boss.email)
    assert "A rule was switched off" in str(mail["Subject"])
    assert await running.notify.events(rule.id) == []
