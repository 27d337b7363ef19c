"""The progress of a recount, where operators look."""

from deploy.local.lifecycle import recount_in
from services.routing.recounts.worker import LEFT, TOTAL
from shared.telemetry.metrics import exposition


def test_the_status_reads_the_progress_from_the_metrics() -> None:
    try:
        TOTAL.set(100_000)
        LEFT.set(62_000)
        assert recount_in(exposition().decode()) == {"tickets": 100_000, "left": 62_000}
    finally:
        TOTAL.set(0)
        LEFT.set(0)
    assert recount_in(exposition().decode()) == {"tickets": 0, "left": 0}
