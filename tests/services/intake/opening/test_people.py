"""Tickets belong to people and not to addresses: effects of new, changed and removed records, on real PostgreSQL."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.intake.mail.reading_pool import Readers
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom
from services.intake.records import customer_claims
from services.intake.records.mails import Mail
from services.intake.records.records import Records
from services.intake.schema import MIGRATIONS
from shared.contracts.directory import Company, Person
from shared.contracts.intake import CustomerIdentified, CustomerMessageReceived, TicketOpened
from shared.contracts.parts import CustomerRef
from shared.database import Connection, connect_pool
from shared.directory.projection import OWNER, DirectoryProjection, row_of
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Store
from shared.rules.customer_ids import by_address
from shared.runtime.failpoints import FailpointRaised
from shared.testing.older import before
from tests.services.intake.conftest import open_mailroom
from tests.services.intake.reception import POSTMASTER, SALES, mail

ANN = Person(id=UUID(int=201), login="ann", name="Ann Record", email="ann@one.example", roles=("customer",))
BO = Person(id=UUID(int=202), login="bo", name="Bo Record", email="bo@two.example", roles=("customer",))
WALTON = Company(id=UUID(int=210), slug="walton", name="Walton", domains=("xn--kjtt-hra.example",))


class Front:
    """The mailroom, and the directory that it uses."""

    def __init__(self, mailroom: Mailroom) -> None:
        self.mailroom, self.pool = mailroom, mailroom.records.pool
        self.versions: dict[UUID, int] = {}

    async def save(self, document: Person | Company, *, retired: bool = False) -> None:
        version = self.versions[document.id] = self.versions.get(document.id, 0) + 1
        row = replace(row_of(document), retired=retired, seen={OWNER: (version, uuid4())})
        async with self.pool.acquire() as connection:
            await DirectoryProjection().save(connection, {document.id: row})

    async def mail(self, sender: str, **fields: str) -> Mail:
        raw = mail(From=sender, Message_ID=f"<{uuid4().hex}@x.example>", **fields)
        return await self.mailroom.take(raw, Envelope(sender, ("it@help.example",)))

    async def opened_by(self, sender: str) -> tuple[Mail, CustomerRef]:
        taken = await self.mail(sender)
        assert taken.outcome == "created", taken
        assert taken.ticket_id is not None
        (event,) = await self.mailroom.records.store.load(taken.ticket_id)
        assert isinstance(event.payload, TicketOpened)
        return taken, event.payload.customer

    async def standing(self, sender: str, number: str | None) -> str:
        """The standing of somebody who knows a ticket's number."""
        taken = await self.mail(sender, Subject=f"Re: [Ticket#{number}] x")
        assert taken.ticket_id is not None
        history = await self.mailroom.records.store.load(taken.ticket_id)
        assert isinstance(history[-1].payload, CustomerMessageReceived)
        return history[-1].payload.standing

    async def claims(self) -> dict[UUID, UUID]:
        rows = await self.pool.fetch("SELECT customer_id, person_id FROM directory.identities")
        return {row["customer_id"]: row["person_id"] for row in rows}


@pytest.fixture
def front(mailroom: Mailroom) -> Front:
    return Front(mailroom)


async def test_who_was_known_by_an_address_is_the_first_person_that_gets_a_record_with_it(front: Front) -> None:
    _, unknown = await front.opened_by("ann@one.example")
    await front.save(ANN)
    assert await front.claims() == {unknown.id: ANN.id}
    _, known = await front.opened_by("Ann@ONE.example")
    assert (known.id, known.name) == (ANN.id, "Ann Record")


async def test_an_address_that_was_given_up_leads_to_nobodys_earlier_tickets(front: Front) -> None:
    _, first = await front.opened_by("ann@one.example")
    await front.save(ANN)
    moved = ANN.model_copy(update={"email": "ann@three.example"})
    await front.save(moved)
    _, between = await front.opened_by("ann@one.example")
    assert between.id not in (ANN.id, first.id)
    await front.save(BO.model_copy(update={"email": "ann@one.example"}))
    assert await front.claims() == {first.id: ANN.id, between.id: BO.id}
    assert (await front.opened_by("ann@one.example"))[1].id == BO.id
    assert (await front.opened_by("ann@three.example"))[1].id == ANN.id


async def test_documents_of_two_people_may_come_in_either_order(front: Front) -> None:
    await front.save(ANN)
    await front.save(BO.model_copy(update={"email": ANN.email}))  # here before the news that Ann has another address
    await front.save(ANN.model_copy(update={"email": "ann@three.example"}))
    assert (await front.opened_by(ANN.email))[1].id == BO.id
    assert (await front.opened_by("ann@three.example"))[1].id == ANN.id
    assert await front.claims() == {}


async def test_people_who_left_have_no_address(front: Front) -> None:
    await front.save(ANN)
    await front.save(ANN, retired=True)
    assert (await front.opened_by(ANN.email))[1].id != ANN.id
    await front.save(ANN)
    assert (await front.opened_by(ANN.email))[1].id == ANN.id


async def test_participation_follows_the_person(front: Front) -> None:
    await front.save(ANN)
    taken, _ = await front.opened_by(ANN.email)
    await front.save(ANN.model_copy(update={"email": "ann@three.example"}))
    await front.save(BO.model_copy(update={"email": ANN.email}))
    assert await front.standing("ann@three.example", taken.number) == "participant"
    assert await front.standing(ANN.email, taken.number) == "unverified"


async def test_who_was_put_in_copy_takes_part_as_a_person(front: Front) -> None:
    taken, _ = await front.opened_by("per@customer.example")
    add = "INSERT INTO intake.participants (ticket_id, email, outsider, person_id) VALUES ($1, $2, false, intake.person_with($2))"
    await front.pool.execute(add, taken.ticket_id, ANN.email)
    await front.save(ANN)
    await front.save(ANN.model_copy(update={"email": "ann@three.example"}))
    await front.save(BO.model_copy(update={"email": ANN.email}))
    assert await front.standing("ann@three.example", taken.number) == "participant"
    assert await front.standing(ANN.email, taken.number) == "unverified"


async def test_two_spellings_of_a_domain_are_one_customer(front: Front) -> None:
    _, one = await front.opened_by("ida@kjøtt.example")
    _, other = await front.opened_by("Ida@XN--KJTT-HRA.example")
    assert one == other
    assert one.email == "ida@xn--kjtt-hra.example"


async def test_a_mail_domain_tells_the_company_unless_the_record_does(front: Front) -> None:
    await front.save(WALTON)
    assert (await front.opened_by("ida@kjøtt.example"))[1].company == "walton"
    assert (await front.opened_by("ida@shop.xn--kjtt-hra.example"))[1].company is None
    await front.save(ANN.model_copy(update={"email": "ann@xn--kjtt-hra.example", "company": "acme"}))
    assert (await front.opened_by("ann@kjøtt.example"))[1].company == "acme"
    await front.save(WALTON, retired=True)
    assert (await front.opened_by("ida@kjøtt.example"))[1].company is None


async def test_writing_from_a_companys_domain_lets_nobody_into_its_tickets(front: Front) -> None:
    await front.save(WALTON)
    await front.save(ANN.model_copy(update={"email": "ann@xn--kjtt-hra.example", "company": "walton"}))
    taken, _ = await front.opened_by("ann@kjøtt.example")
    assert await front.standing("anybody@kjøtt.example", taken.number) == "unverified"
    await front.save(BO.model_copy(update={"company": "walton"}))
    assert await front.standing(BO.email, taken.number) == "participant"


async def test_whom_the_desk_named_by_an_address_is_who_writes_from_it(front: Front) -> None:
    named = by_address("new@four.example")
    async with front.pool.acquire() as connection:
        await desk_named(connection, named, "new@four.example")
    assert (await front.opened_by("new@four.example"))[1].id == named
    _, wrote = await front.opened_by("old@four.example")
    other = by_address("old@four.example")
    async with front.pool.acquire() as connection:
        await desk_named(connection, other, "old@four.example")
    await front.save(ANN.model_copy(update={"email": "old@four.example"}))
    assert await front.claims() == {wrote.id: ANN.id, other: ANN.id}
    async with front.pool.acquire() as connection:
        await desk_named(connection, uuid4(), "old@four.example")  # before the desk knew of the record
    assert set((await front.claims()).values()) == {ANN.id}
    assert len(await front.claims()) == 3


async def desk_named(connection: Connection, customer: UUID, address: str) -> None:
    await connection.execute(customer_claims.DESK_NAMED, customer, address, "")


async def test_every_claim_is_announced_once_whatever_restarts(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    customers = [(await front.opened_by(f"n{n}@one.example"))[1].id for n in range(3)]
    for n in range(3):
        await front.save(ANN.model_copy(update={"id": UUID(int=300 + n), "email": f"n{n}@one.example"}))
    store = front.mailroom.records.store

    def stopped(_: str) -> None:
        raise FailpointRaised("stopped")

    with monkeypatch.context() as broken:
        broken.setattr(customer_claims, "hit", stopped)
        with pytest.raises(FailpointRaised):
            await announced(front)
    assert [await announced(front), await announced(front)] == [3, 0]
    told = await front.pool.fetch(
        "SELECT stream_id FROM es.events WHERE type = $1 ORDER BY data ->> 'person'", CustomerIdentified.TYPE
    )
    payloads = [(await store.load(row["stream_id"]))[0].payload for row in told]
    assert payloads == [CustomerIdentified(customer=c, person=UUID(int=300 + n)) for n, c in enumerate(customers)]


async def announced(front: Front) -> int:
    async with front.pool.acquire() as connection, connection.transaction():
        return await customer_claims.announce(connection, front.mailroom.records.store)


OLD_TICKET = "INSERT INTO intake.tickets (ticket_id, number, customer_id, email) VALUES ($1, $2, $3, $4)"
OLD_CUSTOMER = "INSERT INTO intake.customers (customer_id, email, name) VALUES ($1, $2, '')"
OLD_DOCUMENT = "SELECT directory.save($1, $2, $3, $4, $5, $6, $7, $8)"


async def test_tickets_of_an_earlier_release_are_their_peoples(postgres: Any, tmp_path: Path) -> None:
    owner_url, url = postgres.database("upgrade")
    await migrate(owner_url, url, *before(80, MIGRATIONS, tmp_path))
    pool = await connect_pool(url)
    asked, stranger, elsewhere = (UUID(int=n) for n in (401, 402, 403))
    for customer, address in ((asked, ANN.email), (stranger, "who@one.example"), (elsewhere, "ida@kjøtt.example")):
        await pool.execute(OLD_CUSTOMER, customer, address)
        await pool.execute(OLD_TICKET, uuid4(), str(customer.int), customer, None)
    await pool.execute(OLD_TICKET, uuid4(), "set", stranger, BO.email)  # the desk made this one somebody else's
    rows = [row_of(ANN), row_of(BO), replace(row_of(BO), retired=True)]
    ids = [ANN.id, BO.id, uuid4()]
    await pool.execute(
        OLD_DOCUMENT, ids, ["person"] * 3, [row.slug for row in rows], [row.email for row in rows],
        [row.retired for row in rows], [row.document for row in rows], [1] * 3, [uuid4() for _ in rows],
    )  # fmt: skip
    await migrate(owner_url, url, *MIGRATIONS)
    store = Store(pool, "intake")
    for _ in range(2):  # a second start changes nothing
        async with pool.acquire() as connection, connection.transaction():
            await customer_claims.finish_migration(connection)
            await customer_claims.announce(connection, store)
    claims = {row["customer_id"]: row["person_id"] for row in await pool.fetch("TABLE intake.claims")}
    assert claims == {asked: ANN.id, by_address(BO.email): BO.id}
    assert await pool.fetchval("SELECT count(*) FROM es.events") == 2
    customers = {row["email"]: row["customer_id"] for row in await pool.fetch("TABLE intake.customers")}
    assert customers == {
        ANN.email: ANN.id,
        BO.email: BO.id,
        "who@one.example": stranger,
        "ida@xn--kjtt-hra.example": elsewhere,
    }
    resolved = await Records(pool, store).tickets.resolve(number="set")
    assert resolved is not None
    assert resolved.target.customer_id is not None
    assert claims[resolved.target.customer_id] == BO.id
    await pool.close()


async def test_a_queue_in_another_script_gets_its_mail_however_it_is_addressed(
    postgres: Any, tmp_path: Path, readers: Readers
) -> None:
    help_desk = SALES.model_copy(update={"address": "hjelp@xn--kjtt-hra.example"})
    async with open_mailroom(postgres, tmp_path, readers, POSTMASTER, help_desk) as mailroom:
        for address in ("Hjelp@Kjøtt.example", "hjelp+any@XN--KJTT-HRA.example", "<hjelp@kjøtt.example.>"):
            raw = mail(To=address, Message_ID=f"<{uuid4().hex}@x.example>")
            taken = await mailroom.take(raw, Envelope("per@customer.example", (address,)))
            assert taken.ticket_id is not None
            (event,) = await mailroom.records.store.load(taken.ticket_id)
            assert isinstance(event.payload, TicketOpened)
            assert event.payload.queue.id == SALES.id, address
