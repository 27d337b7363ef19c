"""Python's cyclic garbage collector, tuned to run less often.

Services make many short-lived objects without cycles, which reference counting frees at once. With the default
threshold of 700 new objects, the collector takes a third of the time of a rebuild (docs/performance.md).
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 20)


def collect_rarely() -> None:
    """Call it once, after all imports: the collector never looks at those objects again."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)


@contextmanager
def manual_collection() -> Iterator[None]:
    """Switches the collector off, for work on millions of objects without cycles. The caller collects now and then."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
