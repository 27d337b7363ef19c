"""The two ways of working through events: as a projection into rows, as a policy into commands of the service's own."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from shared.contracts.envelope import Actor, Recorded
from shared.contracts.rejected import Rejected
from shared.database import TRANSIENT, Connection
from shared.eventstore.commands import Decider
from shared.eventstore.store import Append, Context, NewEvent, Store, utc_now
from shared.messaging.delivery import Delivered, Next, Parked, order, out_of_order
from shared.messaging.projection import Projection, R, Seen
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

    `react` is pure; `inline` writes the service's own rows (deliveries, timers, look-ups) in the transaction of the events.
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
        done: Callable[[], None] | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.name, self.store, self.category, self.decider = name, store, category, decider
        self.producers: frozenset[str] | None = producers
        self.react, self.inline, self.done, self.prepare = react, inline, done, prepare

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        if self.prepare is not None:
            await self.prepare()
        aside: list[Parked] = []
        held = set(parked)
        keys = sorted({d.key for d in deliveries})
        seen: dict[UUID, Seen] = {key: {} for key in keys}
        for row in await connection.fetch(LOAD_SEEN, self.name, keys):
            seen[row["stream"]][row["producer"]] = (row["version"], row["event_id"])
        taken: list[tuple[Delivered, Recorded, Sequence[Command]]] = []
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
                taken.append((delivery, event, commands))
        if taken:
            await self._carry_out(connection, taken)
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

    async def _carry_out(
        self, connection: Connection, taken: Sequence[tuple[Delivered, Recorded, Sequence[Command]]]
    ) -> None:
        histories = await self.store.load_many(list({event.stream for _, event, _ in taken}), connection=connection)
        states: dict[UUID, tuple[State, int]] = {}
        for stream, history in histories.items():
            state = self.decider.initial()
            for past in history:
                state = self.decider.evolve(state, past.payload)
            states[stream] = (state, len(history))
        appends: list[Append] = []
        for _, event, commands in taken:
            with span(
                f"{self.name} {event.type}", kind="consumer", traceparent=event.traceparent, ticket=str(event.stream)
            ):
                for command in commands:
                    state, version = states[event.stream]
                    try:
                        decided = self.decider.decide(command, state)
                    except Rejected as refusal:
                        log.info("%s: %s after %s: %s", self.name, type(command).__name__, event.type, refusal.reason)
                        continue
                    if not decided:
                        continue
                    for payload in decided:
                        state = self.decider.evolve(state, payload)
                    appends.append(
                        Append(
                            event.stream,
                            self.category,
                            version,
                            tuple(NewEvent(payload) for payload in decided),
                            Context(
                                actor=Actor("service", self.name),
                                correlation_id=event.correlation_id,
                                causation_id=event.id,
                                traceparent=traceparent() or event.traceparent,
                                time=utc_now(),
                            ),
                        )
                    )
                    states[event.stream] = (state, version + len(decided))
        if not appends:
            return
        appended = await self.store.append(appends, connection=connection)
        if self.inline is not None:
            await self.inline(connection, appended.events)

    def committed(self) -> None:
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
