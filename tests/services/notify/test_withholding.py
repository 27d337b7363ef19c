"""Rights and tickets change while mails wait: those at the moment of sending count (A10.05, A19.02; decision 0093)."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from services.notify.notices.to_agents import KINDS_TO_AGENTS
from services.notify.read_models import ticket_facts
from shared.contracts.directory import Person, Queue
from shared.contracts.event import Event
from shared.contracts.notify import NotificationKind, NotificationSent, NotificationSuppressed
from shared.contracts.parts import QueueRef, TicketRef
from shared.contracts.routing import StateChanged, TicketMerged, TicketMoved, TicketRemoved
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from shared.testing.documents import seed
from tests.services.notify.desk import PER, MailServer, Notify, sending, smtp
from tests.specs.notify.tickets import IT, KARI, person, queued, recorded, team
from tests.specs.requirement import requirement

KARI_PERSON, OLA = person(1, "Kari"), person(2, "Ola")
KINDS = sorted(KINDS_TO_AGENTS)
SECRET = QueueRef(id=UUID(int=13), slug="secret", name="Secret")
SECRET_QUEUE = Queue(id=SECRET.id, slug="secret", name="Secret")


async def happens(desk: Notify, ticket: UUID, *payloads: Event) -> None:
    """Routing's events of a ticket arrive."""
    events = [replace(recorded(each), stream=ticket, version=n) for n, each in enumerate((queued(), *payloads), 1)]
    async with desk.pool.acquire() as connection:
        await ticket_facts.save(connection, events)


async def comes_of(desk: Notify, server: MailServer, ticket: UUID) -> list[Event]:
    """The events after a sender has tried the ticket's mail."""
    await desk.hurry()
    async with sending(desk, smtp(server)) as sender:
        await desk.settled(sender, ticket)
    return [event.payload for event in (await desk.events(ticket))[1:]]


@requirement("A10.05")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_notice_reaches_readers_of_the_ticket(desk: Notify, server: MailServer, kind: NotificationKind) -> None:
    await seed(desk.url, team(KARI_PERSON), KARI_PERSON)
    ticket, _ = await desk.request(KARI_PERSON.email, kind=kind, queue=IT.id)
    await happens(desk, ticket)
    (sent,) = await comes_of(desk, server, ticket)
    assert isinstance(sent, NotificationSent)
    assert [each.rcpt_tos for each in server.received] == [[KARI_PERSON.email]]


@requirement("A19.02")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "what",
    [
        "the right is gone",
        "the person is a customer",
        "nobody has that address",
        "it was moved",
        "it was merged",
        "it was removed",
    ],
)
async def test_agents_who_may_no_longer_read_the_ticket_get_nothing(
    desk: Notify, server: MailServer, kind: NotificationKind, what: str
) -> None:
    reader: Person = KARI_PERSON
    if what == "the person is a customer":
        reader = reader.model_copy(update={"roles": ("customer",)})
    if what == "nobody has that address":
        reader = reader.model_copy(update={"email": "another@help.example"})
    await seed(desk.url, team(OLA) if what == "the right is gone" else team(KARI_PERSON), SECRET_QUEUE, reader)
    ticket, notification = await desk.request(KARI_PERSON.email, kind=kind, queue=IT.id)
    later: list[Event] = []
    if what == "it was moved":
        later = [TicketMoved(to=SECRET, was=IT)]
    if what == "it was removed":
        later = [TicketRemoved(because="split undone", was=NEW)]
    if what == "it was merged":
        living = uuid4()
        await happens(desk, living, TicketMoved(to=SECRET, was=IT))
        later = [TicketMerged(into=TicketRef(id=living), was=NEW, by=KARI)]
    await happens(desk, ticket, *later)
    (outcome,) = await comes_of(desk, server, ticket)
    assert isinstance(outcome, NotificationSuppressed)
    assert (outcome.kind, outcome.article) == (kind, notification)
    assert "may not read the ticket any more" in outcome.reason
    assert server.received == []
    assert await desk.waiting() == []


@requirement("A9.02")
@pytest.mark.parametrize(
    ("reader", "queue", "leaves"),
    [
        (None, team(OLA), True),
        (KARI_PERSON, team(KARI_PERSON), True),
        (KARI_PERSON, team(OLA), False),
        (KARI_PERSON.model_copy(update={"roles": ("customer",)}), team(KARI_PERSON), False),
    ],
)
async def test_a_rules_mail_leaves_for_an_address_of_nobody_here_and_for_readers(
    desk: Notify, server: MailServer, reader: Person | None, queue: Queue, leaves: bool
) -> None:
    await seed(desk.url, queue, *([reader] if reader is not None else []))
    ticket, _ = await desk.request(KARI_PERSON.email, kind="rule", queue=IT.id)
    await happens(desk, ticket)
    (outcome,) = await comes_of(desk, server, ticket)
    assert isinstance(outcome, NotificationSent if leaves else NotificationSuppressed)
    assert bool(server.received) is leaves


async def test_other_readers_get_the_notice_and_the_log_says_who_did_not(desk: Notify, server: MailServer) -> None:
    await seed(desk.url, team(OLA), KARI_PERSON, OLA)
    ticket, notification = await desk.request(KARI_PERSON.email, OLA.email, kind="reminder", queue=IT.id)
    await happens(desk, ticket)
    sent, withheld = await comes_of(desk, server, ticket)
    assert isinstance(sent, NotificationSent)
    assert withheld == NotificationSuppressed(
        kind="reminder", article=notification, reason=f"{KARI_PERSON.email} may not read the ticket any more"
    )
    assert [each.rcpt_tos for each in server.received] == [[OLA.email]]
    assert KARI_PERSON.email not in str(server.mails()[0]["To"])


@requirement("A5.14")
async def test_a_closing_notice_is_not_sent_if_the_ticket_was_reopened(desk: Notify, server: MailServer) -> None:
    ticket, notification = await desk.request(PER, kind="closed", queue=IT.id)
    await happens(
        desk,
        ticket,
        StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN),
        StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL),
    )
    (outcome,) = await comes_of(desk, server, ticket)
    assert outcome == NotificationSuppressed(
        kind="closed", article=notification, reason="the ticket is not closed any more"
    )
    assert server.received == []
