"""Rows of report schedules: when each is due (`gateway.report_timers`), and its runs (`gateway.report_runs`)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

import asyncpg

from services.gateway.due_times import covered, latest_due, next_due
from shared.contracts.directory import ReportSchedule
from shared.database import Connection, Pool

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
AT_ONCE = 50
BROKEN = timedelta(hours=1)
"""After so long a schedule without due times is looked at again."""
KEPT = timedelta(days=400)
RunState = Literal["waiting", "mailed", "skipped", "failed"]

SET = """
INSERT INTO gateway.report_timers (schedule_id, due_at, saved_by) VALUES ($1, $2, $3)
    ON CONFLICT (schedule_id) DO UPDATE
   SET due_at = CASE WHEN $4 THEN report_timers.due_at ELSE excluded.due_at END, saved_by = excluded.saved_by
"""
REMOVE = "DELETE FROM gateway.report_timers WHERE schedule_id = $1"
SKIP = """
UPDATE gateway.report_runs
   SET state = 'skipped', reason = $2, finished_at = now()
 WHERE schedule_id = $1 AND state = 'waiting' AND (asked_by IS NULL OR $3)
"""
DUE = """
SELECT t.schedule_id, t.due_at, d.document::text AS document, now() AS now
  FROM gateway.report_timers t
  JOIN gateway.documents d ON d.id = t.schedule_id
 WHERE t.due_at <= now()
 ORDER BY t.due_at
 LIMIT $1
   FOR UPDATE OF t SKIP LOCKED
"""
ADVANCE = "UPDATE gateway.report_timers SET due_at = $2 WHERE schedule_id = $1"
START = """
INSERT INTO gateway.report_runs (run_id, schedule_id, due_at, asked_by, starts_at, ends_at, timezone)
VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (run_id) DO NOTHING
"""
_COLUMNS = """run_id, schedule_id, due_at, asked_by, starts_at, ends_at, timezone, state, reason, recipients, left_out,
       attempts, attempt_at, made_at, finished_at"""
CLAIM = f"""
UPDATE gateway.report_runs
   SET attempts = attempts + 1, attempt_at = now() + $1
 WHERE run_id = (SELECT run_id
                   FROM gateway.report_runs
                  WHERE state = 'waiting' AND attempt_at <= now()
                  ORDER BY attempt_at
                  LIMIT 1
                    FOR UPDATE SKIP LOCKED)
RETURNING {_COLUMNS}
"""
# Only the newest attempt of a waiting run may change it.
FINISH = """
UPDATE gateway.report_runs
   SET state = $3, reason = $4, recipients = $5, left_out = $6, finished_at = now()
 WHERE run_id = $1 AND attempts = $2 AND state = 'waiting'
"""
POSTPONE = """
UPDATE gateway.report_runs
   SET attempt_at = now() + $3, reason = $4
 WHERE run_id = $1 AND attempts = $2 AND state = 'waiting'
"""
SAVED_BY = "SELECT saved_by FROM gateway.report_timers WHERE schedule_id = $1"
LIST = f"""
SELECT {_COLUMNS}
  FROM gateway.report_runs
 WHERE schedule_id = $1 AND ($2::timestamptz IS NULL OR (made_at, run_id) < ($2, $3))
 ORDER BY made_at DESC, run_id DESC
 LIMIT $4
"""
ONE = f"SELECT {_COLUMNS} FROM gateway.report_runs WHERE run_id = $1"
PURGE = "DELETE FROM gateway.report_runs WHERE finished_at < now() - $1::interval"


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `attempts` counts this attempt; `asked_by` is None if the schedule was due."""

    id: UUID
    schedule: UUID
    due_at: datetime
    asked_by: UUID | None
    starts_at: datetime
    ends_at: datetime
    timezone: str
    attempts: int
    made_at: datetime


async def set_timer(connection: Connection, schedule: ReportSchedule, was: ReportSchedule | None, by: UUID) -> None:
    """The schedule was saved. A due time that has not been served yet stays unless the plan has changed."""
    now: datetime = await connection.fetchval("SELECT now()")
    due = next_due(schedule, now) if schedule.active else None
    await connection.execute(SET, schedule.id, due, by, was is not None and _plan(was) == _plan(schedule))


def _plan(schedule: ReportSchedule) -> tuple[object, ...]:
    return schedule.every, schedule.at, schedule.timezone, schedule.active


async def remove_timer(connection: Connection, schedule: UUID) -> None:
    """The schedule is out of use: runs that wait are not sent any more."""
    await connection.execute(REMOVE, schedule)
    await connection.execute(SKIP, schedule, "The schedule was taken out of use.", True)


async def start_due(connection: Connection) -> int:
    """Starts a run of each schedule that is due, in the caller's transaction. Returns how many timers were due.

    Of several due times that have passed, the latest counts. A run of an earlier one that still waits is skipped.
    """
    rows = await connection.fetch(DUE, AT_ONCE)
    for row in rows:
        schedule = ReportSchedule.model_validate_json(row["document"])
        try:
            due = max(row["due_at"], latest_due(schedule, row["now"]))
            following = next_due(schedule, row["now"])
        except (ValueError, KeyError):  # a time zone that this machine does not know any more
            log.exception("the report schedule %s has no due times", schedule.slug)
            await connection.execute(ADVANCE, schedule.id, row["now"] + BROKEN)
            continue
        await connection.execute(SKIP, schedule.id, "It could not be sent before the next one was due.", False)
        await _start(connection, run_id(schedule.id, due), schedule, due, None)
        await connection.execute(ADVANCE, schedule.id, following)
    return len(rows)


def run_id(schedule: UUID, due: datetime) -> UUID:
    """The id of the run of a due time: always the same, so that it is sent once."""
    return uuid5(schedule, due.isoformat())


async def start_asked(connection: Connection, run: UUID, schedule: ReportSchedule, by: UUID, now: datetime) -> None:
    """Starts a run that somebody asks for. It covers the last whole day, week or month."""
    await _start(connection, run, schedule, now, by)


async def _start(connection: Connection, run: UUID, schedule: ReportSchedule, due: datetime, by: UUID | None) -> None:
    period = covered(schedule, due)
    await connection.execute(START, run, schedule.id, due, by, period.starts_at, period.ends_at, schedule.timezone)


async def claim(pool: Pool) -> Run | None:
    """Takes the run that has waited longest, for the length of a lease."""
    row = await pool.fetchrow(CLAIM, LEASE)
    if row is None:
        return None
    return Run(
        row["run_id"],
        row["schedule_id"],
        row["due_at"],
        row["asked_by"],
        row["starts_at"],
        row["ends_at"],
        row["timezone"],
        row["attempts"],
        row["made_at"],
    )


async def finish(
    connection: Connection | Pool,
    run: Run,
    state: RunState,
    reason: str = "",
    *,
    recipients: Sequence[dict[str, Any]] = (),
    left_out: Sequence[dict[str, Any]] = (),
) -> bool:
    """Ends a run. False if it is not this attempt's any more."""
    done = await connection.execute(FINISH, run.id, run.attempts, state, reason, list(recipients), list(left_out))
    return done.endswith(" 1")


async def postpone(pool: Pool, run: Run, delay: timedelta, reason: str) -> None:
    """The run waits for another attempt."""
    await pool.execute(POSTPONE, run.id, run.attempts, delay, reason)


async def saved_by(pool: Pool, schedule: UUID) -> UUID | None:
    """Who saved the schedule last; None if it is out of use."""
    found: UUID | None = await pool.fetchval(SAVED_BY, schedule)
    return found


async def one(connection: Connection, run: UUID) -> asyncpg.Record:
    """The row of a run that exists."""
    row = await connection.fetchrow(ONE, run)
    assert row is not None
    return row


async def listed(
    pool: Pool, schedule: UUID, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """Runs of a schedule, newest first."""
    made_at, run = after or (None, None)
    return await pool.fetch(LIST, schedule, made_at, run, limit)


async def purge(pool: Pool) -> None:
    """Removes runs that ended long ago."""
    await pool.execute(PURGE, KEPT)
