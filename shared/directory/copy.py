"""Reads the copy of the configuration documents that each service has: people and companies from its database, the rest
from memory."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Never, TypeVar
from uuid import UUID

import asyncpg
import orjson

from shared.addresses import comparable
from shared.contracts.directory import (
    SMALL_DOCUMENTS,
    Calendar,
    Company,
    Macro,
    Mailbox,
    Person,
    Priority,
    Queue,
    Salutation,
    Signature,
    Sla,
    SmallDocument,
    State,
    Template,
    TicketField,
    Topic,
    Trigger,
)
from shared.contracts.marks.declaration import DocumentKind
from shared.contracts.parts import CustomerRef
from shared.database import Connection, Pool, connect
from shared.rules.access import Identity
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

DEFAULT_QUEUE = "postmaster"
POLL_SECONDS = 2.0
"""How old a snapshot can be if a notification was lost."""

IN_MEMORY_KINDS: frozenset[str] = frozenset(("queue", *(model.KIND for model in SMALL_DOCUMENTS)))
"""The kinds in memory. People and companies are read from the database."""
S = TypeVar("S", bound=SmallDocument)

REVISION = "SELECT revision FROM directory.revision"
IN_MEMORY = "SELECT kind, document::text AS document, version, retired FROM directory.documents WHERE kind = ANY($1)"
ONE = "SELECT document::text FROM directory.documents WHERE kind = $1 AND id = $2 AND (NOT retired OR $3)"
PERSON_BY_LOGIN = "SELECT document::text FROM directory.documents WHERE kind = 'person' AND slug = $1 AND NOT retired"
PERSON_BY_EMAIL = """
SELECT document::text
  FROM directory.documents
 WHERE kind = 'person' AND email = $1 AND NOT retired
 ORDER BY id
 LIMIT 1
"""
AGENTS_AMONG = """
SELECT email FROM directory.documents
 WHERE kind = 'person' AND email = ANY($1) AND NOT retired AND document -> 'roles' ?| ARRAY['agent', 'admin']
"""
PEOPLE = """
SELECT i.id, p.id AS person, p.retired, p.document ->> 'name' AS name, p.document ->> 'email' AS email,
       p.document ->> 'language' AS language
  FROM unnest($1::uuid[]) AS i(id)
  LEFT JOIN directory.identities k ON k.customer_id = i.id
  JOIN directory.documents p ON p.id = coalesce(k.person_id, i.id) AND p.kind = 'person'
"""
IDENTITIES = "SELECT customer_id FROM directory.identities WHERE person_id = $1 ORDER BY customer_id"
PERSON_OF = "SELECT person_id FROM directory.identities WHERE customer_id = $1"
COMPANY_OF = "SELECT directory.company_of($1)"
IN_USE = """
SELECT document::text AS document
  FROM directory.documents
 WHERE kind = 'person' AND id = ANY($1) AND NOT retired
 ORDER BY id
"""
RETIRED_PERSON = """
SELECT document::text
  FROM directory.documents
 WHERE kind = 'person' AND slug = $1 AND retired
 ORDER BY version DESC, id
 LIMIT 1
"""
COMPANY_BY_SLUG = "SELECT document::text FROM directory.documents WHERE kind = 'company' AND slug = $1 AND NOT retired"
VERSION = "SELECT version FROM directory.documents WHERE kind = $1 AND id = $2"


MOST_CACHED = 20_000
"""People in the cache of a process. Each change of a document empties it."""


@dataclass(frozen=True, slots=True)
class Someone:
    """The current name, address and language of a person with a record; `email` is None for a retired one."""

    id: UUID
    name: str
    email: str | None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Queues:
    """A snapshot of all queues. `by_slug` and `by_address` hold those in use; addresses are in canonical form."""

    by_id: Mapping[UUID, Queue] = field(default_factory=dict)
    by_slug: Mapping[str, Queue] = field(default_factory=dict)
    by_address: Mapping[str, Queue] = field(default_factory=dict)
    retired: frozenset[UUID] = frozenset()
    versions: Mapping[UUID, int] = field(default_factory=dict)

    @property
    def default(self) -> Queue | None:
        """The queue for tickets that name none; None until the first documents have arrived."""
        return self.by_slug.get(DEFAULT_QUEUE)

    @property
    def live(self) -> list[Queue]:
        """The queues in use, by slug."""
        return [self.by_slug[slug] for slug in sorted(self.by_slug)]

    def named(self, reference: str) -> Queue | None:
        """The queue in use with this slug or id."""
        found = self.by_slug.get(reference)
        if found is not None:
            return found
        try:
            wanted = UUID(reference)
        except ValueError:
            return None
        return None if wanted in self.retired else self.by_id.get(wanted)

    def ever_named(self, reference: str) -> Queue | None:
        """The queue with this slug or id; a retired one, which still has tickets, only if none in use matches."""
        found = self.named(reference)
        if found is not None:
            return found
        gone = (self.by_id[each] for each in sorted(self.retired, reverse=True))
        return next((queue for queue in gone if reference in (queue.slug, str(queue.id))), None)

    def for_address(self, address: str) -> Queue | None:
        """The queue in use that gets the mail to this address."""
        return self.by_address.get(comparable(address))


@dataclass(frozen=True, slots=True)
class Configuration:
    """A snapshot of the smaller documents in use, by slug; empty until the first documents have arrived."""

    states: Mapping[str, State] = field(default_factory=dict)
    priorities: Mapping[str, Priority] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)
    salutations: Mapping[str, Salutation] = field(default_factory=dict)
    signatures: Mapping[str, Signature] = field(default_factory=dict)
    fields: Mapping[str, TicketField] = field(default_factory=dict)
    mailboxes: Mapping[str, Mailbox] = field(default_factory=dict)
    topics: Mapping[str, Topic] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    slas: Mapping[str, Sla] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    macros: Mapping[str, Macro] = field(default_factory=dict)
    versions: Mapping[UUID, int] = field(default_factory=dict)
    retired_states: Mapping[str, State] = field(default_factory=dict)
    """Tickets may still be in them."""
    retired_calendars: Mapping[str, Calendar] = field(default_factory=dict)
    """An SLA that names one counts by it until it is changed."""

    @property
    def all_states(self) -> Mapping[str, State]:
        """Every state that a ticket may be in, by slug."""
        return {**self.retired_states, **self.states}


class DirectoryCopy:
    """`queues` and `configuration` are snapshots, which `run` keeps up to date.

    Call `load` once before the first use.
    """

    def __init__(self, pool: Pool, database_url: str) -> None:
        self.pool, self.database_url = pool, database_url
        self.queues = Queues()
        self.configuration = Configuration()
        self._revision = -1
        self._people: dict[UUID, Someone | None] = {}
        self._identities: dict[UUID, tuple[UUID, ...]] = {}
        self._changed = asyncio.Condition()
        self.heartbeat = Heartbeat()

    async def load(self) -> None:
        """Takes a new snapshot if documents have changed since the last one."""
        async with self.pool.acquire() as connection:
            await self._refresh(connection)

    async def run(self) -> Never:
        """Follows notifications, and also polls in case one was lost. Never returns."""
        await supervise("directory copy", self._follow, self.heartbeat)

    async def _follow(self) -> None:
        changed = asyncio.Event()
        connection = await connect(self.database_url)
        try:
            connection.add_termination_listener(lambda _: changed.set())
            await connection.add_listener("directory_changed", lambda *_: changed.set())
            while True:
                changed.clear()
                await self._refresh(connection)
                self.heartbeat.beat()
                await set_within(changed, POLL_SECONDS)
        finally:
            connection.terminate()

    async def _refresh(self, connection: Connection) -> None:
        # The revision is read before the rows: newer rows only cause one refresh too many.
        revision = await connection.fetchval(REVISION)
        if revision == self._revision:
            return
        rows = await connection.fetch(IN_MEMORY, sorted(IN_MEMORY_KINDS))
        queues = _snapshot([row for row in rows if row["kind"] == "queue"])
        if revision < self._revision:
            return  # another refresh was faster
        self.queues, self.configuration, self._revision = queues, _configuration(rows), revision
        self._people, self._identities = {}, {}
        async with self._changed:
            self._changed.notify_all()

    async def person(self, person_id: UUID, *, retired: bool = False) -> Person | None:
        """The person with this id. A retired one only with `retired`."""
        text = await self.pool.fetchval(ONE, "person", person_id, retired)
        return Person.model_validate_json(text) if text else None

    async def in_use(self, ids: Sequence[UUID]) -> list[Person]:
        """Those of these people who have not been retired, in the order of their ids."""
        return [Person.model_validate_json(row["document"]) for row in await self.pool.fetch(IN_USE, list(ids))]

    async def person_named(self, reference: str) -> Person | None:
        """The person in use with this id, login or e-mail address."""
        try:
            found = await self.person(UUID(reference))
        except ValueError:
            found = None
        if found is not None:
            return found
        text = await self.pool.fetchval(PERSON_BY_LOGIN, reference.lower())
        if text is None and "@" in reference:
            return await self.person_with(reference)
        return Person.model_validate_json(text) if text else None

    async def person_with(self, email: str) -> Person | None:
        """The person in use with this e-mail address."""
        text = await self.pool.fetchval(PERSON_BY_EMAIL, comparable(email))
        return Person.model_validate_json(text) if text else None

    async def agents_among(self, emails: Sequence[str]) -> set[str]:
        """The canonical addresses among these that belong to agents and administrators in use."""
        return {row["email"] for row in await self.pool.fetch(AGENTS_AMONG, list(emails))}

    async def people(self, ids: Iterable[UUID]) -> dict[UUID, Someone]:
        """The people and customers among these who have a record, also retired ones.

        Answers are cached until a document changes.
        """
        if len(self._people) > MOST_CACHED:
            self._people = {}
        known, wanted = self._people, set(ids)
        missing = [each for each in wanted if each not in known]
        if missing:
            found = {row["id"]: _someone(row) for row in await self.pool.fetch(PEOPLE, missing)}
            known.update({each: found.get(each) for each in missing})
        return {each: someone for each in wanted if (someone := known.get(each)) is not None}

    async def today(self, customer: CustomerRef) -> CustomerRef:
        """The customer with the current name and address of their record; unchanged if no record is in use."""
        someone = (await self.people([customer.id])).get(customer.id)
        if someone is None or someone.email is None:
            return customer
        return customer.model_copy(update={"id": someone.id, "name": someone.name, "email": someone.email})

    async def recognised(self, who: Identity) -> Identity:
        """The identity with the customers that the person was known as before they had a record."""
        if len(self._identities) > MOST_CACHED:
            self._identities = {}
        known = self._identities
        if who.person_id not in known:
            rows = await self.pool.fetch(IDENTITIES, who.person_id)
            known[who.person_id] = tuple(row["customer_id"] for row in rows)
        customers = known[who.person_id]
        return who.model_copy(update={"known_as": customers}) if customers else who

    async def known_as(self, customer: UUID) -> list[UUID]:
        """Every id under which this person or customer has tickets."""
        person = await self.person_of(customer) or customer
        return [person, *(row["customer_id"] for row in await self.pool.fetch(IDENTITIES, person))]

    async def person_of(self, customer: UUID) -> UUID | None:
        """The person that a customer, known by an address, was identified as."""
        found: UUID | None = await self.pool.fetchval(PERSON_OF, customer)
        return found

    async def ever_named(self, reference: str) -> Person | None:
        """As `person_named`; a retired person with this id or login if none in use has it."""
        if "@" in reference:
            return await self.person_with(reference)
        found = await self.person_named(reference)
        if found is not None:
            return found
        try:
            return await self.person(UUID(reference), retired=True)
        except ValueError:
            text = await self.pool.fetchval(RETIRED_PERSON, reference.lower())
        return Person.model_validate_json(text) if text else None

    async def company_of(self, email: str) -> str | None:
        """The slug of the company whose tickets include those of this address."""
        found: str | None = await self.pool.fetchval(COMPANY_OF, comparable(email))
        return found

    async def company(self, slug: str) -> Company | None:
        """The company in use with this slug."""
        text = await self.pool.fetchval(COMPANY_BY_SLUG, slug)
        return Company.model_validate_json(text) if text else None

    async def applied(self, kind: DocumentKind, document_id: UUID, version: int, *, seconds: float = 2.0) -> bool:
        """Waits until this process works with that version of a document. False if it does not in time."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                while not await self._has(kind, document_id, version):
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _has(self, kind: DocumentKind, document_id: UUID, version: int) -> bool:
        if kind == "queue":
            return self.queues.versions.get(document_id, 0) >= version
        if kind in IN_MEMORY_KINDS:
            return self.configuration.versions.get(document_id, 0) >= version
        self._people, self._identities = {}, {}  # the notification of the change may not have arrived yet
        return (await self.pool.fetchval(VERSION, kind, document_id) or 0) >= version


def _snapshot(rows: Sequence[asyncpg.Record]) -> Queues:
    everything = [(Queue.model_validate_json(row["document"]), row["version"], row["retired"]) for row in rows]
    live = sorted((queue for queue, _, retired in everything if not retired), key=lambda queue: queue.id)
    return Queues(
        by_id={queue.id: queue for queue, _, _ in everything},
        by_slug={queue.slug: queue for queue in live},
        by_address={comparable(queue.address): queue for queue in live if queue.address},
        retired=frozenset(queue.id for queue, _, retired in everything if retired),
        versions={queue.id: version for queue, version, _ in everything},
    )


def _configuration(rows: Sequence[asyncpg.Record]) -> Configuration:
    return Configuration(
        states=_of(State, rows),
        priorities=_of(Priority, rows),
        templates=_of(Template, rows),
        salutations=_of(Salutation, rows),
        signatures=_of(Signature, rows),
        fields=_of(TicketField, rows),
        mailboxes=_of(Mailbox, rows),
        topics=_of(Topic, rows),
        calendars=_of(Calendar, rows),
        slas=_of(Sla, rows),
        triggers=_of(Trigger, rows),
        macros=_of(Macro, rows),
        retired_states=_of(State, rows, retired=True),
        retired_calendars=_of(Calendar, rows, retired=True),
        versions={UUID(json["id"]): row["version"] for row in rows if (json := orjson.loads(row["document"]))},
    )


def _someone(row: asyncpg.Record) -> Someone:
    return Someone(row["person"], row["name"], None if row["retired"] else comparable(row["email"]), row["language"])


def _of(model: type[S], rows: Sequence[asyncpg.Record], *, retired: bool = False) -> dict[str, S]:
    found = (
        model.model_validate_json(row["document"])
        for row in rows
        if row["kind"] == model.KIND and row["retired"] == retired
    )
    return {document.slug: document for document in found}
