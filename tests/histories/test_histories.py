"""A made-up history is one that the product could have recorded, and every set folds it."""

from itertools import chain

from shared.contracts.envelope import decode, encode
from shared.contracts.routing import MergeUndone, SplitUndone, StateChanged, TicketMerged
from tests.histories.folding import fill_live
from tests.histories.history import START, YEAR, cases
from tests.services.reporting.conftest import live_desk  # noqa: F401  a fixture
from tests.services.reporting.reporting_database import Reporting


def test_a_seed_makes_the_same_history_and_another_one_another() -> None:
    assert list(cases(5, 40)) == list(cases(5, 40)) != list(cases(6, 40))


def test_events_are_recorded_without_gaps_in_their_order_and_can_be_read_back() -> None:
    for case in cases(1, 300):
        versions: dict[tuple[object, str], int] = {}
        assert [e.time for e in case] == sorted(e.time for e in case)
        for event in case:
            key = event.stream, event.producer
            assert event.version == versions.get(key, 0) + 1
            versions[key] = event.version
            assert START <= event.time < START + YEAR
            assert decode(encode(event)) == event


def test_everything_that_reports_count_happens() -> None:
    events = list(chain.from_iterable(cases(1, 3_000)))
    kinds = {type(e.payload) for e in events}
    assert {TicketMerged, MergeUndone, SplitUndone} <= kinds
    assert any(isinstance(e.payload, StateChanged) and e.payload.undoes for e in events)


async def test_every_set_folds_it(live_desk: Reporting) -> None:  # noqa: F811
    folded = await fill_live(live_desk.pool, 200)
    tickets = await live_desk.pool.fetchval("SELECT count(*) FROM desk.tickets")
    assert tickets >= 200
    assert await live_desk.pool.fetchval("SELECT count(*) FROM desk.history") == folded
    assert await live_desk.pool.fetchval("SELECT sum(created) FROM stats.days") == tickets
