"""Sends reports when they are due: starts the runs, gets each report from reporting, and hands it to notify as an event.

A run is a row. It is written in the transaction that moves the schedule's timer on, and ends in the transaction that
records the event. So a report is sent once for each due time, even if processes restart, and with any number of
workers.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Never
from uuid import uuid5

from prometheus_client import Counter

from services.gateway import document_rows, report_runs
from services.gateway.due_times import Period
from services.gateway.report_runs import Run, RunState
from services.gateway.report_schedules.recipients import Recipients, recipients
from services.gateway.report_schedules.reports import MEDIA_TYPES, MOST_BYTES, Refused, ReportingAway, Reports, TooLarge
from services.gateway.signing_in.sessions import identity_of
from shared.blobs.store import BlobStore, BlobStoreUnavailable
from shared.contracts.directory import Person, ReportSchedule
from shared.contracts.envelope import Actor
from shared.contracts.parts import Attachment
from shared.contracts.reports import ReportPrepared, ScheduleRef
from shared.eventstore.errors import VersionConflict
from shared.eventstore.store import Append, Context, NewEvent, Store, utc_now
from shared.rules.access import Identity
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.telemetry.tracing import span, traceparent

log = logging.getLogger(__name__)

RUNS = Counter("ledgerdesk_report_runs_total", "Runs of report schedules, by how they ended", ["state"])
POLL_SECONDS = 2.0
"""After so long a run that another process has started is noticed."""
RETRY_SECONDS = (10, 30, 60, 120, 300, 600, 900)
"""Before each attempt after a failed one; the last one again and again."""
LONGEST_WAIT = timedelta(days=1)
"""After so long a run that somebody asked for is given up. One that was due waits until the next is due."""
NOBODY = "Nobody is left to send it to."
CATEGORY = "report-run"


@dataclass(frozen=True, slots=True)
class _Prepared:
    event: ReportPrepared


@dataclass(frozen=True, slots=True)
class _Ended:
    state: RunState
    reason: str
    to: Recipients = Recipients((), ())


@dataclass(frozen=True, slots=True)
class _Postponed:
    reason: str


class ReportRunner:
    """Several may run side by side."""

    def __init__(self, store: Store, blobs: BlobStore, reports: Reports) -> None:
        self.store, self.blobs, self.reports = store, blobs, reports
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Never ends by itself."""
        await supervise("report schedules", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            await self.start_due()
            while await self.work():
                self.heartbeat.beat()
            self.heartbeat.beat()
            await asyncio.sleep(POLL_SECONDS)

    async def start_due(self) -> None:
        """Starts a run of every schedule that is due."""
        due = report_runs.AT_ONCE
        while due == report_runs.AT_ONCE:
            async with self.store.pool.acquire() as connection, connection.transaction():
                due = await report_runs.start_due(connection)
            hit("reports.after_start")

    async def work(self) -> bool:
        """Carries out one waiting run. False if there is none."""
        run = await report_runs.claim(self.store.pool)
        if run is None:
            return False
        with span("report run", kind="internal", run=str(run.id)):
            outcome = await self._outcome(run)
            hit("reports.before_record")
            match outcome:
                case _Prepared(event):
                    await self._record(run, event)
                case _Postponed(reason):
                    await self._postpone(run, reason)
                case _Ended(state, reason, to):
                    await self._end(run, state, reason, to)
        return True

    async def _outcome(self, run: Run) -> _Prepared | _Ended | _Postponed:
        """No transaction is open meanwhile. An unknown error postpones the run."""
        try:
            return await self._prepare(run)
        except (ReportingAway, BlobStoreUnavailable) as error:
            return _Postponed(str(error))
        except Refused as refused:
            return _Ended("failed", refused.reason)
        except TooLarge:
            return _Ended("failed", f"The report has more than {MOST_BYTES // 2**20} MiB; a mail cannot hold it.")

    async def _prepare(self, run: Run) -> _Prepared | _Ended:
        pool = self.store.pool
        row = await document_rows.find(pool, "report-schedule", str(run.schedule))
        if row is None or row.retired or not isinstance(row.document, ReportSchedule):
            return _Ended("skipped", "The schedule was taken out of use.")
        schedule = row.document
        if run.asked_by is None and not schedule.active:
            return _Ended("skipped", "The schedule was made inactive.")
        to = await recipients(pool, schedule)
        if not to.to:
            return _Ended("failed", NOBODY, to)
        who = await self._editor(run)
        if isinstance(who, str):
            return _Ended("failed", who, to)
        content = await self.reports.file(who, schedule, Period(run.starts_at, run.ends_at))
        blob = await self.blobs.put(content, MEDIA_TYPES.get(schedule.format, "application/octet-stream"))
        file = Attachment(id=uuid5(run.id, "file"), name=f"{schedule.slug}.{schedule.format}", blob=blob)
        return _Prepared(
            ReportPrepared(
                schedule=ScheduleRef(id=schedule.id, slug=schedule.slug, name=schedule.name),
                report=schedule.report,
                due_at=run.due_at,
                starts_at=run.starts_at,
                ends_at=run.ends_at,
                timezone=run.timezone,
                to=to.to,
                left_out=to.left_out,
                file=file,
            )
        )

    async def _editor(self, run: Run) -> Identity | str:
        """The administrator who saved the schedule last, with what they may read now; else why it cannot be sent."""
        saved_by = await report_runs.saved_by(self.store.pool, run.schedule)
        row = await document_rows.find(self.store.pool, "person", str(saved_by)) if saved_by is not None else None
        person = row.document if row is not None and isinstance(row.document, Person) else None
        if row is None or person is None or row.retired or "admin" not in person.roles:
            name = person.name if person is not None else "Whoever"
            return (
                f"{name} saved the schedule last and is no administrator any more. "
                "Another administrator has to save it again."
            )
        return identity_of(person, ("read",))

    async def _record(self, run: Run, event: ReportPrepared) -> None:
        """Records the event and ends the run, both or none."""
        actor = Actor("agent", str(run.asked_by)) if run.asked_by is not None else Actor("service", self.store.service)
        context = Context(actor=actor, traceparent=traceparent())
        # Always the same id: if a restored database sends a run again, notify recognises the event.
        append = Append(run.id, CATEGORY, 0, (NewEvent(event, id=uuid5(run.id, "prepared")),), context)
        try:
            async with self.store.pool.acquire() as connection, connection.transaction():
                done = await report_runs.finish(
                    connection,
                    run,
                    "mailed",
                    recipients=[each.model_dump(mode="json") for each in event.to],
                    left_out=[each.model_dump(mode="json") for each in event.left_out],
                )
                if not done:
                    return  # another worker has carried it out, or it was skipped meanwhile
                await self.store.append([append], connection=connection)
        except VersionConflict:
            log.error("the run %s has an event and was still waiting", run.id)
            await report_runs.finish(self.store.pool, run, "mailed")
            return
        self.store.appended.set()
        RUNS.labels("mailed").inc()
        if event.left_out:
            log.warning("%d recipients of the report %s are left out", len(event.left_out), event.schedule.slug)

    async def _postpone(self, run: Run, reason: str) -> None:
        if run.asked_by is not None and utc_now() - run.made_at > LONGEST_WAIT:
            await self._end(run, "failed", f"Given up after {run.attempts} attempts: {reason}")
            return
        seconds = RETRY_SECONDS[min(run.attempts, len(RETRY_SECONDS)) - 1]
        log.warning("a report waits %d s for another attempt: %s", seconds, reason)
        await report_runs.postpone(self.store.pool, run, timedelta(seconds=seconds), reason)

    async def _end(self, run: Run, state: RunState, reason: str, to: Recipients = Recipients((), ())) -> None:
        left_out = [each.model_dump(mode="json") for each in to.left_out]
        if await report_runs.finish(self.store.pool, run, state, reason, left_out=left_out):
            RUNS.labels(state).inc()
            log.warning("a report is not sent (%s): GET /report-schedules/%s/runs says why", state, run.schedule)
