"""The projection set `search`: its generations stand in the database, its files with the processes that serve it.

Each process follows the database's rows: it builds the file of a new generation beside the one that it shows, and
changes over when that is promoted (`index/served.py`).
"""

from services.reporting.search.index.schema import SHAPE
from shared.messaging.batching import LOW_LATENCY
from shared.messaging.consuming.handlers import Handler
from shared.projections.sets import ProjectionSet


def _no_handler(_: str) -> Handler:
    raise TypeError("the index is filled from `desk`, not from the topic")


SEARCH = ProjectionSet(
    name="search",
    ddl=f"COMMENT ON SCHEMA {{schema}} IS 'Empty: the index is a file of each process that serves search. Its shape is {SHAPE}.';",
    tables=(),
    handler=_no_handler,
    batching=LOW_LATENCY,
)
