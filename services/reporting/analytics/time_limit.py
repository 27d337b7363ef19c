"""Ends queries of analysts that take too long. The role's own time-out is a default that a session can change."""

import logging

from services.reporting.analytics.views import ANALYST
from shared.database import Pool

log = logging.getLogger(__name__)

QUERY_SECONDS = 60
"""The role's `statement_timeout`. A query that has lifted it is cancelled a little later."""
GRACE_SECONDS = 10
TRANSACTION_SECONDS = 300
"""A transaction that stays open keeps dead rows alive."""
LOOK_SECONDS = 5.0

# The service's role has the privileges of `analyst`, so that it sees and may end its sessions.
CUT = """
SELECT CASE WHEN a.query_start < now() - make_interval(secs => $2 + 2 * $3) OR a.xact_start < now() - make_interval(secs => $4)
            THEN pg_terminate_backend(a.pid) ELSE pg_cancel_backend(a.pid) END AS ended
  FROM pg_stat_activity a
 WHERE a.usesysid = to_regrole($1) AND a.datname = current_database() AND pg_has_role(a.usesysid, 'USAGE')
   AND ((a.state = 'active' AND a.query_start < now() - make_interval(secs => $2 + $3))
        OR a.xact_start < now() - make_interval(secs => $4))
"""


async def cut(
    pool: Pool,
    *,
    query: float = QUERY_SECONDS,
    grace: float = GRACE_SECONDS,
    transaction: float = TRANSACTION_SECONDS,
) -> int:
    """Cancels queries that run for too long, and ends sessions that do not stop or hold a transaction open.

    All in seconds. Returns how many.
    """
    rows = await pool.fetch(CUT, ANALYST, query, grace, transaction)
    if rows:
        log.warning("%d queries or sessions of analysts took too long and were ended", len(rows))
    return len(rows)
