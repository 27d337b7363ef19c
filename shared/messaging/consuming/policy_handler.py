"""Works through events as a policy: they lead to commands, whose events are recorded in the same transaction."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.contracts.envelope import Actor, Recorded
from shared.database import Connection
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Context, utc_now
from shared.eventstore.unit_of_work import UnitOfWork
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.in_order import InOrder
from shared.messaging.consuming.projection import Seen
from shared.rules.rejected import Rejected
from shared.runtime.failpoints import hit
from shared.telemetry.tracing import span, traceparent

log = logging.getLogger(__name__)

State = TypeVar("State")
Command = TypeVar("Command")
Inline = Callable[[Connection, Sequence[Recorded]], Awaitable[None]]
Rows = Callable[[Connection, Sequence[Any]], Awaitable[None]]

LOAD_SEEN = "SELECT stream, producer, version, event_id FROM messaging.seen WHERE consumer = $1 AND stream = ANY($2)"
SAVE_SEEN = """
INSERT INTO messaging.seen (consumer, stream, producer, version, event_id)
SELECT $1, s.stream, s.producer, s.version, s.event_id
  FROM unnest($2::uuid[], $3::text[], $4::integer[], $5::uuid[]) AS s(stream, producer, version, event_id)
 ORDER BY s.stream, s.producer
    ON CONFLICT (consumer, stream, producer) DO UPDATE SET version = excluded.version, event_id = excluded.event_id
"""


class PolicyHandler(Generic[Command, State]):
    """Turns events of other services into commands for the service's own stream of the same id.

    `react` is pure; `prepare` brings up to date what it looks at. `inline` writes the service's own rows (deliveries,
    timers, look-ups) in the transaction of the events, and `rows` those that belong to the decisions. `follow` names
    the next stream that a command concerns, and the command for it, when a state has gone on in another stream. `done`
    is called after each commit, `rows_written` after one with such rows. `actor`: who acts; None: the service, by the handler's name. With
    `begins_with_cause`, the first event of a stream has the time of the event that led to it: what two services record
    is then one moment, however long the second one was away or how many it handles in one batch.
    """

    def __init__(
        self,
        *,
        name: str,
        runner: CommandRunner[Command, State],
        producers: frozenset[str],
        react: Callable[[Recorded], Sequence[Command]],
        inline: Inline | None = None,
        rows: Rows | None = None,
        rows_written: Callable[[], None] | None = None,
        follow: Callable[[Command, State], tuple[UUID, Command] | None] | None = None,
        done: Callable[[], None] | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
        begins_with_cause: bool = False,
        actor: Actor | None = None,
    ) -> None:
        self.name, self.runner, self.react = name, runner, react
        self.actor = actor or Actor("service", name)
        self.producers: frozenset[str] | None = producers
        self.inline, self.follow, self.done, self.prepare = inline, follow, done, prepare
        self.rows, self.rows_written = rows, rows_written
        self.begins_with_cause = begins_with_cause
        self._unit: UnitOfWork[Command, State] | None = None

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        self._unit = None
        if self.prepare is not None:
            await self.prepare()
        batch = InOrder(parked, self.producers)
        keys = sorted({d.key for d in deliveries})
        seen: dict[UUID, Seen] = {key: {} for key in keys}
        for row in await connection.fetch(LOAD_SEEN, self.name, keys):
            seen[row["stream"]][row["producer"]] = (row["version"], row["event_id"])
        reactions: list[tuple[Recorded, Sequence[Command]]] = []
        moved: dict[tuple[UUID, str], tuple[int, UUID]] = {}
        for delivery in deliveries:
            event = batch.take(delivery, seen[delivery.key])
            if event is None:
                continue
            hit("consumer.react")
            seen[delivery.key][event.producer] = moved[delivery.key, event.producer] = (event.version, event.id)
            commands = self.react(event)
            if commands:
                reactions.append((event, commands))
        if reactions:
            await self.carry_out(connection, reactions)
        if moved:
            await connection.execute(
                SAVE_SEEN,
                self.name,
                [stream for stream, _ in moved],
                [producer for _, producer in moved],
                [version for version, _ in moved.values()],
                [event_id for _, event_id in moved.values()],
            )
        return batch.parked

    async def carry_out(self, connection: Connection, reactions: Sequence[tuple[Recorded, Sequence[Command]]]) -> None:
        """Decides the commands that events lead to and records their events, in the connection's transaction.

        A refused command leads to nothing. Raises Raced.
        """
        self._unit = unit = self.runner.unit(connection)
        await unit.load(*(event.stream for event, _ in reactions))
        for event, commands in reactions:
            with span(
                f"{self.name} {event.type}", kind="consumer", traceparent=event.traceparent, ticket=str(event.stream)
            ):
                context = Context(
                    actor=self.actor,
                    correlation_id=event.correlation_id,
                    causation_id=event.id,
                    traceparent=traceparent() or event.traceparent,
                    time=event.time if self.begins_with_cause and not unit.knows(event.stream) else utc_now(),
                )
                for command in commands:
                    await self._decide(unit, command, event, context)
        appended = await unit.record()
        if appended.events and self.inline is not None:
            await self.inline(connection, appended.events)
        if unit.rows and self.rows is not None:
            await self.rows(connection, unit.rows)

    async def _decide(
        self, unit: UnitOfWork[Command, State], command: Command, event: Recorded, context: Context
    ) -> None:
        """Decides a command on the event's stream, and then on each stream in which that one has gone on."""
        following: tuple[UUID, Command] | None = (event.stream, command)
        while following is not None:
            stream, command = following
            await unit.load(stream)
            following = self.follow(command, unit.state(stream)) if self.follow is not None else None
            try:
                unit.decide(stream, command, context)
            except Rejected as refusal:
                log.info("%s: %s after %s: %s", self.name, type(command).__name__, event.type, refusal.reason)

    def committed(self) -> None:
        unit, self._unit = self._unit, None
        if unit is not None:
            unit.committed()
            if unit.recorded:
                self.runner.store.appended.set()
            if unit.rows and self.rows_written is not None:
                self.rows_written()
        if self.done is not None:
            self.done()
