"""How many bytes a ticket takes in the read model. The bounds are a little above today's sizes."""

from uuid import UUID

import pytest

from shared.contracts.envelope import decode
from tests.contracts.test_golden_events import GOLDEN
from tests.services.reporting.reporting_database import Log, Reporting

TICKET = UUID(int=7)
EVENTS = ("TicketOpened", "TicketQueued", "TicketLocked", "OwnerChanged", "AgentReplied", "StateChanged")
SIZES = "SELECT count(*) AS rows, sum(pg_column_size({table}.*)) AS bytes FROM desk.{table}"


@pytest.mark.parametrize(
    ("table", "rows", "most_bytes"), [("tickets", 1, 500), ("articles", 2, 1_600), ("history", 6, 3_500)]
)
async def test_a_ticket_of_golden_events_stays_small(
    live_desk: Reporting, table: str, rows: int, most_bytes: int
) -> None:
    log = Log()
    for name in EVENTS:
        log.add(TICKET, decode((GOLDEN / f"helpdesk.{name}.v1.json").read_bytes()).payload)
    await live_desk.show(log.events)
    found = await live_desk.pool.fetchrow(SIZES.format(table=table))
    assert found is not None
    assert found["rows"] == rows
    assert found["bytes"] <= most_bytes
