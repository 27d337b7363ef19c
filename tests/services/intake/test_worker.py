"""The whole of intake with a real broker: it receives the queues, and its events reach the topic."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from shared.contracts.directory import Queue, QueueSaved
from shared.contracts.envelope import Actor, Recorded, decode
from shared.contracts.event import Event
from shared.contracts.intake import CustomerRegistered, TicketOpened
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef, TicketRef
from shared.contracts.routing import TicketMerged, TicketSplit
from shared.contracts.topics import DIRECTORY, TICKETS
from shared.messaging.clients import consumer, producer
from shared.rules.states import NEW
from tests.servers import Kafka
from tests.services.intake.reception import ADMIN, IT, Reception, mail, reception
from tests.specs.requirement import requirement

QUEUE = QueueRef(id=IT.id, slug=IT.slug, name=IT.name)
LISE = CustomerRef(id=uuid4(), email="lise@customer.example")
PERSON = PersonRef(id=uuid4(), name="Kari")
SERVICE = ADMIN.model_copy(update={"kind": "service"})


@pytest.fixture(scope="module")
def intake(postgres: Any, kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reception]:
    directory = tmp_path_factory.mktemp("worker")
    with reception(postgres.database("intake_worker"), directory, role="all", kafka=kafka) as desk:
        yield desk


def saved(queue: Queue) -> Recorded:
    now = datetime.now(UTC)
    return Recorded(
        id=uuid4(),
        type=QueueSaved.TYPE,
        source="/services/gateway",
        stream=queue.id,
        version=1,
        time=now,
        recorded_at=now,
        correlation_id=uuid4(),
        causation_id=None,
        actor=Actor("agent", "admin"),
        traceparent=None,
        payload=QueueSaved(queue=queue),
    )


async def test_a_new_queue_gets_its_mail_and_the_ticket_reaches_the_topic(intake: Reception, kafka: Kafka) -> None:
    queue = Queue(id=uuid4(), slug=f"q-{uuid4().hex[:8]}", name="New", address=f"{uuid4().hex[:8]}@help.example")
    async with producer(kafka.admin, "test") as client:
        await client.send_and_wait(**kafka.record(DIRECTORY, saved(queue)))

    def applied() -> bool:
        asked = intake.call("GET", f"/internal/directory/queue/{queue.id}?version=1", who=SERVICE)
        return asked.status == 204

    def work() -> Any:
        intake.until(applied, 60)
        return intake.hand_in(mail(From=f"Lise <{uuid4()}@customer.example>"), recipient=queue.address or "")

    told = await asyncio.to_thread(work)
    ticket = UUID(told["ticket"]["id"])
    opened: Recorded | None = None
    registered: Recorded | None = None
    client = AIOKafkaConsumer(TICKETS, DIRECTORY, **kafka.admin.options, auto_offset_reset="earliest")
    async with asyncio.timeout(60), consumer(client):
        while opened is None or registered is None:
            record = await client.getone()
            try:
                event = decode(record.value)
            except ValueError:  # the broker is shared, and other tests send what is no event
                continue
            match event.payload:
                case TicketOpened() if event.stream == ticket:
                    opened = event
                case CustomerRegistered(first_ticket=first) if first == ticket:
                    registered = event
                case _:
                    continue
            assert record.key == str(event.stream).encode()
    assert isinstance(opened.payload, TicketOpened)
    assert (opened.source, opened.version, opened.payload.queue.slug) == ("/services/intake", 1, queue.slug)
    assert opened.payload.number == told["ticket"]["number"]
    assert registered.correlation_id == opened.correlation_id
    await asyncio.to_thread(intake.until, lambda: intake.count("es.outbox") == 0)


@requirement("A7.16", "A7.19", "A1.27")
async def test_a_split_is_one_ticket_and_a_merge_leads_on_whatever_dies_in_between(
    intake: Reception, kafka: Kafka
) -> None:
    """The process dies in the opening, then with everything done but not committed, then just after; all comes
    twice."""

    def two() -> tuple[UUID, UUID]:
        made = [intake.hand_in(mail(From=f"Lise <{uuid4()}@customer.example>"))["ticket"]["id"] for _ in range(2)]
        return UUID(made[0]), UUID(made[1])

    origin, other = await asyncio.to_thread(two)
    into, words = uuid4(), Message(id=uuid4(), channel="email", text="And my chair squeaks.")
    split = TicketSplit(
        articles=(words.id,), into=into, title="Chair", queue=QUEUE, customer=LISE, message=words, origin=TicketRef(id=origin), by=PERSON
    )  # fmt: skip
    merged = TicketMerged(into=TicketRef(id=into), was=NEW, by=PERSON)
    await asyncio.to_thread(intake.restart, "intake.split=exit")
    events = [told(origin, 1, split), told(other, 1, merged)]
    async with producer(kafka.admin, "test") as client:

        async def send(event: Recorded) -> None:
            await client.send_and_wait(**kafka.record(TICKETS, event))

        await send(events[0])
        for point in ("consumer.before_commit=exit", "consumer.after_commit=exit", ""):
            assert await asyncio.to_thread(intake.died)
            await asyncio.to_thread(intake.start, point)
        query = "SELECT number FROM intake.tickets WHERE ticket_id = $1"
        await asyncio.to_thread(intake.until, lambda: intake.rows(query, into), 60)
        for event in (*events, *events):
            await send(event)
    query = "SELECT goes_on_in FROM intake.tickets WHERE ticket_id = $1 AND goes_on_in = $2"
    await asyncio.to_thread(intake.until, lambda: intake.rows(query, other, into), 60)
    assert [event["type"] for event in await asyncio.to_thread(intake.events, into)] == [TicketOpened.TYPE]
    # All tests share the topic: only these tickets belong to this one.
    parked = "SELECT reason FROM messaging.parked WHERE stream IN ($1, $2, $3)"
    assert await asyncio.to_thread(intake.rows, parked, origin, other, into) == []


def told(stream: UUID, version: int, payload: Event) -> Recorded:
    now = datetime.now(UTC)
    return Recorded(
        uuid4(), payload.TYPE, "/services/routing", stream, version, now, now, uuid4(), None, Actor("agent"), None, payload
    )  # fmt: skip
