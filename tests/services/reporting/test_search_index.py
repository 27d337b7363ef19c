"""The index of a process: it follows the desk, survives kills and damage, and is rebuilt beside the one that is shown."""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from services.reporting.feed.feed import Feed
from services.reporting.feed.place import Place
from services.reporting.generations import rebuilding
from services.reporting.search.index import readers
from services.reporting.search.index.file import IndexFile, Reader, Slot, Unusable
from services.reporting.search.index.following import TICKETS_A_ROUND, Following
from services.reporting.search.index.served import ServedIndex
from shared.contracts.routing import TagsAdded
from shared.http.problems import Problem
from shared.projections import sets
from shared.testing.progress import until
from tests.services.reporting.reporting_database import Log, Reporting
from tests.services.reporting.searching import indexed, promoted_search, serving
from tests.services.reporting.test_feed import DESK, Topic
from tests.services.reporting.test_projections_and_lists import opened, queued
from tests.specs.requirement import requirement


class Tickets:
    """Tickets that come one after the other."""

    def __init__(self, desk: Reporting) -> None:
        self.topic, self.log, self.count = Topic(desk), Log(), 0

    async def add(self, count: int, generation: int = 1) -> None:
        known = len(self.log.events)
        for _ in range(count):
            self.count += 1
            number = f"20261127100{self.count:05}"
            self.log.add(
                UUID(int=7000 + self.count), opened(number), queued(number), TagsAdded(tags=(f"t{self.count}",))
            )
        self.topic.add(*self.log.events[known:])
        await self.topic.apply(generation)


def contents(path: Path) -> tuple[list[tuple[object, ...]], bytes]:
    """All rows of an index file without the order in which they came, and its words."""
    file = IndexFile(path)
    try:
        file.check()
        rows = file.connection.execute(
            "SELECT hex(ticket), events, hex(digest), number, tags FROM docs ORDER BY ticket"
        )
        return list(rows), file.vocabulary()
    finally:
        file.close()


async def built(desk: Reporting, path: Path) -> None:
    following = Following(desk.pool, Feed(desk.pool), IndexFile(path, create=True))
    while await following.step() or not await following.is_complete():
        pass
    await following.close()


async def test_a_followed_index_is_equal_to_one_that_is_built_also_in_two_processes(
    live_desk: Reporting, tmp_path: Path
) -> None:
    tickets = Tickets(live_desk)
    await tickets.add(20)
    await promoted_search(live_desk)
    async with serving(live_desk, tmp_path) as one, serving(live_desk, tmp_path) as other:
        for _ in range(5):
            await tickets.add(7)
            await indexed(one)
            await indexed(other)
        assert one.generation == other.generation == 1
    await built(live_desk, tmp_path / "fresh.db")
    files = [tmp_path / f"slot-{n}" / "search_v1.db" for n in (1, 2)]
    fresh = contents(tmp_path / "fresh.db")
    assert len(fresh[0]) == 55
    assert [contents(path) for path in files] == [fresh, fresh]


async def test_it_follows_a_promotion_of_the_desk_and_a_replay(live_desk: Reporting, tmp_path: Path) -> None:
    tickets = Tickets(live_desk)
    await promoted_search(live_desk)
    async with serving(live_desk, tmp_path) as index:
        tickets.topic.broken.add(UUID(int=7002))
        await tickets.add(5)
        await indexed(index)
        tickets.topic.broken.clear()
        assert await tickets.topic.replay(1) > 0
        await indexed(index)
        generation = await sets.begin(live_desk.owner, DESK, live_desk.app_url)
        await tickets.topic.apply(generation)
        await sets.promote(live_desk.owner, DESK, generation, live_desk.app_url)
        await tickets.add(3, generation)
        await indexed(index)

        async def swept() -> bool:
            rows = await index.ask(lambda reader: reader.rows("SELECT value FROM place WHERE name = 'desk'"))
            return rows == [(str(generation),)]

        await until(swept)
        await indexed(index)


async def test_after_a_restore_of_the_database_nothing_in_the_file_is_believed(
    live_desk: Reporting, tmp_path: Path
) -> None:
    tickets = Tickets(live_desk)
    await tickets.add(30)
    await promoted_search(live_desk)
    async with serving(live_desk, tmp_path) as index:
        await indexed(index)
    path = tmp_path / "slot-1" / "search_v1.db"
    await built(live_desk, tmp_path / "fresh.db")
    file = IndexFile(path)
    place = Place.unpacked(bytes.fromhex(str(file.place("place"))))
    with file.transaction():
        file.connection.execute("UPDATE docs SET number = 'of another time'")
        file.set_place("place", place.moved(tuple(offset + 5 for offset in place.offsets)).packed().hex())
    file.close()
    async with serving(live_desk, tmp_path) as index:

        async def corrected() -> bool:
            return index.generation is not None and not await index.ask(
                lambda reader: reader.rows("SELECT 1 FROM docs WHERE number = 'of another time'")
            )

        await until(corrected)
    assert contents(path) == contents(tmp_path / "fresh.db")


WRITER = """
import asyncio, sys
from pathlib import Path
from services.reporting.search.index.served import ServedIndex
from shared.database import connect_pool
async def main():
    pool = await connect_pool(sys.argv[1])
    await ServedIndex(pool, sys.argv[1], Path(sys.argv[2])).run()
asyncio.run(main())
"""


@pytest.mark.parametrize("failpoint", [f"search-between-index-and-place=exit@{n}" for n in (1, 2, 3)])
async def test_a_killed_writer_leaves_index_and_place_in_agreement(
    live_desk: Reporting, tmp_path: Path, failpoint: str
) -> None:
    tickets = Tickets(live_desk)
    await tickets.add(TICKETS_A_ROUND + 50)  # two rounds
    await promoted_search(live_desk)
    command = [sys.executable, "-c", WRITER, live_desk.app_url, str(tmp_path)]
    killed = await asyncio.create_subprocess_exec(*command, env={**os.environ, "LEDGERDESK_FAILPOINTS": failpoint})
    if failpoint.endswith("3"):

        async def shown() -> bool:
            await tickets.add(1)
            return killed.returncode is not None

        await until(shown)
    assert await killed.wait() == -signal.SIGKILL
    IndexFile(tmp_path / "slot-1" / "search_v1.db").check()
    async with serving(live_desk, tmp_path) as index:
        await indexed(index)
    await built(live_desk, tmp_path / "fresh.db")
    assert contents(tmp_path / "slot-1" / "search_v1.db") == contents(tmp_path / "fresh.db")


async def test_a_damaged_or_missing_file_is_built_anew_and_nothing_is_answered_until_then(
    live_desk: Reporting, tmp_path: Path
) -> None:
    tickets = Tickets(live_desk)
    await tickets.add(30)
    unstarted = ServedIndex(live_desk.pool, live_desk.app_url, tmp_path)
    with pytest.raises(Problem) as refused:
        await unstarted.ask(lambda reader: reader.rows("SELECT 1"))
    assert (refused.value.status, refused.value.slug, refused.value.headers["Retry-After"]) == (
        503,
        "search-not-ready",
        "10",
    )
    await promoted_search(live_desk)
    path = tmp_path / "slot-1" / "search_v1.db"
    for damage in ("garbage", "cut", "missing", "other shape"):
        async with serving(live_desk, tmp_path) as index:
            await indexed(index)
        content = path.read_bytes()
        match damage:
            case "garbage":
                path.write_bytes(os.urandom(len(content)))
            case "cut":
                path.write_bytes(content[:5000])
            case "missing":
                path.unlink()
            case _:
                file = IndexFile(path)
                with file.transaction():
                    file.set_place("shape", "another")
                file.close()
        with pytest.raises(Unusable):
            IndexFile(path).check()
    async with serving(live_desk, tmp_path) as index:
        await indexed(index)
        # Damage behind the pages that opening reads is met by a question.
        with path.open("r+b") as file_on_disk:
            file_on_disk.seek(16_384)
            file_on_disk.write(b"\xff" * (path.stat().st_size - 16_384))

        async def met() -> bool:
            try:
                await index.ask(
                    lambda reader: reader.rows(
                        "SELECT count(*), sum(length(seen)) FROM (SELECT hex(ticket) AS seen FROM docs)"
                    )
                )
                await index.ask(lambda reader: reader.rows("SELECT * FROM vocabulary"))
            except Problem as problem:
                return problem.slug == "search-not-ready"
            await tickets.add(1)
            return False

        await until(met)
        await indexed(index)


@requirement("A11.01")
async def test_a_generation_is_built_beside_verified_promoted_and_gone_back_from(
    live_desk: Reporting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tickets = Tickets(live_desk)
    await tickets.add(30)
    await promoted_search(live_desk)
    monkeypatch.setenv("LEDGERDESK_DATABASE_URL", live_desk.app_url)
    monkeypatch.setenv("LEDGERDESK_DATABASE_OWNER_URL", live_desk.owner_url)
    monkeypatch.setenv("LEDGERDESK_SEARCH_DIR", str(tmp_path))

    async def carry_out(*arguments: str) -> int:
        return await asyncio.to_thread(rebuilding.main, list(arguments))

    async with serving(live_desk, tmp_path) as index:
        await indexed(index)
        assert await carry_out("build", "search") == 0
        assert index.generation == 1
        assert await carry_out("verify", "search", "2") == 0
        assert await carry_out("promote", "search") == 0
        await until(lambda: _shows(index, 2))
        await tickets.add(3)
        await indexed(index)
        assert await carry_out("back", "search") == 0
        await until(lambda: _shows(index, 1))
        await indexed(index)
        assert await carry_out("drop", "search", "2") == 0

        async def removed() -> bool:
            return not (tmp_path / "slot-1" / "search_v2.db").exists()

        await until(removed)
        assert await carry_out("verify", "search", "1") == 0
        file = IndexFile(tmp_path / "slot-1" / "search_v1.db")
        file.delete(UUID(int=7001).bytes)
        file.close()
        assert await carry_out("verify", "search", "1") == 1
    assert "1 tickets differ" in capsys.readouterr().out


async def _shows(index: ServedIndex, generation: int) -> bool:
    return index.generation == generation


def test_each_process_has_a_slot_of_its_own_and_finds_it_again(tmp_path: Path) -> None:
    one, two = Slot(tmp_path), Slot(tmp_path)
    assert (one.path.name, two.path.name) == ("slot-1", "slot-2")
    one.close()
    three = Slot(tmp_path)
    assert three.path.name == "slot-1"
    two.close()
    three.close()


async def test_a_question_that_takes_too_long_is_stopped(live_desk: Reporting, tmp_path: Path) -> None:
    await promoted_search(live_desk)
    async with serving(live_desk, tmp_path) as index:
        await indexed(index)
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
        with pytest.raises(Problem) as refused:
            await index.ask(lambda reader: reader.rows(endless))
        assert (refused.value.status, refused.value.slug) == (503, "too-slow")
        assert await index.ask(lambda reader: reader.rows("SELECT 1")) == [(1,)]


async def test_a_question_of_many_short_statements_is_stopped_too(
    live_desk: Reporting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "MOST_SECONDS", 0.05)
    await promoted_search(live_desk)
    async with serving(live_desk, tmp_path) as index:
        await indexed(index)

        def many(reader: Reader) -> None:
            for _ in range(20_000):
                reader.rows("SELECT 1")
                sum(range(2_000))  # between statements there is nothing that SQLite could interrupt

        with pytest.raises(Problem) as refused:
            await index.ask(many)
        assert refused.value.slug == "too-slow"
        assert await index.ask(lambda reader: reader.rows("SELECT 1")) == [(1,)]


async def test_slow_questions_of_one_person_leave_a_connection_to_others(live_desk: Reporting, tmp_path: Path) -> None:
    await promoted_search(live_desk)
    async with serving(live_desk, tmp_path) as index:
        await indexed(index)
        one, other, end = uuid4(), uuid4(), threading.Event()
        slow = [asyncio.create_task(index.ask(lambda _: end.wait(), one)) for _ in range(readers.READERS + 1)]
        await asyncio.sleep(0)
        assert await index.ask(lambda reader: reader.rows("SELECT 1"), other) == [(1,)]
        end.set()
        assert await asyncio.gather(*slow) == [True] * len(slow)
