"""The command runner on real PostgreSQL: decides on the newest state, again after a race, and records once."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.routing import TagsAdded
from shared.database import Pool, connect_pool
from shared.eventstore.errors import PreconditionFailed, UnknownStream, VersionConflict
from shared.eventstore.runner import RETRIES, CommandRunner, Request, Target, until_recorded
from shared.eventstore.store import Append, Appended, CommandId, Context, NewEvent, Store
from shared.rules.rejected import Rejected

CONTEXT = Context(actor=Actor("system", "test"))


@dataclass(frozen=True, slots=True)
class Add:
    tag: str


class Tags:
    """A small decider: a stream's tags, each once, never the tag `refused`."""

    def initial(self) -> tuple[str, ...]:
        return ()

    def evolve(self, state: tuple[str, ...], event: Event) -> tuple[str, ...]:
        return (*state, *event.tags) if isinstance(event, TagsAdded) else state

    def decide(self, command: Add, state: tuple[str, ...]) -> list[Event]:
        if command.tag == "refused":
            raise Rejected("this tag is refused")
        return [] if command.tag in state else [TagsAdded(tags=(command.tag,))]


Runner = CommandRunner[Add, tuple[str, ...]]


@pytest.fixture
def runner(store: Store) -> Runner:
    return CommandRunner(store, "ticket", Tags())


@pytest.fixture
async def other_process(urls: tuple[str, str], store: Store) -> AsyncIterator[Runner]:
    pool = await connect_pool(urls[1])
    yield CommandRunner(Store(pool, "routing"), "ticket", Tags())
    await pool.close()


def request(expected: int | None = None, key: UUID | None = None, content: bytes = b"") -> Request:
    return Request(CommandId(key or uuid4(), content), CONTEXT, expected)


async def opened(runner: Runner, *tags: str) -> UUID:
    stream = uuid4()
    unit = runner.unit()
    for tag in tags or ("first",):
        unit.decide(stream, Add(tag), CONTEXT)
    await unit.record()
    return stream


async def tags(pool: Pool, stream: UUID) -> list[str]:
    query = "SELECT data FROM es.events WHERE stream_id = $1 ORDER BY version"
    return [row["data"]["tags"][0] for row in await pool.fetch(query, stream)]


async def test_a_later_command_of_a_unit_sees_the_events_of_an_earlier_one(runner: Runner) -> None:
    stream = await opened(runner, "a", "b", "a")
    assert await tags(runner.store.pool, stream) == ["a", "b"]


async def test_a_decision_that_lost_a_race_is_made_again(runner: Runner, other_process: Runner) -> None:
    stream = await opened(runner)
    rivals = iter(["x", "y"])
    seen: list[tuple[str, ...]] = []

    async def a_rival_writes(states: Any, decided: Any, after: Any) -> None:
        seen.append(states[0])
        if (tag := next(rivals, None)) is not None:
            await other_process.handle([Target(stream, lambda _: Add(tag))], request=request())

    outcome = await runner.handle([Target(stream, lambda _: Add("mine"))], request=request(), permit=a_rival_writes)
    assert seen == [("first",), ("first", "x"), ("first", "x", "y")]
    assert (outcome.version, outcome.response) == (4, {"version": 4})
    assert await tags(runner.store.pool, stream) == ["first", "x", "y", "mine"]


async def test_a_decision_that_loses_every_race_is_a_conflict(runner: Runner, other_process: Runner) -> None:
    stream = await opened(runner)
    tried = 0

    async def a_rival_writes(states: Any, decided: Any, after: Any) -> None:
        nonlocal tried
        tried += 1
        await other_process.handle([Target(stream, lambda _: Add(str(tried)))], request=request())

    with pytest.raises(VersionConflict):
        await runner.handle([Target(stream, lambda _: Add("mine"))], request=request(), permit=a_rival_writes)
    assert tried == RETRIES + 1
    assert "mine" not in await tags(runner.store.pool, stream)


async def test_a_version_that_the_caller_requires_is_compared_once(runner: Runner) -> None:
    stream = await opened(runner, "a", "b")
    with pytest.raises(PreconditionFailed) as failed:
        await runner.handle([Target(stream, lambda _: Add("c"))], request=request(expected=1))
    assert failed.value.current == 2
    assert await tags(runner.store.pool, stream) == ["a", "b"]


async def test_a_request_that_comes_again_gets_its_first_response(runner: Runner) -> None:
    stream, key = await opened(runner), uuid4()
    first = await runner.handle([Target(stream, lambda _: Add("a"))], request=request(key=key))
    again = await runner.handle([Target(stream, lambda _: Add("b"))], request=request(key=key))
    assert (again.replayed, again.response, again.written) == (True, first.response, ())
    assert await tags(runner.store.pool, stream) == ["first", "a"]


async def test_one_refused_target_leaves_all_of_them_as_they_were(runner: Runner) -> None:
    one, other = await opened(runner), await opened(runner)
    with pytest.raises(Rejected):
        await runner.handle(
            [Target(one, lambda _: Add("a")), Target(other, lambda _: Add("refused"))], request=request()
        )
    with pytest.raises(UnknownStream):
        await runner.handle([Target(one, lambda _: Add("a")), Target(uuid4(), lambda _: Add("a"))], request=request())
    assert await tags(runner.store.pool, one) == await tags(runner.store.pool, other) == ["first"]


async def test_a_state_is_not_cached_when_its_transaction_rolls_back(runner: Runner) -> None:
    stream = await opened(runner)
    with pytest.raises(RuntimeError):
        async with runner.transaction() as (_, unit):
            await unit.load(stream)
            unit.decide(stream, Add("lost"), CONTEXT)
            await unit.record()
            raise RuntimeError("before the commit")
    async with runner.transaction() as (_, unit):
        await unit.load(stream)
        assert unit.state(stream) == ("first",)
        assert unit.decide(stream, Add("lost"), CONTEXT)
        await unit.record()
    assert (await runner.states.newest([stream]))[stream] == (("first", "lost"), 2)


async def test_a_services_own_rows_are_recorded_with_its_events(runner: Runner, store: Store) -> None:
    """The service's own way to record gets every append of the unit, also those of other categories."""
    stream, beside = await opened(runner), uuid4()
    given: list[Append] = []

    async def record(appends: Any, *, command: CommandId | None, response: dict[str, Any] | None) -> Appended:
        given.extend(appends)
        return await store.append(appends, command=command, response=response)

    unit = runner.unit()
    await unit.load(stream)
    unit.decide(stream, Add("a"), CONTEXT)
    unit.add(Append(beside, "customer", 0, (NewEvent(TagsAdded(tags=("b",))),), CONTEXT))
    await unit.record(record)
    assert [(each.stream, each.category) for each in given] == [(stream, "ticket"), (beside, "customer")]
    assert (await tags(store.pool, stream), await tags(store.pool, beside)) == (["first", "a"], ["b"])


async def test_a_new_stream_is_looked_up_once(runner: Runner, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    load_since = store.load_since

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal reads
        reads += 1
        return await load_since(*arguments, **options)

    monkeypatch.setattr(store, "load_since", counted)
    streams = [uuid4() for _ in range(3)]
    async with runner.transaction() as (_, unit):
        await unit.load(*streams)
        for stream in streams:
            await unit.load(stream)
            assert not unit.knows(stream)
            unit.decide(stream, Add("a"), CONTEXT)
        await unit.record()
    assert reads == 1


async def test_a_decision_that_was_not_recorded_is_not_cached(runner: Runner, store: Store) -> None:
    stream, key = await opened(runner), CommandId(uuid4())
    await store.append([], command=key, response={})
    async with runner.transaction() as (_, unit):
        await unit.load(stream)
        unit.decide(stream, Add("a"), CONTEXT)
        assert (await unit.record(command=key)).status == "duplicate"
    assert (await runner.states.newest([stream]))[stream] == (("first",), 1)
    assert (await runner.handle([Target(stream, lambda _: Add("b"))], request=request())).version == 2


async def test_a_transaction_that_records_nothing_wakes_nobody(runner: Runner, store: Store) -> None:
    stream = await opened(runner)
    store.appended.clear()
    async with runner.transaction() as (_, unit):
        await unit.load(stream)
    assert not store.appended.is_set()
    async with runner.transaction() as (_, unit):
        unit.decide(uuid4(), Add("a"), CONTEXT)
        await unit.record()
        store.appended.clear()  # the append has woken it before the commit
    assert store.appended.is_set()


async def test_nothing_decided_writes_nothing(runner: Runner, store: Store) -> None:
    stream = await opened(runner)
    unit = runner.unit()
    await unit.load(stream)
    assert unit.decide(stream, Add("first"), CONTEXT) == []
    assert (await unit.record()).events == ()
    assert await tags(store.pool, stream) == ["first"]


async def test_an_attempt_is_repeated_only_for_a_race(runner: Runner) -> None:
    tried = 0

    async def attempt() -> None:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise VersionConflict(uuid4())
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        await until_recorded(attempt)
    assert tried == 2
