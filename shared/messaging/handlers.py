"""The two ways of working through events: as a projection into rows, as a policy into commands of the service's own."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from shared.contracts.envelope import Actor, Recorded
from shared.database import TRANSIENT, Connection
from shared.eventstore.commands import Decider
from shared.eventstore.folds import Folded, Folds
from shared.eventstore.store import Append, Context, NewEvent, Store, utc_now
from shared.messaging.delivery import Delivered, Next, Parked, order, out_of_order
from shared.messaging.projection import Projection, R, Seen
from shared.rules.rejected import Rejected
from shared.telemetry.tracing import span, traceparent
from shared.testing.failpoints import hit

log = logging.getLogger(__name__)

State = TypeVar("State")
Command = TypeVar("Command")


class Handler(Protocol):
    """Works through deliveries inside the consumer's transaction and answers which ones must be parked.

    `parked` holds the streams that are parked already. Any exception rolls the transaction back; the consumer then goes
    event by event. `producers` names whose events it reads; None: everybody's.
    """

    producers: frozenset[str] | None

    async def work(
        self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]
    ) -> list[Parked]: ...

    def committed(self) -> None:
        """The transaction that `work` took part in is durable."""


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


class ProjectionHandler(Generic[R]):
    """Folds a whole batch in memory and saves the rows at once."""

    producers: frozenset[str] | None = None

    def __init__(self, projection: Projection[R]) -> None:
        self.projection = projection

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        aside: list[Parked] = []
        held = set(parked)
        rows = await self.projection.load(connection, sorted({d.key for d in deliveries if d.key not in held}))
        changed: dict[UUID, R] = {}
        failed: dict[UUID, int] = {}
        for n, delivery in enumerate(deliveries):
            event = delivery.event
            if delivery.key in held:
                aside.append(Parked(delivery, "an earlier event of it is parked", new=False))
                continue
            if event is None:
                held.add(delivery.key)
                aside.append(Parked(delivery, delivery.unreadable, new=True))
                continue
            row = rows.get(delivery.key)
            seen: Seen = row.seen if row is not None else {}
            match order(event, seen):
                case Next.SKIP:
                    continue
                case Next.HOLE | Next.FORK:
                    held.add(delivery.key)
                    aside.append(Parked(delivery, out_of_order(event, seen), new=True))
                    continue
                case Next.TAKE:
                    pass
            try:
                hit("consumer.apply")
                row = self.projection.apply(row, event, delivery.position)
            except Exception as error:
                held.add(delivery.key)
                aside.append(Parked(delivery, _reason(error), new=True))
                failed[delivery.key] = n
                continue
            seen[event.producer] = (event.version, event.id)
            row.seen = seen
            rows[delivery.key] = changed[delivery.key] = row
        for key in failed.keys() & changed.keys():
            changed[key] = await self._made_anew(connection, key, deliveries[: failed[key]])
        if changed:
            await self.projection.save(connection, dict(sorted(changed.items())))
        return aside

    async def _made_anew(self, connection: Connection, key: UUID, deliveries: Sequence[Delivered]) -> R:
        """The row that a stream's events made before one of them failed and left it half changed. They were taken once: none fails here."""
        row = (await self.projection.load(connection, [key])).get(key)
        for delivery in deliveries:
            event = delivery.event
            if delivery.key != key or event is None:
                continue
            seen: Seen = row.seen if row is not None else {}
            if order(event, seen) is Next.TAKE:
                row = self.projection.apply(row, event, delivery.position)
                seen[event.producer] = (event.version, event.id)
                row.seen = seen
        assert row is not None, "a stream whose row has changed has taken an event"
        return row

    def committed(self) -> None:
        return


Inline = Callable[[Connection, Sequence[Recorded]], Awaitable[None]]

LOAD_SEEN = "SELECT stream, producer, version, event_id FROM messaging.seen WHERE consumer = $1 AND stream = ANY($2)"
SAVE_SEEN = """
INSERT INTO messaging.seen (consumer, stream, producer, version, event_id)
SELECT $1, s.stream, s.producer, s.version, s.event_id
  FROM unnest($2::uuid[], $3::text[], $4::integer[], $5::uuid[]) AS s(stream, producer, version, event_id)
 ORDER BY s.stream, s.producer
    ON CONFLICT (consumer, stream, producer) DO UPDATE SET version = excluded.version, event_id = excluded.event_id
"""


class PolicyHandler(Generic[Command, State]):
    """Turns foreign events into commands for the service's own stream of the same id, and records what they lead to.

    `react` is pure; `goes_on` names the stream that a command concerns as well, and the command for it, when it meets a state that has
    gone on in another stream. `inline` writes the service's own rows (deliveries, timers, look-ups) in the transaction of the events.
    Events of producers not named are none of its business. `prepare` brings up to date what `react` looks at.
    """

    def __init__(
        self,
        *,
        name: str,
        store: Store,
        category: str,
        decider: Decider[Command, State],
        producers: frozenset[str],
        react: Callable[[Recorded], Sequence[Command]],
        inline: Inline | None = None,
        goes_on: Callable[[Command, State], tuple[UUID, Command] | None] | None = None,
        done: Callable[[], None] | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.name, self.store, self.category, self.decider = name, store, category, decider
        self.producers: frozenset[str] | None = producers
        self.react, self.inline, self.done, self.prepare = react, inline, done, prepare
        self._folds: Folds[State] = Folds(store, decider)
        self._pending: dict[UUID, Folded[State]] = {}
        """The states that the events of this transaction lead to, kept once it is committed."""
        self.goes_on = goes_on

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        self._pending = {}
        if self.prepare is not None:
            await self.prepare()
        aside: list[Parked] = []
        held = set(parked)
        keys = sorted({d.key for d in deliveries})
        seen: dict[UUID, Seen] = {key: {} for key in keys}
        for row in await connection.fetch(LOAD_SEEN, self.name, keys):
            seen[row["stream"]][row["producer"]] = (row["version"], row["event_id"])
        taken: list[tuple[Recorded, Sequence[Command]]] = []
        moved: dict[tuple[UUID, str], tuple[int, UUID]] = {}
        for delivery in deliveries:
            event = delivery.event
            if event is not None and self.producers is not None and event.producer not in self.producers:
                continue
            if delivery.key in held:
                aside.append(Parked(delivery, "an earlier event of it is parked", new=False))
                continue
            if event is None:
                held.add(delivery.key)
                aside.append(Parked(delivery, delivery.unreadable, new=True))
                continue
            match order(event, seen[delivery.key]):
                case Next.SKIP:
                    continue
                case Next.HOLE | Next.FORK:
                    held.add(delivery.key)
                    aside.append(Parked(delivery, out_of_order(event, seen[delivery.key]), new=True))
                    continue
                case Next.TAKE:
                    pass
            hit("consumer.react")
            seen[delivery.key][event.producer] = (event.version, event.id)
            moved[delivery.key, event.producer] = (event.version, event.id)
            commands = self.react(event)
            if commands:
                taken.append((event, commands))
        if taken:
            await self.carry_out(connection, taken)
        if moved:
            await connection.execute(
                SAVE_SEEN,
                self.name,
                [stream for stream, _ in moved],
                [producer for _, producer in moved],
                [version for version, _ in moved.values()],
                [event_id for _, event_id in moved.values()],
            )
        return aside

    async def carry_out(self, connection: Connection, taken: Sequence[tuple[Recorded, Sequence[Command]]]) -> None:
        """Decides on the commands that events lead to, and records what comes of them, in the connection's transaction. Raises VersionConflict."""
        states: dict[UUID, Folded[State]] = {}
        await self._fold(connection, {event.stream for event, _ in taken}, states)
        appends: list[Append] = []
        for event, commands in taken:
            with span(
                f"{self.name} {event.type}", kind="consumer", traceparent=event.traceparent, ticket=str(event.stream)
            ):
                context = Context(
                    actor=Actor("service", self.name),
                    correlation_id=event.correlation_id,
                    causation_id=event.id,
                    traceparent=traceparent() or event.traceparent,
                    time=utc_now(),
                )
                for command in commands:
                    stream, further = event.stream, self._further(command, states[event.stream][0])
                    appends += self._decided(stream, command, states, event, context)
                    while further is not None:
                        stream, command = further
                        if stream not in states:
                            await self._fold(connection, {stream}, states)
                        further = self._further(command, states[stream][0])
                        appends += self._decided(stream, command, states, event, context)
        self._pending = states
        if not appends:
            return
        appended = await self.store.append(appends, connection=connection)
        if self.inline is not None:
            await self.inline(connection, appended.events)

    async def _fold(self, connection: Connection, streams: Iterable[UUID], states: dict[UUID, Folded[State]]) -> None:
        """Adds the states of these streams."""
        nothing = Folded(self.decider.initial(), 0)
        newest = await self._folds.newest(list(streams), connection=connection)
        states |= {stream: newest.get(stream, nothing) for stream in streams}

    def _further(self, command: Command, state: State) -> tuple[UUID, Command] | None:
        return self.goes_on(command, state) if self.goes_on is not None else None

    def _decided(
        self,
        stream: UUID,
        command: Command,
        states: dict[UUID, Folded[State]],
        event: Recorded,
        context: Context,
    ) -> list[Append]:
        """What a command leads to on a stream, whose state moves on; nothing where a rule refuses it."""
        state, version = states[stream]
        try:
            decided = self.decider.decide(command, state)
        except Rejected as refusal:
            log.info("%s: %s after %s: %s", self.name, type(command).__name__, event.type, refusal.reason)
            return []
        if not decided:
            return []
        states[stream] = self._folds.after(states[stream], decided)
        return [Append(stream, self.category, version, tuple(NewEvent(each) for each in decided), context)]

    def committed(self) -> None:
        for stream, folded in self._pending.items():
            if folded.version:
                self._folds.keep(stream, folded)
        self._pending = {}
        self.store.appended.set()
        if self.done is not None:
            self.done()


def transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: then nothing is parked and the consumer starts again."""
    return isinstance(error, TRANSIENT) or (
        isinstance(error, ExceptionGroup) and any(transient(e) for e in error.exceptions)
    )


Handlers = Mapping[str, Handler]
"""Topic -> what works through its events."""

__all__ = ["Handler", "Handlers", "PolicyHandler", "ProjectionHandler", "transient"]
