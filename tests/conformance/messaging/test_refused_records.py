"""An event that Kafka refuses for good parks its ticket, in order; all others continue (docs/decisions/0078)."""

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contracts.topics import TICKETS
from shared.messaging import topics
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.messaging.operating import commands as parking_commands
from shared.messaging.operating.refused import REFUSED, Refused
from shared.testing.progress import until
from tests.conformance.messaging.system import Service, Texts, append, open_tickets, pair, running, said
from tests.servers import Kafka


@dataclass
class Line:
    """From intake's store through its relay to a read model."""

    intake: Service
    reader: Service
    kafka: Kafka

    async def texts(self, ticket: UUID) -> list[str]:
        return await self.reader.pool.fetchval("SELECT texts FROM texts WHERE stream = $1", ticket) or []

    async def shows(self, ticket: UUID, count: int) -> bool:
        return len(await self.texts(ticket)) == count

    async def refused(self) -> bool:
        return bool(await Refused().parked(self.intake.pool))

    @asynccontextmanager
    async def smaller_limit(self, size: int) -> AsyncIterator[None]:
        """Lowers the broker's limit for batches of ticket events."""
        await self._limit(str(size))
        try:
            yield
        finally:
            await self._limit(topics.CONFIG["max.message.bytes"])

    async def _limit(self, size: str) -> None:
        admin = AIOKafkaAdminClient(**self.kafka.admin.options)
        await admin.start()
        try:
            configs = {**topics.CONFIG, "max.message.bytes": size}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TICKETS, configs=configs)])
        finally:
            await admin.close()


@pytest.fixture
async def line(postgres: Any, kafka: Kafka) -> AsyncIterator[Line]:
    async with pair(postgres, kafka) as services:
        async with running(services.relay(), services.consumer(ProjectionHandler(Texts()))):
            yield Line(services.intake, services.reader, kafka)


def incompressible(size: int) -> str:
    return base64.b85encode(os.urandom(size)).decode()[:size]


async def test_a_refused_event_waits_with_its_ticket_while_others_flow(
    line: Line, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ill, well = await open_tickets(line.intake.store, 2)
    await until(lambda: line.shows(well, 2))
    before = REFUSED.labels("intake")._value.get()
    large = incompressible(300_000)
    async with line.smaller_limit(200_000):
        await line.intake.store.append(
            [
                append(well, 2, said("before")),
                append(ill, 2, said(large), said("behind it")),
                append(well, 3, said("after")),
            ]
        )
        await until(lambda: line.shows(well, 4))
        await until(line.refused)
        await line.intake.store.append([append(ill, 4, said("still later")), append(well, 4, said("last"))])
        await until(lambda: line.shows(well, 5))
        (waiting,) = await Refused().parked(line.intake.pool)
        assert (waiting.by, waiting.stream, waiting.events) == ("relay", ill, 3)
        assert "MessageSizeTooLarge" in waiting.reason
        assert REFUSED.labels("intake")._value.get() == before + 1
        assert await line.shows(ill, 2)
    monkeypatch.setenv("LEDGERDESK_DATABASE_URL", line.intake.url)
    assert await parking_commands.parked({}) == 0
    assert f"relay  {ill}  3 events since " in capsys.readouterr().out
    assert await parking_commands.replay_parked(Refused(), str(ill)) == 0
    await until(lambda: line.shows(ill, 5))
    assert (await line.texts(ill))[2:] == [large, "behind it", "still later"]
    assert not await line.refused()


async def test_an_event_that_is_refused_again_is_parked_again(line: Line) -> None:
    (ill,) = await open_tickets(line.intake.store, 1)
    async with line.smaller_limit(200_000):
        await line.intake.store.append([append(ill, 2, said(incompressible(300_000)))])
        await until(line.refused)
        first = (await Refused().parked(line.intake.pool))[0].since
        await Refused().replay(line.intake.pool, ill)

        async def again() -> bool:
            return any(each.since > first for each in await Refused().parked(line.intake.pool))

        await until(again)
    await Refused().replay(line.intake.pool, ill)
    await until(lambda: line.shows(ill, 3))
