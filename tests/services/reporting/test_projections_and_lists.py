"""Rows from events on real PostgreSQL, however the events are batched; lists in pages, of what one may see."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.reporting.generations.projection_sets import projection_sets
from services.reporting.schema import MIGRATIONS
from services.reporting.tickets import ticket_list
from services.reporting.tickets.projection import TicketProjection
from services.reporting.tickets.read_model.ticket_row import ColumnFilters, TicketRow
from services.reporting.tickets.ticket_list import ORDERS, Filters, count_statement, statement
from services.reporting.visibility import Scope
from shared.contracts.envelope import Recorded, encode
from shared.contracts.event import Event
from shared.contracts.intake import AutomaticMailReceived, FailedRecipient, TicketOpened
from shared.contracts.notify import NotificationFailed, NotificationRequested, NotificationSent
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import (
    AgentReplied,
    StateChanged,
    TicketLocked,
    TicketQueued,
    TicketUnlocked,
    TimeAccounted,
)
from shared.contracts.topics import TICKETS
from shared.database import Pool, connect, connect_pool
from shared.eventstore.migrations import migrate
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.projections import sets
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from shared.testing.samples import sample
from tests.services.reporting.reporting_database import ZONE, Log
from tests.specs.requirement import requirement

IT, HR = (QueueRef(id=UUID(int=n), slug=s, name=s.upper()) for n, s in ((10, "it"), (11, "hr")))
KARI = PersonRef(id=UUID(int=1), name="Kari")


@dataclass
class Reporting:
    owner: Any
    pool: Pool
    app_url: str

    async def generation(self, name: str) -> int:
        return await sets.begin(self.owner, projection_sets(ZONE)[name], self.app_url)

    async def work(
        self,
        name: str,
        generation: int,
        batches: Sequence[Sequence[Recorded]],
        offsets: Mapping[UUID, int] | None = None,
    ) -> None:
        """Works through the batches; an event's offset is its place in them, or that in `offsets`."""
        handler = projection_sets(ZONE)[name].handlers(generation)[TICKETS]
        at = offsets or {event.id: n for n, event in enumerate(chain.from_iterable(batches))}
        for batch in batches:
            deliveries = [
                Delivered(Position(TICKETS, 0, at[event.id]), event.stream, encode(event), event) for event in batch
            ]
            async with self.pool.acquire() as connection, connection.transaction():
                assert await handler.work(connection, deliveries, set()) == []

    async def listed(
        self, scope: Scope, wanted: Filters | None = None, sort: str = "default", step: int = 200
    ) -> list[str]:
        """Ticket numbers of a whole list, page by page."""
        numbers: list[str] = []
        after: list[Any] | None = None
        while True:
            text, arguments = statement(scope, wanted or Filters(), sort, after, step)
            rows = await self.pool.fetch(text, *arguments)
            numbers += [row["number"] for row in rows]
            if len(rows) < step:
                return numbers
            after = [rows[-1][column] for column, _ in ORDERS[sort]]


@pytest.fixture
async def reporting(postgres: Any) -> AsyncIterator[Reporting]:
    owner_url, app_url = postgres.database("reporting")
    await migrate(owner_url, app_url, *MIGRATIONS)
    owner, pool = await connect(owner_url), await connect_pool(app_url)
    yield Reporting(owner, pool, app_url)
    await pool.close()
    await owner.close()


def opened(
    number: str,
    queue: QueueRef = IT,
    priority: int = 3,
    customer: UUID = UUID(int=20),
    company: str | None = None,
) -> TicketOpened:
    return TicketOpened(
        number=number,
        title="hums",
        queue=queue,
        customer=CustomerRef(id=customer, email=f"{customer.int}@customer.example", company=company),
        channel="email",
        priority=priority,
        message=Message(id=uuid7(), channel="email", text="It hums."),
    )


def queued(number: str, queue: QueueRef = IT, priority: int = 3) -> TicketQueued:
    customer = CustomerRef(id=UUID(int=20), email="per@customer.example")
    return TicketQueued(
        number=number, title="hums", queue=queue, customer=customer, state=NEW, priority=priority, channel="email"
    )


def busy_log(seed: int) -> list[Recorded]:
    """The events of a few tickets, mixed."""
    chance, log = random.Random(seed), Log()
    requested = NotificationRequested.model_validate(sample(NotificationRequested))
    sent, failed = (cls.model_validate(sample(cls)) for cls in (NotificationSent, NotificationFailed))
    replied = AgentReplied.model_validate(sample(AgentReplied))
    for n in range(6):
        log.add(UUID(int=100 + n), opened(str(n), chance.choice((IT, HR))))
    for _ in range(60):
        reply = replied.model_copy(update={"message": replied.message.model_copy(update={"id": uuid7()})})
        steps: list[tuple[Event, ...]] = [
            (queued("0", chance.choice((IT, HR))),),
            (TicketLocked(by=KARI),),
            (TicketUnlocked(was=KARI),),
            (StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN),),
            (StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL),),
            (
                reply,
                requested.model_copy(
                    update={"kind": "answer", "article": reply.message.id, "notification": reply.message.id}
                ),
            ),
            (sent,),
            (failed,),
            (TimeAccounted(by=KARI, units=1.5),),
            _came_back(reply, requested),
            (requested.model_copy(update={"article": uuid7(), "notification": uuid7()}),),
        ]
        log.add(UUID(int=100 + chance.randrange(6)), *chance.choice(steps))
    return log.events


def _came_back(reply: AgentReplied, requested: NotificationRequested) -> tuple[Event, ...]:
    """An answer that two reports say was not delivered; the first comes before the answer is recorded as sent."""
    article = reply.message.id
    mail = requested.mail.model_copy(update={"message_id": f"<{article}@help.example>"})
    report = AutomaticMailReceived(
        number="0",
        kind="failure",
        about=mail.message_id,
        recipients=(FailedRecipient(recipient="a@x.example"),),
        message=Message(id=uuid7(), channel="email"),
    )
    return (
        reply,
        requested.model_copy(update={"kind": "answer", "article": article, "notification": article, "mail": mail}),
        report,
        NotificationSent(notification=article, transport="smtp"),
        report.model_copy(update={"message": Message(id=uuid7(), channel="email")}),
    )


@pytest.mark.parametrize("name", ["desk", "stats", "reports"])
@pytest.mark.parametrize("seed", range(4))
async def test_rows_are_the_same_however_the_events_were_batched(reporting: Reporting, name: str, seed: int) -> None:
    events, chance = busy_log(seed), random.Random(seed)
    cuts = sorted({0, len(events), *(chance.randrange(len(events)) for _ in range(15))})
    one, other = [await reporting.generation(name) for _ in range(2)]
    await reporting.work(name, one, [events])
    await reporting.work(name, other, [events[a:b] for a, b in pairwise(cuts)])
    assert set((await sets.differences(reporting.owner, projection_sets(ZONE)[name], one, other)).values()) == {0}
    await reporting.work(name, other, [events])  # events that come again change nothing
    assert set((await sets.differences(reporting.owner, projection_sets(ZONE)[name], one, other)).values()) == {0}


class FailingHalfway(TicketProjection):
    """Fails at one event, after it has changed the row."""

    def __init__(self, schema: str, poison: UUID) -> None:
        super().__init__(schema)
        self.poison = poison

    def apply(self, row: TicketRow | None, event: Recorded, position: Position) -> TicketRow:
        changed = super().apply(row, event, position)
        if event.id == self.poison:
            raise ValueError("poison")
        return changed


@pytest.mark.parametrize("stored", [0, 2])
async def test_an_event_that_fails_halfway_does_not_change_the_row(reporting: Reporting, stored: int) -> None:
    """Whether earlier events of the ticket are in the table already (`stored`) or in the same batch."""
    log, ticket = Log(), uuid7()
    log.add(
        ticket,
        opened("1"),
        queued("1"),
        TicketLocked(by=KARI),
        StateChanged(to=OPEN, was=NEW),
        TicketUnlocked(was=KARI),
    )
    log.add(uuid7(), opened("2"))
    poison, rest = log.events[3], [*log.events[:3], log.events[5]]
    one, other = [await reporting.generation("desk") for _ in range(2)]
    await reporting.work("desk", one, [rest], {event.id: n for n, event in enumerate(log.events)})
    await reporting.work("desk", other, [log.events[:stored]] if stored else [])
    handler = ProjectionHandler(FailingHalfway(f"desk_v{other}", poison.id))
    deliveries = [Delivered(Position(TICKETS, 0, n), e.stream, encode(e), e) for n, e in enumerate(log.events)]
    async with reporting.pool.acquire() as connection, connection.transaction():
        aside = await handler.work(connection, deliveries[stored:], set())
    assert [(each.delivery.position.offset, each.new) for each in aside] == [(3, True), (4, False)]
    assert set((await sets.differences(reporting.owner, projection_sets(ZONE)["desk"], one, other)).values()) == {0}


async def _live(reporting: Reporting, events: Sequence[Recorded]) -> None:
    generation = await reporting.generation("desk")
    await reporting.work("desk", generation, [events])
    await sets.promote(reporting.owner, projection_sets(ZONE)["desk"], generation, reporting.app_url)


EVERYTHING = Scope((IT.id, HR.id), (), None)
PER, PIA, X = (UUID(int=n) for n in (20, 21, 22))


@pytest.mark.parametrize("sort", sorted(ORDERS))
async def test_pages_give_each_ticket_once(reporting: Reporting, sort: str) -> None:
    log, chance = Log(), random.Random(1)
    for n in range(40):
        log.add(uuid7(), opened(f"{n:03}", chance.choice((IT, HR)), chance.choice((1, 3, 5))))
    await _live(reporting, log.events)
    whole = await reporting.listed(EVERYTHING, sort=sort)
    assert sorted(whole) == [f"{n:03}" for n in range(40)]
    assert await reporting.listed(EVERYTHING, sort=sort, step=7) == whole


@requirement("A3.05", "A4.01")
async def test_the_default_order_is_priority_then_age(reporting: Reporting) -> None:
    log = Log()
    for number, priority in (("old", 3), ("low", 1), ("young", 3), ("urgent", 5)):
        log.add(uuid7(), opened(number, priority=priority))
    await _live(reporting, log.events)
    assert await reporting.listed(EVERYTHING) == ["urgent", "old", "young", "low"]


async def test_a_list_shows_only_tickets_of_its_scope(reporting: Reporting) -> None:
    log = Log()
    log.add(uuid7(), opened("in it", IT))
    log.add(uuid7(), opened("in hr", HR, customer=PIA, company="acme"))
    log.add(uuid7(), opened("acme's", IT, customer=PER, company="acme"))
    await _live(reporting, log.events)
    assert await reporting.listed(Scope((IT.id,), (X,), None)) == ["in it", "acme's"]
    assert await reporting.listed(Scope((IT.id,), (), None), Filters(queues=(HR.id,))) == []
    assert await reporting.listed(Scope((IT.id,), (), None), Filters(customers=(PIA,))) == []
    assert await reporting.listed(Scope((), (PIA,), None)) == ["in hr"]
    assert await reporting.listed(Scope((), (PIA,), "acme")) == ["in hr", "acme's"]
    assert await reporting.listed(Scope((), (X, PIA), None)) == ["in hr"]
    assert await reporting.listed(Scope((), (), None)) == []


async def test_a_promotion_swaps_the_views_and_can_be_undone(reporting: Reporting) -> None:
    desk = projection_sets(ZONE)["desk"]
    await _live(reporting, busy_log(0))
    empty = await reporting.generation("desk")
    await sets.promote(reporting.owner, desk, empty, reporting.app_url)
    assert await reporting.listed(EVERYTHING) == []
    with pytest.raises(sets.CannotChange, match="is live"):
        await sets.drop(reporting.owner, desk, empty)
    await sets.promote(reporting.owner, desk, await sets.previous(reporting.owner, desk), reporting.app_url)
    assert len(await reporting.listed(EVERYTHING)) == 6
    await sets.drop(reporting.owner, desk, empty)
    assert await sets.live(reporting.owner, "desk") == 1


async def test_pages_and_counts_are_index_scans(reporting: Reporting) -> None:
    log = Log()
    for n in range(3_000):
        log.add(uuid7(), opened(f"{n:05}", IT if n % 3 else HR))
    await _live(reporting, log.events)
    await reporting.owner.execute("ANALYZE desk_v1.tickets")
    agent, customer = Scope((IT.id,), (), None), Scope((), (PIA, X), None)
    for text, arguments in (
        statement(agent, Filters(), "default", None, 51),
        count_statement(agent, Filters(state_types=("new", "open"))),
        count_statement(agent, Filters(customers=(PIA,))),
        count_statement(agent, Filters(addresses=("pia@customer.example",))),
        count_statement(agent, Filters(columns=ColumnFilters(id=[X]))),
        count_statement(customer, Filters()),
    ):
        plan = "\n".join(row[0] for row in await reporting.owner.fetch("EXPLAIN " + text, *arguments))
        assert "Index" in plan and "Seq Scan" not in plan, plan


async def test_a_list_that_is_too_long_is_counted_up_to_a_bound(
    reporting: Reporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    for n in range(5):
        log.add(uuid7(), opened(f"{n}", IT if n < 3 else HR))
    await _live(reporting, log.events)
    monkeypatch.setattr(ticket_list, "MOST_COUNTED", 3)
    for scope, found in ((EVERYTHING, 4), (Scope((IT.id,), (), None), 3), (Scope((HR.id,), (), None), 2)):
        text, arguments = count_statement(scope, Filters())
        assert await reporting.pool.fetchval(text, *arguments) == found
