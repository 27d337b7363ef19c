"""The command runner: load, fold, authorize, decide, append, and again when somebody else recorded first.

Every decision of a service is recorded through it (docs/decisions/0094). A service brings its decider, its streams, the rows that belong
to the same transaction, and what happens on a race.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from shared.contracts.event import Event
from shared.database import Connection
from shared.eventstore.decider import Decider
from shared.eventstore.errors import CommandReused, CommandRunning, PreconditionFailed, Raced, UnknownStream
from shared.eventstore.state_cache import StateCache, States
from shared.eventstore.store import Append, Appended, CommandId, Context, Store
from shared.eventstore.unit_of_work import Conclude, Record, UnitOfWork

State = TypeVar("State")
Command = TypeVar("Command")
Done = TypeVar("Done")
RETRIES = 3

Authorize = Callable[[Sequence[State]], None]
"""Looks at the state of each target before the decision; raises to refuse."""
Permit = Callable[[Sequence[State], Sequence[Sequence[Event]], Sequence[State]], Awaitable[None]]
"""Looks at each target's state, decided events and state after them, before anything is recorded; raises to refuse."""
Respond = Callable[[Sequence[Event], int], dict[str, Any]]
"""Makes the response of a request from the events and the version of its first target."""


class Target(NamedTuple, Generic[Command, State]):
    """A stream of a request, and how its command is made of the state that is decided on."""

    stream: UUID
    command: Callable[[State], Command]


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sends besides the command: its identity for retries, its context, and the version of `If-Match`."""

    command: CommandId
    context: Context
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a request.

    `version`: of the first stream, after the command. `replayed`: the request was known, and this is its first
    response. `written`: the streams and their versions; empty for a replayed one.
    """

    version: int
    response: dict[str, Any]
    replayed: bool = False
    written: tuple[tuple[UUID, int], ...] = ()


class CommandRunner(Generic[Command, State]):
    """Runs commands on the streams of one category. Any replica takes any command.

    `record` is how decided events are recorded outside of a caller's transaction, `states` where states are read.
    `conclude` says what follows from each decision.
    """

    def __init__(
        self,
        store: Store,
        category: str,
        decider: Decider[Command, State],
        *,
        record: Record | None = None,
        states: States[State] | None = None,
        conclude: Conclude[Command, State] | None = None,
    ) -> None:
        self.store, self.category, self.decider, self.conclude = store, category, decider, conclude
        self.states: States[State] = states or StateCache(store, decider)
        self._record: Record = record or store.append

    def unit(self, connection: Connection | None = None) -> UnitOfWork[Command, State]:
        """One attempt; with a connection, inside the caller's transaction."""
        record = self._record if connection is None else _within(self.store, connection)
        return UnitOfWork(self.category, self.decider, self.states, record, connection, self.conclude)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[Connection, UnitOfWork[Command, State]]]:
        """A transaction with one unit of work. After the commit its states are cached; the relay is woken if something
        was recorded."""
        async with self.store.pool.acquire() as connection, connection.transaction():
            unit = self.unit(connection)
            yield connection, unit
        unit.committed()
        if unit.recorded:
            self.store.appended.set()

    async def handle(
        self,
        targets: Sequence[Target[Command, State]],
        *,
        request: Request,
        authorize: Authorize[State] | None = None,
        permit: Permit[State] | None = None,
        respond: Respond | None = None,
        prepare: Callable[[Sequence[State]], Awaitable[None]] | None = None,
    ) -> Outcome:
        """Carries out a request on existing streams: on all of them or on none.

        Several targets may name one stream: each meets the state after the one before. `prepare` gets the states at the
        beginning of each attempt, and reads what the commands must know besides.
        The default response is `{"version": n}`; `If-Match` and the response are about the first target. A request
        that was carried out before gets its first response, if nothing refuses it (see `once`).
        Raises UnknownStream, PreconditionFailed, Rejected, CommandRunning, CommandReused, what `authorize` and `permit`
        raise, and VersionConflict when others recorded first each time.
        """

        async def attempt() -> Outcome:
            unit = self.unit()
            streams = [target.stream for target in targets]
            await unit.load(*streams)
            for stream in streams:
                if not unit.knows(stream):
                    raise UnknownStream(stream)
            found = [unit.state(stream) for stream in streams]
            if authorize is not None:
                authorize(found)
            if request.expected is not None and request.expected != unit.version(streams[0]):
                raise PreconditionFailed(streams[0], unit.version(streams[0]))
            if prepare is not None:
                await prepare(found)
            before, decided, after = list[State](), list[Sequence[Event]](), list[State]()
            for target in targets:
                before.append(unit.state(target.stream))
                decided.append(unit.decide(target.stream, target.command(before[-1]), request.context))
                after.append(unit.state(target.stream))
            if permit is not None:
                await permit(before, decided, after)
            version = unit.version(streams[0])
            response = respond(decided[0], version) if respond is not None else {"version": version}
            appended = await unit.record(command=request.command, response=response)
            if appended.status == "duplicate":
                return replayed(appended.response)
            written = tuple((stream, unit.version(stream)) for stream in dict.fromkeys(streams))
            return Outcome(version, response, written=written)

        return await until_recorded(attempt)


async def until_recorded(attempt: Callable[[], Awaitable[Done]], retries: int = RETRIES) -> Done:
    """Repeats an attempt that lost a race: it reads and decides again. Raises the last Raced when all are lost."""
    for _ in range(retries):
        with contextlib.suppress(Raced):
            return await attempt()
    return await attempt()


async def once(
    store: Store,
    command: CommandId,
    attempt: Callable[[], Awaitable[Done]],
    again: Callable[[dict[str, Any] | None], Done],
) -> Done:
    """Carries out a request that may come again; `again` makes the result from the response of the first time.

    The first response is given whatever stands in the way by now: a ticket that moved out of sight, a person or a queue
    that is gone. A new request, which most are, costs nothing more.
    Raises what `attempt` raises, and CommandReused.
    """
    try:
        return await attempt()
    except (CommandRunning, CommandReused):
        raise
    except Exception:
        known = await store.response_of(command)
        if known is None:
            raise
        return again(known.response)


def replayed(response: dict[str, Any] | None) -> Outcome:
    """The outcome of a request that was carried out before."""
    first = response or {}
    return Outcome(first.get("version", 0), first, replayed=True)


def _within(store: Store, connection: Connection) -> Record:
    async def record(
        appends: Sequence[Append], *, command: CommandId | None, response: dict[str, Any] | None
    ) -> Appended:
        return await store.append(appends, command=command, response=response, connection=connection)

    return record
