"""Forged records change nothing, park nothing and halt no consumer; they are logged."""

import logging
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer

from services.routing.schema import MIGRATIONS
from shared import messaging
from shared.contracts.directory import QueueSaved
from shared.contracts.envelope import Recorded, encode
from shared.contracts.routing import TicketQueued
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.database import connect, connect_pool
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Store
from shared.messaging.clients import producer
from shared.messaging.consuming import parking
from shared.messaging.consuming.consumer import Consumer
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.testing.progress import until
from shared.testing.samples import sample_event
from tests.conformance.messaging.system import (
    Service,
    Texts,
    append,
    from_now,
    opened,
    pair,
    reading,
    running,
    said,
    service,
)
from tests.servers import Kafka


@dataclass
class Desk:
    """A ticket of intake, a consumer of routing that has seen it, and a client that writes forged records."""

    kafka: Kafka
    intake: Service
    routing: Service
    reader: Consumer
    client: AIOKafkaProducer
    first: Recorded

    async def texts(self, ticket: UUID) -> list[str]:
        found: list[str] = await self.routing.pool.fetchval("SELECT texts FROM texts WHERE stream = $1", ticket) or []
        return found

    def next(self, text: str) -> Recorded:
        """The event that intake would record next."""
        return replace(self.first, id=uuid4(), version=2, type=said().TYPE, payload=said(text))


@pytest.fixture
async def desk(postgres: Any, kafka: Kafka) -> AsyncIterator[Desk]:
    async with pair(postgres, kafka) as services:
        ticket = uuid4()
        await services.intake.store.append([append(ticket, 0, opened())])
        (first,) = await services.intake.store.load(ticket)
        reader = services.consumer(ProjectionHandler(Texts()))
        async with producer(kafka.admin, "test") as client, running(services.relay(), reader):
            made = Desk(kafka, services.intake, services.reader, reader, client, first)
            await until(lambda: made.texts(ticket))
            yield made


def unsigned(desk: Desk) -> dict[str, Any]:
    return {"value": encode(desk.next("forged"))}


def no_event(desk: Desk) -> dict[str, Any]:
    return {"value": b"\xff not ours"}


def a_used_version(desk: Desk) -> dict[str, Any]:
    return {"value": encode(replace(desk.first, id=uuid4()))}


def in_anothers_name(desk: Desk) -> dict[str, Any]:
    """What routing could forge: an event of intake with its own signature."""
    return desk.kafka.signed("routing", TICKETS, str(desk.first.stream).encode(), encode(desk.next("forged")))


def with_a_changed_name(desk: Desk) -> dict[str, Any]:
    made = in_anothers_name(desk)
    return made | {"headers": [(name, value.replace(b"routing", b"intake")) for name, value in made["headers"]]}


def a_type_of_another(desk: Desk) -> dict[str, Any]:
    return desk.kafka.record(TICKETS, replace(desk.next("forged"), source="/services/routing", version=1))


def of_another_topic(desk: Desk) -> dict[str, Any]:
    return desk.kafka.record(DIRECTORY, desk.next("forged"))


def a_document_among_tickets(desk: Desk) -> dict[str, Any]:
    return desk.kafka.record(TICKETS, replace(sample_event(QueueSaved), stream=desk.first.stream, version=1))


def of_another_ticket(desk: Desk) -> dict[str, Any]:
    made = desk.kafka.record(TICKETS, replace(desk.next("forged"), stream=uuid4()))
    return made | {"key": str(desk.first.stream).encode()}


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        no_event,
        a_used_version,
        in_anothers_name,
        with_a_changed_name,
        a_type_of_another,
        of_another_topic,
        a_document_among_tickets,
        of_another_ticket,
    ],
)
async def test_a_forged_record_is_ignored_and_logged(
    desk: Desk, forge: Callable[[Desk], dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    ticket = desk.first.stream
    with caplog.at_level(logging.ERROR, logger="shared.messaging.consuming.consumer"):
        await desk.client.send_and_wait(**({"key": str(ticket).encode()} | forge(desk) | {"topic": TICKETS}))
        await desk.intake.store.append([append(ticket, 1, said("genuine"))])
        await until(lambda: _has(desk, ticket, 2))
    assert (await desk.texts(ticket))[1:] == ["genuine"]
    assert desk.reader.unauthentic
    assert [line for line in caplog.messages if "ignores 1 records" in line and f"{TICKETS}/" in line]
    assert await parking.parked(desk.routing.pool) == []
    assert await desk.routing.pool.fetch("SELECT * FROM messaging.halted") == []


async def test_many_forged_records_do_not_halt_a_consumer(desk: Desk) -> None:
    for _ in range(50):
        forged = replace(desk.first, id=uuid4(), stream=uuid4(), version=7)
        await desk.client.send_and_wait(TICKETS, encode(forged), key=str(forged.stream).encode())
    await desk.intake.store.append([append(desk.first.stream, 1, said("genuine"))])
    await until(lambda: _has(desk, desk.first.stream, 2))
    assert await desk.routing.pool.fetch("SELECT * FROM messaging.halted") == []


async def test_an_unknown_event_type_belongs_to_its_signer(desk: Desk) -> None:
    """An older consumer does not know the owner of the type; the signature tells who wrote it."""
    ticket = desk.first.stream
    newer = replace(sample_event(TicketQueued), stream=ticket, version=1, type="helpdesk.Unheard.v1")
    await desk.client.send_and_wait(**desk.kafka.record(TICKETS, newer))
    await desk.intake.store.append([append(ticket, 1, said("genuine"))])
    await until(lambda: _has(desk, ticket, 2))
    assert desk.reader.unauthentic == 0


async def _has(desk: Desk, ticket: UUID, count: int) -> bool:
    return len(await desk.texts(ticket)) == count


async def test_unsigned_records_are_accepted_only_from_before_signatures(
    postgres: Any, kafka: Kafka, tmp_path: Path
) -> None:
    """An older installation is updated: it keeps its topic."""
    package = Path(messaging.__path__[0])
    before = tmp_path / package.name / "migrations"
    shutil.copytree(package / "migrations", before)
    (before / "0030_unsigned.sql").unlink()
    tables = Path(__file__).parent / "migrations"
    everything = [*MIGRATIONS, tables]
    owner_url, app_url = postgres.database()
    await migrate(owner_url, app_url, *(before if each.parent == package else each for each in everything))
    pool = await connect_pool(app_url)
    routing = Service(pool, Store(pool, "routing"), app_url)
    names = [f"routing.test-{uuid4().hex[:8]}" for _ in range(2)]
    for name in names:
        await from_now(pool, name, kafka)
    async with service(postgres, "intake") as intake, producer(kafka.admin, "test") as client:
        ticket = uuid4()
        await intake.store.append([append(ticket, 0, opened(), said("before"))])
        events = await intake.store.load(ticket)
        for event in events:
            await client.send_and_wait(TICKETS, encode(event), key=str(ticket).encode())
        await migrate(owner_url, app_url, *everything)
        readers = [reading(routing, name, kafka, {TICKETS: ProjectionHandler(Texts())}) for name in names]
        desk = Desk(kafka, intake, routing, readers[0], client, events[0])
        async with running(readers[0]):
            await until(lambda: _has(desk, ticket, 2))
            await client.send_and_wait(
                TICKETS, encode(replace(desk.next("forged"), version=3)), key=str(ticket).encode()
            )
            await until(lambda: _refused(readers[0]))
        owner = await connect(owner_url)
        await owner.execute("DELETE FROM texts")
        await owner.close()
        async with running(readers[1]):  # a new consumer reads the same
            await until(lambda: _refused(readers[1]))
            assert (await desk.texts(ticket))[1:] == ["before"]
    await pool.close()


async def _refused(reader: Consumer) -> bool:
    return reader.unauthentic > 0
