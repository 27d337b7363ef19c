"""A customer's message that intake gave to a ticket before it heard of the merge, on real PostgreSQL (A7.19, A5.10)."""

from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.routing.app import handlers
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.parts import Message, PersonRef, TicketRef
from shared.contracts.routing import StateChanged, TicketAbsorbed, TicketMerged
from shared.contracts.topics import TICKETS
from shared.eventstore.store import utc_now
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, PENDING_AUTO_CLOSE
from tests.services.routing.workplace import CUSTOMER, KARI, Workplace
from tests.specs.requirement import requirement

BY = PersonRef(id=KARI.person_id, name=KARI.name)


async def merged(desk: Workplace, number: str, into: str) -> UUID:
    """Records that one ticket was merged into another."""
    one, before = await desk.operations.current(number)
    other, after = await desk.operations.current(into)
    refs = [TicketRef(id=stream, number=state.number) for stream, state in ((one, before), (other, after))]
    await desk.record(one, TicketMerged(into=refs[1], was=before.state, by=BY))
    await desk.record(other, TicketAbsorbed(other=refs[0], by=BY))
    return one


async def writes(desk: Workplace, stream: UUID, number: str, *, twice: bool = False, **more: Any) -> None:
    """Intake's event of a message reaches routing's consumer."""
    words = Message(id=uuid7(), channel="email", text="It is not solved.", message_id="<2@customer.example>")
    received = CustomerMessageReceived(number=number, customer=CUSTOMER, message=words, **more)
    now = utc_now()
    event = Recorded(
        uuid7(), received.TYPE, "/services/intake", stream, 1, now, now, uuid7(), None,
        Actor("customer"), None, received,
    )  # fmt: skip
    delivered = Delivered(Position("helpdesk.tickets", 0, 1), stream, encode(event), event)
    handler = handlers(desk.store, desk.operations.directory)[TICKETS]
    for _ in range(2 if twice else 1):
        async with desk.pool.acquire() as connection, connection.transaction():
            assert await handler.work(connection, [delivered], set()) == []


@requirement("A7.19", "A5.10")
@pytest.mark.parametrize("links", [1, 2])
async def test_the_message_opens_the_living_ticket_at_the_end_of_all_merges_once(desk: Workplace, links: int) -> None:
    tickets = [await desk.ticket() for _ in range(links + 1)]
    living, _ = await desk.operations.current(tickets[-1])
    await desk.record(living, StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, at=utc_now()))
    for one, other in pairwise(tickets):
        await merged(desk, one, other)
    stream, _ = await desk.operations.current(tickets[0])
    await writes(desk, stream, tickets[0], twice=True)
    state = await desk.state(tickets[-1])
    assert (state.state.type, state.thread) == ("open", ("<2@customer.example>",))
    assert (await desk.kinds(tickets[-1])).count("StateChanged") == 2


@requirement("A5.07")
async def test_the_message_stops_the_automatic_closing_of_the_living_ticket(desk: Workplace) -> None:
    number, into = await desk.ticket(), await desk.ticket()
    living, _ = await desk.operations.current(into)
    await desk.record(living, StateChanged(to=PENDING_AUTO_CLOSE, was=NEW, pending_until=utc_now(), at=utc_now()))
    await writes(desk, await merged(desk, number, into), number)
    assert (await desk.state(into)).state.type == "open"
    await desk.clock.fire(10)
    assert (await desk.state(into)).state.type == "open"
