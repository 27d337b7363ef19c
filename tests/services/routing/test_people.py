"""Customers and lock holders whose records change or end, on real PostgreSQL."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.routing import former_agents
from services.routing.schema import MIGRATIONS
from shared.contracts.directory import Company, Person
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, PersonRef, QueueRef
from shared.contracts.routing import AgentReplied, TicketLocked, TicketQueued, TicketUnlocked
from shared.database import connect_pool
from shared.directory.projection import OWNER, DirectoryProjection, DocumentRow, row_of
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Append, Context, NewEvent, Store
from shared.rules.states import NEW
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from shared.testing.older import before
from tests.services.routing.workplace import KARI, OLA, Workplace

LENA = Person(id=UUID(int=51), login="lena", name="Lena Lund", email="lena@kunde.example", roles=("customer",))
IVO = Person(id=UUID(int=52), login="ivo", name="Ivo", email="ivo@help.example", roles=("agent",))
FIRM = Company(id=UUID(int=53), slug="firm", name="Firm", domains=("firm.example",))


async def save(desk: Workplace, document: Person | Company, version: int = 1, *, retired: bool = False) -> None:
    """Saves a document as the consumer of the directory does."""
    row = replace(row_of(document), retired=retired, seen={OWNER: (version, uuid4())})
    async with desk.pool.acquire() as connection, connection.transaction():
        await DirectoryProjection().save(connection, {document.id: row})
        await former_agents.set_timers(connection)
    await desk.operations.directory.load()


async def identify(desk: Workplace, customer: UUID, person: UUID) -> None:
    row = DocumentRow(identified=(customer, person), seen={"intake": (1, uuid4())})
    async with desk.pool.acquire() as connection:
        await DirectoryProjection().save(connection, {uuid4(): row})
    await desk.operations.directory.load()


async def customer_of(desk: Workplace, number: str) -> CustomerRef:
    customer = (await desk.state(number)).customer
    assert customer is not None
    return customer


@pytest.mark.parametrize(
    "wrong",
    ["someone at all@", "@firm.example", "a@firm@example", "a b@firm.example", "Lena <lena@firm.example>",
     "<i>@firm", "nobody-here", "a..b@firm.example"],
)  # fmt: skip
async def test_an_unknown_name_that_is_no_address_is_refused_as_customer(desk: Workplace, wrong: str) -> None:
    number = await desk.ticket()
    before = await customer_of(desk, number)
    answer = await desk.give(number, "set-customer", {"customer": wrong})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/customer")
    assert await customer_of(desk, number) == before


async def test_a_customer_who_asked_before_keeps_id_and_name(desk: Workplace) -> None:
    await save(desk, FIRM)
    asked = CustomerRef(id=uuid4(), email="uma@firm.example", name="Uma")
    await desk.ticket(customer=asked)
    number = await desk.ticket()
    await desk.done(number, "set-customer", {"customer": " Uma@FIRM.example "})
    assert await customer_of(desk, number) == asked.model_copy(update={"company": "firm"})


async def test_an_address_that_a_person_gave_up_does_not_name_them(desk: Workplace) -> None:
    first, second = await desk.ticket(), await desk.ticket()
    await desk.done(first, "set-customer", {"customer": "lena@kunde.example"})
    unknown = await customer_of(desk, first)
    await desk.done(second, "set-customer", {"customer": "LENA@kunde.example"})
    assert await customer_of(desk, second) == unknown
    await save(desk, LENA)
    await identify(desk, unknown.id, LENA.id)
    third, fourth = await desk.ticket(), await desk.ticket()
    await desk.done(third, "set-customer", {"customer": "lena@kunde.example"})
    assert (await customer_of(desk, third)).id == LENA.id
    await save(desk, LENA.model_copy(update={"email": "lena@other.example"}), 2)
    await desk.done(fourth, "set-customer", {"customer": "lena@kunde.example"})
    assert (await customer_of(desk, fourth)).id not in (LENA.id, unknown.id)


@pytest.mark.parametrize("known_by", ["record", "address"])
async def test_an_answer_goes_to_the_current_address_of_the_customer(desk: Workplace, known_by: str) -> None:
    lena = LENA.model_copy(update={"id": uuid4(), "login": f"lena-{known_by}"})
    asked = CustomerRef(id=lena.id if known_by == "record" else uuid4(), email=lena.email, name="L")
    number = await desk.ticket(customer=asked)
    await save(desk, lena.model_copy(update={"email": f"lena@{known_by}.example", "name": "Lena Berg"}), 2)
    if known_by == "address":
        await identify(desk, asked.id, lena.id)
    await desk.done(number, "reply", {"text": "Here.", "state": "closed-successful"})
    events = [event.payload for event in await desk.events(number)]
    replied = next(each for each in events if isinstance(each, AgentReplied))
    assert [(to.email, to.name) for to in replied.message.to] == [(f"lena@{known_by}.example", "Lena Berg")]
    assert (replied.customer.id, replied.customer.name) == (lena.id, "Lena Berg")
    await save(desk, lena, 3, retired=True)
    await desk.done(number, "reply", {"text": "Once more."})
    last = [event.payload for event in await desk.events(number) if isinstance(event.payload, AgentReplied)][-1]
    assert [to.email for to in last.message.to] == [lena.email], (
        "whoever has no record any longer is written to as they asked"
    )


async def test_the_locks_of_an_agent_who_leaves_end_once(desk: Workplace) -> None:
    await save(desk, IVO)
    left = await held_by_ivo(desk, 5)
    theirs = await desk.ticket()
    await desk.done(theirs, "lock", who=OLA)
    taken_over = left.pop()
    await save(desk, IVO, 2, retired=True)
    # Between the news and the worker's turn somebody else took this one.
    await desk.done(taken_over, "lock", {"take_over": True, "text": "Ivo has left"})
    failpoints.arm("timers.before_commit=raise")
    with pytest.raises(FailpointRaised):
        await desk.clock.fire(100)
    failpoints.arm("")
    await save(desk, IVO, 3, retired=True)
    while await desk.clock.fire(2) == 2:
        pass
    for number in left:
        last = (await desk.events(number))[-1]
        assert isinstance(last.payload, TicketUnlocked)
        assert (last.payload.because, last.payload.was.id, last.actor.kind) == ("left", IVO.id, "system")
        assert (await desk.kinds(number)).count("TicketUnlocked") == 1
        state = await desk.state(number)
        assert state.owner is not None
        assert state.owner.id == IVO.id
    for number, holder in ((theirs, OLA), (taken_over, KARI)):
        state = await desk.state(number)
        assert state.locked_by is not None
        assert state.locked_by.id == holder.person_id
    assert await desk.pool.fetchval("SELECT count(*) FROM routing.timers WHERE kind = 'left'") == 0


async def test_the_locks_of_a_person_who_is_no_longer_an_agent_end_too(desk: Workplace) -> None:
    ivo = IVO.model_copy(update={"id": uuid4(), "login": "ivo-2"})
    await save(desk, ivo)
    (number,) = await held_by_ivo(desk, 1, ivo)
    await save(desk, ivo.model_copy(update={"roles": ("customer",)}), 2)
    await desk.clock.fire(100)
    assert (await desk.state(number)).locked_by is None


async def held_by_ivo(desk: Workplace, tickets: int, ivo: Person = IVO) -> list[str]:
    who = KARI.model_copy(
        update={"person_id": ivo.id, "login": ivo.login, "name": ivo.name, "kind": "admin", "roles": ("admin",)}
    )
    numbers = [await desk.ticket() for _ in range(tickets)]
    for number in numbers:
        await desk.done(number, "lock", who=who)
    return numbers


async def test_a_migration_reads_what_an_earlier_release_recorded(postgres: Any, tmp_path: Path) -> None:
    owner_url, url = postgres.database("upgrade")
    await migrate(owner_url, url, *before(80, MIGRATIONS, tmp_path))
    pool = await connect_pool(url)
    store = Store(pool, "routing")
    place = QueueRef(id=UUID(int=1), slug="it", name="IT")
    ivo = PersonRef(id=IVO.id, name="Ivo")
    locks: tuple[list[Event], ...] = ([TicketLocked(by=ivo)], [TicketLocked(by=ivo), TicketUnlocked(was=ivo)], [])
    tickets = [uuid4() for _ in locks]
    named = CustomerRef(id=uuid4(), email="uma@firm.example", name="Uma")
    for n, (ticket, more) in enumerate(zip(tickets, locks, strict=True)):
        customer = named if n == 0 else named.model_copy(update={"name": ""})
        queued = TicketQueued(
            number=str(n), title="x", queue=place, customer=customer, state=NEW, priority=3, channel="email"
        )
        made = Append(ticket, "ticket", 0, tuple(map(NewEvent, (queued, *more))), Context(Actor("system")))
        await store.append([made])
    await migrate(owner_url, url, *MIGRATIONS)
    held = {row["ticket_id"]: row["person_id"] for row in await pool.fetch("TABLE routing.locks")}
    assert held == {tickets[0]: IVO.id}
    known = [tuple(row) for row in await pool.fetch("SELECT email, customer_id, name FROM routing.customers")]
    assert known == [(named.email, named.id, "Uma")]
    await pool.close()
