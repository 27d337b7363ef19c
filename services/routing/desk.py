"""The desk behind the API: finds the ticket that is meant, checks who asks on the state that is decided on, gives the command."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.routing import numbers, ticket
from services.routing.commands import Command
from services.routing.ticket import Ticket
from shared.contracts.access import Access, Identity, TicketFacts, may, rights
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.parts import PersonRef
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.eventstore.commands import Commands, Outcome, Request
from shared.eventstore.errors import UnknownStream, VersionConflict
from shared.eventstore.store import CommandId, Context, Store
from shared.http import problems
from shared.telemetry.tracing import traceparent

WAIT_SECONDS = 2.0
YOUNG_SECONDS = 600.0
"""How long after its opening a ticket may be unknown here only because the log is slow; then 503, not 404, is the truth."""
NUMBER = re.compile(r"^\d{16,20}$")


@dataclass(frozen=True, slots=True)
class Desk:
    pool: Pool
    store: Store
    directory: DirectoryCopy

    def _commands(self) -> Commands[Command, Ticket]:
        return Commands(self.store, "ticket", ticket)

    async def handle(
        self,
        reference: str,
        action: str,
        command: Command,
        *,
        who: Identity,
        key: CommandId,
        expected: int | None,
        answer: Callable[[Sequence[Event], int], dict[str, Any]] | None = None,
    ) -> tuple[UUID, Outcome]:
        """Gives one command to the ticket that `reference` (id or number) names.

        A ticket that was opened a moment ago is waited for (api.md, section 1: a 201 means that it takes commands). Raises the
        problems 404, 403, 412 and what the command loop raises.
        """
        started = time.monotonic()
        request = Request(key, Context(actor=Actor("agent", str(who.person_id)), traceparent=traceparent()), expected)
        while True:
            stream = await self._find(reference)
            if stream is not None:
                try:
                    return stream, await self._commands().handle(
                        stream,
                        command,
                        request=request,
                        authorize=lambda state: self._authorize(who, action, state),
                        answer=answer,
                    )
                except UnknownStream:
                    pass
                except VersionConflict as conflict:
                    if expected is None:
                        raise
                    raise problems.precondition_failed(await self.shown(stream, who)) from conflict
            await self._wait_for(reference, started)

    async def _find(self, reference: str) -> UUID | None:
        if NUMBER.match(reference):
            async with self.pool.acquire() as connection:
                return await numbers.find(connection, reference)
        try:
            return UUID(reference)
        except ValueError:
            raise problems.not_found() from None

    def _authorize(self, who: Identity, action: str, state: Ticket) -> None:
        verdict = may(who, action, self._facts(state))
        if verdict is Access.HIDDEN:
            raise problems.not_found()
        if verdict is Access.FORBIDDEN:
            raise problems.forbidden(f"You may not {action} here.")

    def _facts(self, state: Ticket) -> TicketFacts:
        queue = self.directory.queues.by_id.get(state.queue.id) if state.queue else None
        return TicketFacts(
            members=queue.members if queue else (),
            customer_email=state.customer.email if state.customer else "",
            company=state.customer.company if state.customer else None,
        )

    async def state(self, reference: str) -> Ticket:
        """The ticket as the desk knows it now, for what a command needs to be made (its queue's settings). Raises 404."""
        started = time.monotonic()
        while True:
            stream = await self._find(reference)
            history = await self.store.load(stream) if stream is not None else []
            if history:
                state = ticket.initial()
                for event in history:
                    state = ticket.evolve(state, event.payload)
                return state
            await self._wait_for(reference, started)

    async def _wait_for(self, reference: str, started: float) -> None:
        if not _young(reference):
            raise problems.not_found()
        if time.monotonic() - started > WAIT_SECONDS:
            raise problems.unavailable("The ticket is not known to the desk yet; if it was just opened, try again.")
        await asyncio.sleep(0.02)

    async def owner(self, reference: str, state: Ticket) -> PersonRef:
        """The person that a form names as owner. They must be able to work on the ticket's queue (A19.05)."""
        person = await self.directory.person_named(reference)
        if person is None:
            raise problems.invalid("/owner", "names nobody")
        queue = self.directory.queues.by_id.get(state.queue.id) if state.queue else None
        as_owner = Identity(
            person_id=person.id,
            kind="agent",
            login=person.login,
            name=person.name,
            email=person.email,
            roles=tuple(person.roles),
        )
        if "work" not in rights(as_owner, queue.members if queue else ()):
            raise problems.rejected(f"{person.name} may not work on tickets of this queue")
        return PersonRef(id=person.id, name=person.name)

    async def shown(self, stream: UUID, who: Identity) -> dict[str, Any] | None:
        """The ticket as the desk knows it, for the problem document of a lost update."""
        history = await self.store.load(stream)
        state = ticket.initial()
        for event in history:
            state = ticket.evolve(state, event.payload)
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
            "versions": {"routing": len(history)},
        }


def _person(person: PersonRef | None) -> dict[str, str] | None:
    return None if person is None else {"id": str(person.id), "name": person.name}


def _young(reference: str) -> bool:
    """Whether the ticket may have been opened so lately that its queueing is still on its way: by the time in a UUIDv7, or by the
    day in a number."""
    now = datetime.now(UTC)
    if NUMBER.match(reference):
        return reference[:8] in {(now + timedelta(days=d)).strftime("%Y%m%d") for d in (-1, 0, 1)}
    identifier = UUID(reference)
    if identifier.version != 7:
        return False
    age = now.timestamp() - (identifier.int >> 80) / 1000
    return -5 < age < YOUNG_SECONDS
