"""The desk behind the API: finds the ticket that is meant, checks who asks on the state that is decided on, gives the command."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.routing.operations import customers, numbers
from services.routing.operations.results import Result, result
from services.routing.ticket import Ticket
from services.routing.ticket.commands import Act, Command
from shared import fields
from shared.blobs.uploads import Uploads
from shared.bounded.processes import Processes
from shared.contracts.directory import Queue, Right
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, PersonRef, QueueRef
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.eventstore.errors import PreconditionFailed, UnknownStream
from shared.eventstore.runner import CommandRunner, Outcome, Request, Respond, Target
from shared.eventstore.store import CommandId, Context
from shared.http import problems
from shared.rules.access import Access, Identity, TicketFacts, may, rights, rights_of
from shared.rules.subjects import number_in
from shared.telemetry.tracing import traceparent

WAIT_SECONDS = 2.0
YOUNG_SECONDS = 600.0
"""How long after its opening a ticket may be unknown here only because the log is slow; then 503, not 404, is the truth."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came with a request besides its body: who, the key for retries, `If-Match`, and whether it is one of many (bulk)."""

    who: Identity
    key: CommandId
    expected: int | None = None
    quietly: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One ticket of a command: how it was named, the action that the caller needs the right for, and how the command is made.

    `field` is where a body named it; None for the ticket of the path. `leads`: the field of the body that says what the command leads to.
    """

    reference: str
    action: str
    make: Callable[[Ticket], Command]
    field: str | None = None
    leads: str = "/queue"


@dataclass(frozen=True, slots=True)
class Desk:
    pool: Pool
    runner: CommandRunner[Command, Ticket]
    directory: DirectoryCopy
    uploads: Uploads
    processes: Processes
    """They read the rich text of forms."""

    async def asked(self, who: Identity, key: CommandId, expected: int | None = None) -> Asked:
        """A request with its caller as this desk knows them."""
        return Asked(await self.directory.recognised(who), key, expected)

    async def customer(self, reference: str, field: str = "/customer") -> CustomerRef:
        """The customer that a form names. Raises Problem 422 for what is nobody and no address."""
        found = await customers.named(reference, self.directory, self.pool)
        if found is None:
            raise problems.invalid(field, "names nobody, and is not a valid e-mail address")
        return found

    async def handle(self, asked: Asked, *parts: Part, respond: Respond | None = None) -> Outcome:
        """Gives a command to each ticket that the parts name, all of them or none; the first one is the ticket of the path.

        A ticket that was opened a moment ago is waited for (api.md, section 1: a 201 means that it takes commands). Raises the
        problems 404, 403, 412, 422 for a ticket that a body names, and what the command loop raises.
        """
        started = time.monotonic()
        context = Context(actor=Actor("agent", str(asked.who.person_id)), traceparent=traceparent())
        request = Request(asked.key, context, asked.expected)
        while True:
            streams = [await self.find(part.reference, part.field) for part in parts]
            known = [stream for stream in streams if stream is not None]
            if len(set(known)) < len(known):
                raise problems.rejected("a ticket has no such relation to itself")
            if len(known) == len(parts):
                try:
                    return await self.runner.handle(
                        [Target(stream, part.make) for stream, part in zip(known, parts, strict=True)],
                        request=request,
                        authorize=lambda states: self._authorize_all(asked.who, parts, states),
                        permit=lambda *led: self._permit_all(asked.who, parts, *led),
                        respond=respond,
                    )
                except UnknownStream:
                    pass
                except PreconditionFailed as conflict:
                    raise problems.precondition_failed(await self.shown(known[0], asked.who)) from conflict
            for part in parts:
                await self._wait_for(part.reference, started, part.field)

    async def find(self, reference: str, field: str | None = None) -> UUID | None:
        """The stream that a number or id names; None for a number that is not known."""
        if (number := number_in(reference)) is not None:
            async with self.pool.acquire() as connection:
                return await numbers.find(connection, number)
        try:
            return UUID(reference)
        except ValueError:
            raise _unknown(field) from None

    def _authorize_all(self, who: Identity, parts: Sequence[Part], states: Sequence[Ticket]) -> None:
        for part, state in zip(parts, states, strict=True):
            self.authorize(who, part.action, state, part.field)

    def authorize(self, who: Identity, action: str, state: Ticket, field: str | None = None) -> None:
        """Raises 403, and 404 (422 for a ticket that a body named in `field`) for a ticket that the caller may not see."""
        verdict = may(who, action, self._facts(state))
        if verdict is Access.HIDDEN:
            raise _unknown(field)
        if verdict is Access.FORBIDDEN:
            raise problems.forbidden(f"You may not {action} here.")

    async def _permit_all(
        self,
        who: Identity,
        parts: Sequence[Part],
        before: Sequence[Ticket],
        decided: Sequence[Sequence[Event]],
        after: Sequence[Ticket],
    ) -> None:
        for part, state, events, led_to in zip(parts, before, decided, after, strict=True):
            await self._permit(who, part, state, result(events), led_to)

    async def _permit(self, who: Identity, part: Part, before: Ticket, led_to: Result, after: Ticket) -> None:
        """Raises what the plain commands would: 403, 422 for a queue in which the caller has no right, 409 for somebody who may not work
        where the ticket stands afterwards (A19.05)."""
        for action in led_to.actions:
            self.authorize(who, action, before, part.field)
        for queue, right in led_to.entered:
            self.enterable(queue.id, who, right, part.leads)
        place = self.queue_of(after)
        for person in led_to.workers:
            if person.id == who.person_id and "work" in rights(who, place.members if place else ()):
                continue
            known = await self.directory.person(person.id)
            if known is None:
                raise problems.rejected(f"{person.name} has left")
            if "work" not in rights_of(known, place.members if place else ()):
                raise problems.rejected(f"{known.name} may not work on tickets of this queue")

    def _facts(self, state: Ticket) -> TicketFacts:
        queue = self.queue_of(state)
        return TicketFacts(
            members=queue.members if queue else (),
            customer=state.customer.id if state.customer else None,
            company=state.customer.company if state.customer else None,
        )

    def queue_of(self, state: Ticket) -> Queue | None:
        """The document of the queue that the ticket stands in."""
        return self.directory.queues.by_id.get(state.queue.id) if state.queue else None

    def act(self, asked: Asked, state: Ticket, queue: Queue | None = None) -> Act:
        """Who acts, and when a lock that the act takes would end by the rule of its queue."""
        now = datetime.now(UTC)
        document = queue or self.queue_of(state)
        minutes = document.lock_timeout_minutes if document is not None else None
        until = now + timedelta(minutes=minutes) if minutes is not None else None
        return Act(PersonRef(id=asked.who.person_id, name=asked.who.name), now, until, asked.quietly)

    def required(self, state: Ticket, queue: Queue | None = None) -> tuple[str, ...]:
        """The fields that need a value before the ticket is closed, in the queue in which it stands or is to stand (A7.25)."""
        return fields.required(queue or self.queue_of(state), state.topic, self.directory.configuration)

    async def look_at(self, reference: str, field: str | None = None) -> tuple[UUID, Ticket]:
        """The ticket that is named, as it is now. Raises 404 (422 for one that a body named)."""
        started = time.monotonic()
        while True:
            stream = await self.find(reference, field)
            known = await self.runner.states.newest([stream]) if stream is not None else {}
            if stream is not None and stream in known:
                return stream, known[stream].state
            await self._wait_for(reference, started, field)

    async def _wait_for(self, reference: str, started: float, field: str | None) -> None:
        if not _young(reference):
            if await self._known(reference):
                return
            raise _unknown(field)
        if time.monotonic() - started > WAIT_SECONDS:
            raise problems.unavailable("The ticket is not known to the desk yet; if it was just opened, try again.")
        await asyncio.sleep(0.02)

    async def _known(self, reference: str) -> bool:
        stream = await self.find(reference)
        return stream is not None and bool(await self.runner.states.newest([stream]))

    async def person(self, reference: str, field: str = "/owner") -> PersonRef:
        """The person that a form names as owner, or in another field."""
        person = await self.directory.person_named(reference)
        if person is None:
            raise problems.invalid(field, "names nobody")
        return PersonRef(id=person.id, name=person.name)

    def enterable(self, reference: str | UUID, who: Identity, right: Right, field: str = "/queue") -> Queue:
        """A queue that a body names, or leads to, and that the caller may put a ticket into. One they have no right in is as unknown as
        one that is not in use."""
        queue = self.directory.queues.named(str(reference))
        held = rights(who, queue.members) if queue is not None else frozenset()
        if queue is None or not held:
            raise problems.invalid(field, "names no queue")
        if right not in held:
            raise problems.forbidden(f"You may not put tickets into {queue.name}.")
        return queue

    async def shown(self, stream: UUID, who: Identity) -> dict[str, Any] | None:
        """The ticket as the desk knows it, for the problem document of a lost update; None for a sign-in that may not read it."""
        if who.scopes is not None and "read" not in who.scopes:
            return None
        state, version = (await self.runner.states.newest([stream]))[stream]
        if may(who, "read", self._facts(state)) is not Access.ALLOWED or state.queue is None or state.customer is None:
            return None
        return {
            "id": str(stream),
            "number": state.number,
            "title": state.title,
            "queue": {"id": str(state.queue.id), "slug": state.queue.slug, "name": state.queue.name},
            "state": {"slug": state.state.slug, "name": state.state.name, "type": state.state.type},
            "owner": _person(state.owner),
            "lock": {"locked": state.locked_by is not None, "by": _person(state.locked_by)},
            "versions": {"routing": version},
        }


def queue_ref(queue: Queue) -> QueueRef:
    return QueueRef(id=queue.id, slug=queue.slug, name=queue.name)


def _unknown(field: str | None) -> problems.Problem:
    return problems.not_found() if field is None else problems.invalid(field, "names no ticket")


def _person(person: PersonRef | None) -> dict[str, str] | None:
    return None if person is None else {"id": str(person.id), "name": person.name}


def _young(reference: str) -> bool:
    """Whether the ticket may have been opened so lately that its queueing is still on its way: by the time in a UUIDv7, or by the
    day in a number."""
    now = datetime.now(UTC)
    if (number := number_in(reference)) is not None:
        return number[:8] in {(now + timedelta(days=d)).strftime("%Y%m%d") for d in (-1, 0, 1)}
    identifier = UUID(reference)
    if identifier.version != 7:
        return False
    age = now.timestamp() - (identifier.int >> 80) / 1000
    return -5 < age < YOUNG_SECONDS
