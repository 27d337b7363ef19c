"""What every operation on tickets does: find the ticket, check the rights, decide, record."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.routing.operations import states
from services.routing.operations.request import CommandRequest, Make, TicketCommand
from services.routing.operations.rights import needed_for
from services.routing.references import customers, numbers
from services.routing.references.assignees import Assignees
from services.routing.ticket import Command, Ticket
from services.routing.ticket.context import CommandContext, QueueSettings
from shared import fields
from shared.blobs.uploads import Uploads
from shared.bounded.processes import Processes
from shared.contracts import envelope
from shared.contracts.directory import Queue, Right
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, PersonRef
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.eventstore.errors import UnknownStream
from shared.eventstore.runner import CommandRunner, Outcome, Request, Respond, Target, once, replayed
from shared.eventstore.store import Context
from shared.rules.access import ALL_RIGHTS, Access, TicketFacts, may, rights, rights_of
from shared.rules.refusals import Forbidden, NotFound, Refusal, Unavailable, invalid
from shared.rules.rejected import Rejected
from shared.rules.subjects import number_in
from shared.telemetry.tracing import traceparent

WAIT_SECONDS = 2.0
YOUNG_SECONDS = 600.0
"""So long after its opening a ticket may be unknown here because the log is slow. The answer is then 503, not 404."""


@dataclass(frozen=True, slots=True)
class TicketOperations:
    """`processes` read the rich text of articles."""

    pool: Pool
    runner: CommandRunner[Command, Ticket]
    directory: DirectoryCopy
    uploads: Uploads
    processes: Processes
    assignees: Assignees

    async def give(
        self,
        request: CommandRequest,
        action: str,
        make: Make,
        *others: TicketCommand,
        respond: Respond | None = None,
        queue: Queue | None = None,
        leads_to: str = "queue",
    ) -> Outcome:
        """Carries out the command of a request, and those for other tickets that belong to it: all of them, or none.

        `queue`: the queue whose settings apply, if the command moves the ticket. `leads_to`: the argument that names
        the queue that the command leads to.
        Waits for a ticket that was opened a moment ago: after its 201 it takes commands.
        Raises refusals, Rejected, and what the command runner raises.
        """
        commands = (TicketCommand(request.ticket, action, make, queue=queue), *others)
        return await self.give_all(request, commands, respond=respond, leads_to=leads_to)

    async def give_all(
        self,
        request: CommandRequest,
        commands: Sequence[TicketCommand],
        *,
        respond: Respond | None = None,
        leads_to: str = "queue",
        prepare: Callable[[Ticket], Awaitable[None]] | None = None,
    ) -> Outcome:
        """Carries out several commands in their order, all or none. The first one is for the request's own ticket.

        Later commands for the same ticket meet it as the earlier ones left it. `prepare` gets the ticket before each
        attempt.
        """
        started = time.monotonic()
        actor = envelope.Actor(request.actor.kind, str(request.actor.id))
        sent = Request(request.key, Context(actor=actor, traceparent=traceparent()), request.expected)

        async def prepared(tickets: Sequence[Ticket]) -> None:
            if prepare is not None:
                await prepare(tickets[0])

        while True:
            named = {(each.ticket, each.field): None for each in commands}
            streams = {each: await self.find(*each) for each in named}
            known = [stream for each in commands if (stream := streams[each.ticket, each.field]) is not None]
            if len(known) == len(commands):
                others = [stream for stream, each in zip(known, commands, strict=True) if each.field is not None]
                if known[0] in others:
                    raise Rejected("A ticket cannot be linked to or merged with itself.")
                with contextlib.suppress(UnknownStream):
                    return await self.runner.handle(
                        [self._target(request, *each) for each in zip(known, commands, strict=True)],
                        request=sent,
                        authorize=lambda states: self._authorize_all(request, commands, states),
                        permit=lambda *decision: self._permit_all(request, commands, leads_to, *decision),
                        respond=respond,
                        prepare=prepared,
                    )
            for ticket, field in named:
                await self._wait_for(ticket, started, field)

    async def once(self, request: CommandRequest, attempt: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Carries out a request that may come again: it gets its first response, whatever stands in the way by now."""
        return await once(self.runner.store, request.key, attempt, replayed)

    def _target(self, request: CommandRequest, stream: UUID, command: TicketCommand) -> Target[Command, Ticket]:
        return Target(stream, lambda ticket: command.make(self.context(request, ticket, command.queue), ticket))

    def context(self, request: CommandRequest, ticket: Ticket, queue: Queue | None = None) -> CommandContext:
        """What a command on this ticket carries. `queue`: the queue that the command moves it to."""
        return CommandContext(
            request.actor,
            datetime.now(UTC),
            self._settings(ticket, queue or self.queue_of(ticket)),
            request.lock_on_action,
        )

    def _settings(self, ticket: Ticket, queue: Queue | None) -> QueueSettings:
        configuration = self.directory.configuration
        minutes = queue.lock_timeout_minutes if queue is not None else None
        return QueueSettings(
            lock_timeout=timedelta(minutes=minutes) if minutes is not None else None,
            required_fields=fields.required(queue, ticket.topic, configuration),
            after_reply=states.configured(queue.next_state_after_reply, configuration.states) if queue else None,
        )

    async def find(self, reference: str, field: str | None = None) -> UUID | None:
        """The stream that a number or id names; None for a number that is not known."""
        if (number := number_in(reference)) is not None:
            async with self.pool.acquire() as connection:
                return await numbers.find(connection, number)
        try:
            return UUID(reference)
        except ValueError:
            raise _no_such_ticket(field) from None

    async def current(self, reference: str, field: str | None = None) -> tuple[UUID, Ticket]:
        """A ticket as it is now, with its stream. Raises NotFound, or Invalid for a ticket that an argument names."""
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
            raise _no_such_ticket(field)
        if time.monotonic() - started > WAIT_SECONDS:
            raise Unavailable("The ticket is not known to the desk yet. If it was just opened, try again.")
        await asyncio.sleep(0.02)

    async def _known(self, reference: str) -> bool:
        stream = await self.find(reference)
        return stream is not None and bool(await self.runner.states.newest([stream]))

    def authorize(self, request: CommandRequest, action: str, ticket: Ticket, field: str | None = None) -> None:
        """Raises Forbidden. A ticket that the person may not see is told as one that does not exist."""
        if request.identity is None:
            return
        verdict = may(request.identity, action, self.facts(ticket))
        if verdict is Access.HIDDEN:
            raise _no_such_ticket(field)
        if verdict is Access.FORBIDDEN:
            raise Forbidden("You do not have the right to do this with the ticket.")

    def _authorize_all(
        self, request: CommandRequest, commands: Sequence[TicketCommand], tickets: Sequence[Ticket]
    ) -> None:
        for command, ticket in zip(commands, tickets, strict=True):
            self.authorize(request, command.action, ticket, command.field)

    async def _permit_all(
        self,
        request: CommandRequest,
        commands: Sequence[TicketCommand],
        leads_to: str,
        before: Sequence[Ticket],
        decided: Sequence[Sequence[Event]],
        after: Sequence[Ticket],
    ) -> None:
        for command, ticket, events, changed in zip(commands, before, decided, after, strict=True):
            await self.permit(request, ticket, events, changed, field=command.field, leads_to=leads_to)

    async def permit(
        self,
        request: CommandRequest,
        before: Ticket,
        events: Sequence[Event],
        after: Ticket,
        *,
        field: str | None = None,
        leads_to: str = "queue",
    ) -> None:
        """Refuses as the plain commands would, and rejects a person who may not work where the ticket then stands."""
        needed = needed_for(events)
        if needed.work:
            self.authorize(request, "work", before, field)
        for queue, right in needed.queues:
            self.target_queue(str(queue.id), request, right, leads_to)
        document = self.queue_of(after)
        members = document.members if document is not None else ()
        for person in needed.workers:
            who = request.identity
            if who is not None and person.id == who.person_id and "work" in rights(who, members):
                continue
            known = await self.directory.person(person.id)
            if known is None:
                raise Rejected(f"{person.name} has left.")
            if "work" not in rights_of(known, members):
                raise Rejected(f"{known.name} may not work on tickets of this queue.")

    def facts(self, ticket: Ticket) -> TicketFacts:
        """What the permission rule looks at."""
        queue = self.queue_of(ticket)
        return TicketFacts(
            members=queue.members if queue else (),
            customer=ticket.customer.id if ticket.customer else None,
            company=ticket.customer.company if ticket.customer else None,
        )

    def queue_of(self, ticket: Ticket) -> Queue | None:
        """The configuration of the queue in which the ticket stands."""
        return self.directory.queues.by_id.get(ticket.queue.id) if ticket.queue else None

    def target_queue(self, reference: str, request: CommandRequest, right: Right, field: str = "queue") -> Queue:
        """A queue into which the actor may put a ticket. To somebody without any right there, it does not exist."""
        queue = self.directory.queues.named(reference)
        who = request.identity
        held = rights(who, queue.members) if queue is not None and who is not None else ALL_RIGHTS
        if queue is None or not held:
            raise invalid(field, detail="No such queue.")
        if right not in held:
            raise Forbidden(f"You may not put tickets into {queue.name}.")
        return queue

    async def person(self, reference: str, field: str = "owner") -> PersonRef:
        person = await self.directory.person_named(reference)
        if person is None:
            raise invalid(field, detail="No such person.")
        return PersonRef(id=person.id, name=person.name)

    async def customer(self, reference: str, field: str = "customer") -> CustomerRef:
        customer = await customers.named(reference, self.directory, self.pool)
        if customer is None:
            raise invalid(field, detail="No such person, and this is not a valid e-mail address.")
        return customer


def _no_such_ticket(field: str | None) -> Refusal:
    return NotFound() if field is None else invalid(field, detail="No such ticket.")


def _young(reference: str) -> bool:
    """Whether the ticket may be so new that it is not queued here yet: by its UUIDv7, or the day in its number."""
    now = datetime.now(UTC)
    if (number := number_in(reference)) is not None:
        return number[:8] in {(now + timedelta(days=d)).strftime("%Y%m%d") for d in (-1, 0, 1)}
    identifier = UUID(reference)
    if identifier.version != 7:
        return False
    age = now.timestamp() - (identifier.int >> 80) / 1000
    return -5 < age < YOUNG_SECONDS
