"""The copy of the documents in each service, on real PostgreSQL and Kafka."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from shared import directory, messaging
from shared.contracts.directory import (
    Company,
    CompanySaved,
    Person,
    PersonRetired,
    PersonSaved,
    Queue,
    QueueRetired,
    QueueSaved,
)
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event, Unknown
from shared.contracts.intake import CustomerRegistered
from shared.contracts.parts import CustomerRef
from shared.contracts.topics import DIRECTORY
from shared.database import Pool, connect_pool
from shared.directory.api import router
from shared.directory.copy import DirectoryCopy
from shared.directory.projection import DirectoryProjection
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Append, Context, NewEvent, Store, utc_now
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.server import listening_socket, serve
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.rules.access import Identity
from shared.testing.keys import KEYS, SIGNING
from shared.testing.progress import until
from tests.conformance.messaging.system import Service, from_now, reading, relay, running, service
from tests.servers import Kafka

MIGRATIONS = [Path(package.__path__[0]) / "migrations" for package in (messaging, directory)]


END_LISTENER = """
SELECT pg_terminate_backend(pid)
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND query = 'SELECT revision FROM directory.revision'
"""


@dataclass
class Following:
    """A copy, and the events of the gateway, which arrive without a broker."""

    pool: Pool
    url: str
    copy: DirectoryCopy
    offset: int = 0

    async def feed(self, *events: Recorded) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            deliveries = [self._delivered(event) for event in events]
            parked = await ProjectionHandler(DirectoryProjection()).work(connection, deliveries, set())
            assert parked == []

    def _delivered(self, event: Recorded) -> Delivered:
        self.offset += 1
        return Delivered(Position(DIRECTORY, 0, self.offset), event.stream, b"", event)

    async def rows(self) -> Sequence[Any]:
        return await self.pool.fetch("SELECT * FROM directory.documents ORDER BY id")


@pytest.fixture
async def following(postgres: Any) -> AsyncIterator[Following]:
    owner_url, app_url = postgres.database()
    await migrate(owner_url, app_url, *MIGRATIONS)
    pool = await connect_pool(app_url, smallest=1, largest=3)
    yield Following(pool, app_url, DirectoryCopy(pool, app_url))
    await pool.close()


def recorded(stream: UUID, version: int, payload: Event, producer: str = "gateway") -> Recorded:
    now = utc_now()
    return Recorded(
        id=uuid4(),
        type=payload.TYPE or "helpdesk.OfTomorrow.v1",
        source=f"/services/{producer}",
        stream=stream,
        version=version,
        time=now,
        recorded_at=now,
        correlation_id=uuid4(),
        causation_id=None,
        actor=Actor("agent"),
        traceparent=None,
        payload=payload,
    )


def queue(slug: str = "it", **more: Any) -> Queue:
    return Queue.model_validate(
        {"id": uuid4(), "slug": slug, "name": slug.upper(), "address": f"{slug}@help.example.org"} | more
    )


def person(login: str = "kari", **more: Any) -> Person:
    return Person.model_validate(
        {"id": uuid4(), "login": login, "name": "Kari", "email": f"{login}@example.org"} | more
    )


async def test_a_queue_is_found_by_id_slug_and_address(following: Following) -> None:
    it, hr = queue("it", address="IT@help.example.org"), queue("hr", address=None)
    await following.feed(recorded(it.id, 1, QueueSaved(queue=it)), recorded(hr.id, 1, QueueSaved(queue=hr)))
    await following.copy.load()
    queues = following.copy.queues
    assert queues.by_id[it.id] == it == queues.by_slug["it"] == queues.for_address("it@HELP.example.org")
    assert queues.named("it") == queues.named(str(it.id)) == it and queues.named("nowhere") is None
    assert queues.live == [hr, it] and queues.default is None


async def test_a_retired_queue_is_found_by_id_only(following: Following) -> None:
    it = queue()
    await following.feed(recorded(it.id, 1, QueueSaved(queue=it)), recorded(it.id, 2, QueueRetired(queue=it)))
    await following.copy.load()
    queues = following.copy.queues
    assert queues.by_id[it.id] == it
    assert (
        queues.named("it") is None
        and queues.named(str(it.id)) is None
        and queues.for_address("it@help.example.org") is None
    )


async def test_a_name_may_pass_to_another_queue_in_any_order(following: Following) -> None:
    """Two documents may be in two partitions: the new holder may arrive before the old one is retired."""
    old, new = queue(), queue()
    await following.feed(recorded(old.id, 1, QueueSaved(queue=old)), recorded(new.id, 1, QueueSaved(queue=new)))
    await following.feed(recorded(old.id, 2, QueueRetired(queue=old)))
    await following.copy.load()
    assert following.copy.queues.named("it") == new


async def test_people_and_companies_are_found_by_their_names(following: Following) -> None:
    kari = person("kari", email="Kari@Example.org")
    acme = Company(id=uuid4(), slug="acme", name="Acme")
    await following.feed(
        recorded(kari.id, 1, PersonSaved(person=kari)), recorded(acme.id, 1, CompanySaved(company=acme))
    )
    for name in ("kari", "KARI", "kari@example.ORG", str(kari.id)):
        assert await following.copy.person_named(name) == kari
    for name in ("ola", "ola@example.org", str(uuid4()), "", "acme"):
        assert await following.copy.person_named(name) is None
    assert await following.copy.company("acme") == acme and await following.copy.company("other") is None
    await following.feed(recorded(kari.id, 2, PersonRetired(person=kari)))
    assert await following.copy.person_named("kari") is None and await following.copy.person(kari.id) is None
    assert await following.copy.person(kari.id, retired=True) == kari


async def test_a_login_that_looks_like_hexadecimal_is_a_login(following: Following) -> None:
    odd = person("deadbeefdeadbeefdeadbeefdeadbeef")
    await following.feed(recorded(odd.id, 1, PersonSaved(person=odd)))
    assert await following.copy.person_named(odd.login) == odd


async def test_customers_and_kinds_of_a_later_version_are_ignored(following: Following) -> None:
    customer, template = uuid4(), uuid4()
    ref = CustomerRef(id=customer, email="per@example.org")
    await following.feed(
        recorded(customer, 1, CustomerRegistered(customer=ref, first_ticket=uuid4()), producer="intake"),
        recorded(template, 1, Unknown(data={"x": 1})),
        recorded(template, 2, Unknown(data={"x": 2})),
    )
    (row,) = await following.rows()
    assert (row["id"], row["kind"], row["version"]) == (template, "", 2)
    await following.copy.load()
    assert following.copy.queues.live == []


async def test_an_event_of_a_later_version_leaves_a_known_document_unchanged(following: Following) -> None:
    it = queue()
    await following.feed(recorded(it.id, 1, QueueSaved(queue=it)), recorded(it.id, 2, Unknown(data={})))
    await following.copy.load()
    assert following.copy.queues.by_slug["it"] == it and following.copy.queues.versions[it.id] == 2


async def test_the_same_events_again_change_nothing(following: Following) -> None:
    it, kari = queue(), person()
    events = [
        recorded(it.id, 1, QueueSaved(queue=it)),
        recorded(kari.id, 1, PersonSaved(person=kari)),
        recorded(it.id, 2, QueueSaved(queue=it.model_copy(update={"name": "new"}))),
        recorded(it.id, 3, QueueRetired(queue=it)),
    ]
    await following.feed(*events)
    rows = await following.rows()
    for again in events:
        await following.feed(again)
    assert await following.rows() == rows


async def test_every_batch_raises_the_revision_once(following: Following) -> None:
    it, hr = queue("it"), queue("hr")
    await following.feed(recorded(it.id, 1, QueueSaved(queue=it)), recorded(hr.id, 1, QueueSaved(queue=hr)))
    assert await following.pool.fetchval("SELECT revision FROM directory.revision") == 1


@contextlib.asynccontextmanager
async def run(copy: DirectoryCopy) -> AsyncIterator[None]:
    await copy.load()
    async with running(copy):
        yield


async def test_a_change_is_seen_at_once(following: Following) -> None:
    async with run(following.copy):
        it = queue()
        waiting = asyncio.create_task(following.copy.applied("queue", it.id, 2))
        await following.feed(recorded(it.id, 1, QueueSaved(queue=it)))
        assert not waiting.done()
        await following.feed(recorded(it.id, 2, QueueSaved(queue=it)))
        assert await waiting


async def test_a_change_is_seen_although_its_notification_was_lost(following: Following) -> None:
    async with run(following.copy):
        it = queue()
        insert = "INSERT INTO directory.documents VALUES ($1, 'queue', 'it', NULL, false, $2, 1, $3)"
        async with following.pool.acquire() as connection, connection.transaction():
            await connection.execute(insert, it.id, it.model_dump(mode="json"), uuid4())
            await connection.execute("UPDATE directory.revision SET revision = revision + 1")
        await until(lambda: following.copy.applied("queue", it.id, 1))


async def test_a_lost_connection_is_opened_again(following: Following) -> None:
    async with run(following.copy):
        it = queue()
        (lost,) = await until(lambda: following.pool.fetch(END_LISTENER))
        assert lost["pg_terminate_backend"]
        await following.feed(recorded(it.id, 1, QueueSaved(queue=it)))
        assert await following.copy.applied("queue", it.id, 1, seconds=10)


async def test_waiting_for_a_missing_version_ends(following: Following) -> None:
    async with run(following.copy):
        for kind in ("queue", "person", "company"):
            assert not await following.copy.applied(kind, uuid4(), 1, seconds=0.05)


async def test_the_copy_waits_for_people_too(following: Following) -> None:
    async with run(following.copy):
        kari = person()
        waiting = asyncio.create_task(following.copy.applied("person", kari.id, 1))
        await following.feed(recorded(kari.id, 1, PersonSaved(person=kari)))
        assert await waiting
        assert await following.copy.applied("person", kari.id, 1), "also one that is there already"


async def test_the_gateway_asks_over_http(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.directory.api.SECONDS", 0.05)
    health = Health("routing", "api")
    app = application(health, keys=KEYS, routers=[router(following.copy)])
    listener, stop = listening_socket("127.0.0.1:0"), asyncio.Event()
    serving = asyncio.create_task(serve(app, listener, health, {}, stop))
    it = queue()
    await following.feed(recorded(it.id, 1, QueueSaved(queue=it)))
    gateway = Identity(person_id=uuid4(), kind="service", login="gateway", name="gateway", email="")
    somebody = replace_kind(gateway, "admin")
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/internal/directory"
    async with run(following.copy), aiohttp.ClientSession() as client:
        for path, who, status in (
            (f"queue/{it.id}?version=1", sign(gateway, "routing", SIGNING), 204),
            (f"queue/{it.id}?version=2", sign(gateway, "routing", SIGNING), 504),
            (f"person/{it.id}?version=1", sign(gateway, "routing", SIGNING), 504),
            (f"wish/{it.id}?version=1", sign(gateway, "routing", SIGNING), 404),
            (f"template/{it.id}?version=2", sign(gateway, "routing", SIGNING), 504),
            (f"queue/{it.id}?version=0", sign(gateway, "routing", SIGNING), 422),
            (f"queue/{it.id}?version=1", sign(gateway, "intake", SIGNING), 401),
            (f"queue/{it.id}?version=1", sign(somebody, "routing", SIGNING), 404),
            (f"queue/{it.id}?version=1", None, 401),
        ):
            async with client.get(f"{url}/{path}", headers={HEADER: who} if who else {}) as answer:
                assert answer.status == status, path
    stop.set()
    await serving


def replace_kind(identity: Identity, kind: Any) -> Identity:
    return identity.model_copy(update={"kind": kind})


async def test_from_the_gateways_event_to_the_copy(postgres: Any, kafka: Kafka, following: Following) -> None:
    async with service(postgres, "gateway") as gateway:
        name = f"routing.test-{uuid4().hex[:8]}"
        await from_now(following.pool, name, kafka)
        other = Service(following.pool, Store(following.pool, "routing"), following.url)
        consumer = reading(other, name, kafka, {DIRECTORY: ProjectionHandler(DirectoryProjection())})
        async with running(relay(gateway, kafka), consumer, following.copy):
            it = queue()
            await save(gateway.store, it, 0)
            assert await following.copy.applied("queue", it.id, 1, seconds=20)
            renamed = it.model_copy(update={"name": "renamed"})
            await save(gateway.store, renamed, 1)
            assert await following.copy.applied("queue", it.id, 2, seconds=20)
            assert following.copy.queues.by_slug["it"].name == "renamed"


async def save(store: Store, document: Queue, version: int) -> None:
    events = (NewEvent(QueueSaved(queue=document)),)
    await store.append([Append(document.id, "queue", version, events, Context(Actor("agent")))])
