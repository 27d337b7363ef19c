"""Python's cycle collector, told to look less often.

Services make many short-lived objects without cycles, which reference counting frees at once; the collector's default of a look at
every 700 new objects costs a third of a rebuild (docs/performance.md).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 20)


def collect_rarely() -> None:
    """To be called once everything is imported: what stands by then is never looked at again."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextmanager
def collected_by_hand() -> Iterator[None]:
    """The collector does not run by itself: for work through millions of objects that have no cycles. The caller collects now and then."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
