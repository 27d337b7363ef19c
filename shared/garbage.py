"""Python's cycle collector, told to look less often.

Services make many short-lived objects without cycles, which reference counting frees at once; the collector's default of a look at
every 700 new objects costs a third of a rebuild (docs/performance.md).
"""

import gc

THRESHOLDS = (50_000, 20, 20)


def collect_rarely() -> None:
    """To be called once everything is imported: what stands by then is never looked at again."""
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
