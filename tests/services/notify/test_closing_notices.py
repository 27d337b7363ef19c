"""Closing notices are decided a few seconds after the closing (A5.07, A5.14; decision 0091)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

import pytest

from services.notify.app import policies_of, reactions
from services.notify.deciding import closing_notices
from services.notify.deciding.closing_notices import WAIT, ClosingNotices
from services.notify.read_models import ticket_facts
from services.notify.settings import MailSettings
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.notify import NotificationRequested
from shared.contracts.parts import Message
from shared.contracts.routing import StateChanged
from shared.directory.copy import DirectoryCopy
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN, PENDING_AUTO_CLOSE
from shared.testing.documents import seed
from tests.services.notify.desk import Notify
from tests.specs.notify.tickets import IT_QUEUE, KARI, MOMENT, NUMBER, PER, queued, recorded
from tests.specs.requirement import requirement

BY_TIME = StateChanged(to=CLOSED_SUCCESSFUL, was=PENDING_AUTO_CLOSE, due_at=MOMENT, fired_at=MOMENT)
BY_KARI = StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN, by=KARI)
REOPENED = StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL)


async def made(desk: Notify) -> ClosingNotices:
    await seed(desk.url, IT_QUEUE.model_copy(update={"tells_when_closed": True}))
    copy = DirectoryCopy(desk.pool, desk.url)
    await copy.load()
    policies = policies_of(copy, MailSettings(b"key", "help.example.org", ZoneInfo("UTC")))
    return ClosingNotices(desk.store, reactions(desk.store, policies, WAIT), policies.to_customers)


async def happens(desk: Notify, ticket: UUID, payloads: Sequence[Event], first: int = 1) -> None:
    """Routing's events of a ticket arrive together."""
    events = [
        replace(recorded(each), id=uuid5(ticket, str(n)), stream=ticket, version=n)
        for n, each in enumerate(payloads, first)
    ]
    async with desk.pool.acquire() as connection, connection.transaction():
        await ticket_facts.save(connection, events)
        await closing_notices.save(connection, events)


async def told(desk: Notify, telling: ClosingNotices, ticket: UUID) -> list[Event]:
    """The events that are decided after the wait."""
    await desk.pool.execute("UPDATE notify.closings SET tell_at = tell_at - $1::interval", WAIT)
    while await telling.decide_due(10):
        pass
    return [event.payload for event in await desk.events(ticket)]


@requirement("A5.14", "A10.03")
@pytest.mark.parametrize("closed", [BY_TIME, BY_KARI])
async def test_the_customer_is_told_once_after_the_wait(desk: Notify, closed: StateChanged) -> None:
    telling, ticket = await made(desk), uuid4()
    await happens(desk, ticket, [queued(), closed])
    assert await telling.decide_due(10) == 0
    assert await desk.events(ticket) == []
    (requested,) = await told(desk, telling, ticket)
    assert isinstance(requested, NotificationRequested)
    assert (requested.kind, requested.mail.to[0].email) == ("closed", PER.email)
    assert len(await desk.waiting()) == 1
    await happens(desk, ticket, [queued(), closed])  # what comes again is told again to nobody
    assert await told(desk, telling, ticket) == [requested]


@requirement("A5.07")
@pytest.mark.parametrize("closed", [BY_TIME, BY_KARI])
@pytest.mark.parametrize("together", [True, False])
async def test_a_reopened_ticket_gets_no_closing_notice(desk: Notify, closed: StateChanged, together: bool) -> None:
    telling, ticket = await made(desk), uuid4()
    if together:
        await happens(desk, ticket, [queued(), closed, REOPENED])
    else:
        await happens(desk, ticket, [queued(), closed])
        await happens(desk, ticket, [REOPENED], first=3)
        await happens(desk, ticket, [closed], first=2)  # an old event comes again
    assert await told(desk, telling, ticket) == []


@requirement("A5.14")
@pytest.mark.parametrize(
    ("seconds", "more", "is_told"),
    [(1, {}, False), (-1, {}, True), (1, {"closes": True}, True), (1, {"standing": "unverified"}, True)],
)
async def test_a_customer_who_has_written_since_the_closing_gets_no_closing_notice(
    desk: Notify, seconds: int, more: dict[str, Any], is_told: bool
) -> None:
    """If the queue rejects the message, or opens a new ticket for it, the customer needs no closing notice."""
    telling, ticket = await made(desk), uuid4()
    words = Message(id=uuid4(), channel="email", text="Still?")
    received = recorded(CustomerMessageReceived(number=NUMBER, customer=PER, message=words, **more))
    written = replace(received, stream=ticket, time=MOMENT + timedelta(seconds=seconds))
    await happens(desk, ticket, [queued(), BY_TIME])
    async with desk.pool.acquire() as connection:
        await closing_notices.save(connection, [written])
    assert bool(await told(desk, telling, ticket)) is is_told


async def test_a_second_closing_gets_one_notice(desk: Notify) -> None:
    telling, ticket = await made(desk), uuid4()
    await happens(desk, ticket, [queued(), BY_TIME, REOPENED, BY_KARI])
    assert len(await told(desk, telling, ticket)) == 1
